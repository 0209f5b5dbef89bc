package events

import (
	"context"
	"errors"
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/txn"
)

const (
	// maxPending is how many changes are kept for a reader that is slow. One that is
	// slower gets a resync mark.
	maxPending = 10_000
	// atOnce is how many records are read for it at a time.
	atOnce = 256
)

// Stream yields what has changed after a position, and goes on with what changes
// until ctx ends: the state of each subject, once however often it changed between
// two readings, at least once in all. Whoever goes on from the position of an event
// that it has dealt with misses nothing.
//
// A reader that begins, that fell behind, or whose position is of another store gets
// one event of kind Resync, and then the state of all that has changed since its
// position, or of everything. The sequence ends with an error: the context's, or the
// store's.
func Stream(ctx context.Context, a *machine.Account, after Position) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		r, err := newReader(ctx, a, after)
		if err != nil {
			yield(Event{}, err)
			return
		}
		go r.follow(ctx)
		for {
			switch err := r.next(ctx, yield); {
			case errors.Is(err, errEnough):
				return
			case err != nil:
				yield(Event{}, err)
				return
			}
		}
	}
}

// reader is one stream.
type reader struct {
	account *machine.Account
	place   place
	scope   string
	at      kv.Version // all before was yielded

	mu      sync.Mutex
	pending map[string]struct{} // keys that have changed since
	head    kv.Version          // they are all up to here
	resync  bool                // they are not
	err     error               // that ended the watch
	bell    chan struct{}       // has room for one ring
}

func newReader(ctx context.Context, a *machine.Account, after Position) (*reader, error) {
	scope, _ := a.DB.Scope()
	r := &reader{account: a, scope: scope, pending: map[string]struct{}{}, bell: make(chan struct{}, 1)}
	now, err := txn.View(ctx, a.DB, func(tx *txn.Tx) (kv.Version, error) {
		v, err := a.Read(tx)
		if err != nil {
			return 0, err
		}
		r.place = place{a.Store.Generation, v.Lineage().Base}
		return tx.Version()
	})
	if err != nil {
		return nil, err
	}
	r.at = r.place.version(after)
	if r.at > now || r.at == 0 { // of a time that is lost, or of none
		r.at, r.head, r.resync = 0, now, true
		r.ring()
	} else {
		r.head = r.at
	}
	return r, nil
}

// follow collects what has changed, however slowly it is read.
func (r *reader) follow(ctx context.Context) {
	for after := r.head; ; {
		var lost error
		for change, err := range r.account.DB.Store().Watch(ctx, r.scope+"/", after) {
			if lost = err; err != nil {
				break
			}
			after = change.Head
			r.collect(change)
		}
		if !again(ctx, lost) {
			r.fail(lost)
			return
		}
	}
}

// again reports whether a watch that was lost is taken again, and waits before.
func again(ctx context.Context, lost error) bool {
	if lost == nil || kv.OutcomeOf(lost) == kv.Unsent {
		select {
		case <-time.After(pause):
			return true
		case <-ctx.Done():
		}
	}
	return false
}

func (r *reader) fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.err = err
	r.ring()
}

func (r *reader) collect(c kv.Change) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.head = max(r.head, c.Head)
	_, ours := subjectOf(c.Key)
	switch {
	case c.Resync, ours && len(r.pending) >= maxPending:
		r.resync = true
		clear(r.pending)
	case ours && c.Version != 0 && !r.resync:
		r.pending[c.Key] = struct{}{}
	default:
		return
	}
	r.ring()
}

func (r *reader) ring() {
	select {
	case r.bell <- struct{}{}:
	default: // it is rung
	}
}

// take takes what was collected.
func (r *reader) take() (keys []string, head kv.Version, resync bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for key := range r.pending {
		keys = append(keys, key)
	}
	head, resync = r.head, r.resync
	clear(r.pending)
	r.resync = false
	if len(keys) == 0 && !resync {
		err = r.err // after all that came before it
	}
	return keys, head, resync, err
}

// errEnough ends a stream whose reader has enough.
var errEnough = errors.New("enough")

// next waits for what has changed, and yields it.
func (r *reader) next(ctx context.Context, yield func(Event, error) bool) error {
	select {
	case <-r.bell:
	case <-ctx.Done():
		return ctx.Err()
	}
	keys, head, resync, err := r.take()
	if err != nil {
		return err
	}
	b := batch{from: r.place.of(r.at), yield: yield}
	if resync {
		if err := b.add(Event{Kind: Resync}); err != nil {
			return err
		}
		if keys, err = r.changed(ctx); err != nil {
			return err
		}
	}
	slices.Sort(keys)
	for some := range slices.Chunk(keys, atOnce) {
		all, err := txn.View(ctx, r.account.DB, func(tx *txn.Tx) ([]Event, error) { return read(tx, some) })
		if err != nil {
			return err
		}
		for _, e := range all {
			if err := b.add(e); err != nil {
				return err
			}
		}
	}
	r.at = head
	return b.end(r.place.of(head))
}

// changed returns the keys of all subjects that have changed since what was yielded.
func (r *reader) changed(ctx context.Context) ([]string, error) {
	return machine.View(r.account.DB.Store(), func(snap kv.Snapshot) (keys []string, err error) {
		for _, s := range subjects {
			for e, err := range snap.Scan(ctx, r.scope+"/"+s.kind+"/") {
				if err != nil {
					return nil, err
				}
				if e.Version > r.at {
					keys = append(keys, e.Key)
				}
			}
		}
		return keys, nil
	})
}

// read returns the events of what is stored under keys.
func read(tx *txn.Tx, keys []string) (all []Event, err error) {
	if err := tx.PrefetchKeys(keys...); err != nil {
		return nil, err
	}
	for _, key := range keys {
		s, _ := subjectOf(key)
		e, ok, err := s.read(tx, key)
		if err != nil {
			return nil, err
		}
		if ok {
			all = append(all, e)
		}
	}
	return all, nil
}

// batch yields what is told at a time. Only the last of it moves the position on:
// whoever is killed before is told all of it again.
type batch struct {
	from  Position
	last  *Event // was not yielded yet
	yield func(Event, error) bool
}

func (b *batch) add(e Event) error {
	if err := b.end(b.from); err != nil {
		return err
	}
	b.last = &e
	return nil
}

func (b *batch) end(at Position) error {
	if b.last == nil {
		return nil
	}
	e := *b.last
	e.Position, b.last = at, nil
	if !b.yield(e, nil) {
		return errEnough
	}
	return nil
}
