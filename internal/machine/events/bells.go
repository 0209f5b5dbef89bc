package events

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/kv"
)

// Bells ring for those who wait for records of an account, whichever process writes
// them. However many wait, there is one watch, and none while nobody waits.
type Bells struct {
	account *machine.Account

	mu      sync.Mutex
	waiting map[string]map[*bell]struct{} // by key
	waits   map[Missing]*wait
	stop    context.CancelFunc // of the watch; nil: there is none
}

// bell has room for one ring.
type bell struct{ rung chan struct{} }

// NewBells returns the bells of an account.
func NewBells(a *machine.Account) *Bells {
	return &Bells{account: a, waiting: map[string]map[*bell]struct{}{}, waits: map[Missing]*wait{}}
}

// listen returns a channel that is rung when one of the keys may have changed since
// the call, and what ends that. It may be rung for nothing.
func (b *Bells) listen(keys ...string) (rung <-chan struct{}, stop func()) {
	one := &bell{make(chan struct{}, 1)}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, key := range keys {
		if b.waiting[key] == nil {
			b.waiting[key] = map[*bell]struct{}{}
		}
		b.waiting[key][one] = struct{}{}
	}
	if b.stop == nil {
		ctx, cancel := context.WithCancel(context.Background())
		b.stop = cancel
		go b.watch(ctx)
	}
	return one.rung, func() { b.leave(one, keys) }
}

// leave ends the watch with the last who waits.
func (b *Bells) leave(one *bell, keys []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, key := range keys {
		delete(b.waiting[key], one)
		if len(b.waiting[key]) == 0 {
			delete(b.waiting, key)
		}
	}
	if len(b.waiting) == 0 && b.stop != nil {
		b.stop()
		b.stop = nil
	}
}

// pause is how long a watch that was lost is not taken again. Whoever waits looks
// each time, and finds out whether the store is there.
const pause = 50 * time.Millisecond

// watch rings until nobody waits. It begins at 0: that the engine does not know
// what happened since, and says so, wakes all, and those who came before look again.
func (b *Bells) watch(ctx context.Context) {
	scope, _ := b.account.DB.Scope()
	for after := kv.Version(0); ctx.Err() == nil; {
		var lost error
		for change, err := range b.account.DB.Store().Watch(ctx, scope+"/", after) {
			if lost = err; err != nil {
				break
			}
			after = change.Head
			if change.Resync {
				b.ringAll()
			} else {
				b.ring(change.Key)
			}
		}
		b.ringAll()
		if errors.Is(lost, kv.ErrClosed) {
			// Nothing is told any more, and whoever waits has found that out.
			<-ctx.Done()
			return
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

func (b *Bells) ring(key string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for one := range b.waiting[key] {
		one.ring()
	}
}

func (b *Bells) ringAll() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, all := range b.waiting {
		for one := range all {
			one.ring()
		}
	}
}

func (b *bell) ring() {
	select {
	case b.rung <- struct{}{}:
	default: // it is rung
	}
}
