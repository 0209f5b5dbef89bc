package design

import (
	"context"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/pawlkv/pawl/kv"
)

// The clocks of a lease.
const (
	LeaseLife    = 500 * time.Millisecond
	LeaseRenewal = 50 * time.Millisecond
	LeaseWait    = 10 * time.Millisecond // doubled after each refusal
	LeaseWaitMax = time.Second
)

// Keys of the design's own entries, beside those of the store's user.
const (
	leaseKey      = "design/lease"
	generationKey = "design/generation"
)

// Lease is what today's SDKs put around a per-process cache: a process takes a
// lease of 500 ms by the wall clock, kept in the store itself and renewed every
// 50 ms, and a generation counter tells it whether another had the lease since;
// if so it drops all that it has in memory.
//
// What it does not do is also theirs. Only those who call Hold have the lease,
// and encrypting does not. A lease that runs out stops nobody: its holder's
// writes are upserts that check nothing, whoever has the lease by then.
//
// Where the SDKs differ among themselves it does what serves the design best:
// the lease is released at once, and a process that comes back takes its own
// lease back without waiting.
type Lease struct {
	*Stale
	holder     string        // the same when the process is started again
	turn       chan struct{} // one call of this process at a time
	generation uint64        // as of the last Hold, 0 before; guarded by turn
	refused    atomic.Int64
}

// NewLease puts a cache and its lease in front of a store that other holders
// share.
func NewLease(store kv.Store, holder string) *Lease {
	return &Lease{Stale: NewStale(store), holder: holder, turn: make(chan struct{}, 1)}
}

// Refused returns how often the lease was asked for and was another's.
func (l *Lease) Refused() int { return int(l.refused.Load()) }

// Hold waits for the lease, drops the cache if another had it, and renews the
// lease until it is released, which is to be done once. Errors: the context's,
// and those of the store.
func (l *Lease) Hold(ctx context.Context) (release func(), err error) {
	select {
	case l.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	err = l.acquire(ctx)
	if err == nil {
		err = l.catchUp(ctx)
	}
	if err != nil {
		<-l.turn
		return nil, err
	}
	renewing, stop := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		l.renew(renewing)
	}()
	return func() {
		stop()
		<-ended
		// A lease that cannot be given back runs out by itself.
		_, _ = l.take(context.WithoutCancel(ctx), 0)
		<-l.turn
	}, nil
}

// acquire asks for the lease until it is free.
func (l *Lease) acquire(ctx context.Context) error {
	wait := backoff.ExponentialBackOff{InitialInterval: LeaseWait, MaxInterval: LeaseWaitMax, Multiplier: 2}
	wait.Reset()
	for {
		taken, err := l.take(ctx, LeaseLife)
		if taken || err != nil {
			return err
		}
		l.refused.Add(1)
		select {
		case <-time.After(wait.NextBackOff()):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// renew keeps the lease until ctx ends, or until it is lost: nobody is told.
func (l *Lease) renew(ctx context.Context) {
	ticker := time.NewTicker(LeaseRenewal)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		if held, err := l.take(ctx, LeaseLife); !held || err != nil {
			return
		}
	}
}

// catchUp drops the cache if the generation is not the one that this process
// made, and makes the next one.
func (l *Lease) catchUp(ctx context.Context) error {
	snap := l.Store.Snapshot()
	defer snap.Close()
	found, err := snap.Get(ctx, generationKey)
	if err != nil {
		return err
	}
	stored, _ := strconv.ParseUint(string(found[0].Value), 10, 64) // absent: 0
	if stored == l.generation && stored != 0 {
		return nil
	}
	l.forget()
	began, err := snap.Version(ctx)
	if err != nil {
		return err
	}
	next := strconv.FormatUint(stored+1, 10)
	_, err = l.Store.Commit(ctx, &kv.Batch{ID: kv.NewCommitID(began), Writes: []kv.Write{{Key: generationKey, Value: []byte(next)}}})
	if err == nil {
		l.generation = stored + 1
	}
	return err
}

// leased takes the lease to decrypt, and nothing to encrypt.
type leased struct{ *Lease }

// Hold implements [Shared].
func (l leased) Hold(ctx context.Context, s Step) (release func(), err error) {
	if s != Decrypting {
		return func() {}, nil
	}
	return l.Lease.Hold(ctx)
}
