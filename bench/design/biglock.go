package design

import (
	"context"
	"sync/atomic"

	"github.com/pawlkv/pawl/kv"
)

// BigLock is what mautrix-go does: one mutex around every call into the crypto
// machine, and a cache of sessions in memory that it protects. It is right for
// any number of goroutines of one process, and wrong for two processes: the
// mutex is not in the store.
type BigLock struct {
	*Stale
	turn    chan struct{} // one call of this process at a time
	refused atomic.Int64
}

// NewBigLock puts a cache and its lock in front of a store that other processes
// share.
func NewBigLock(store kv.Store) *BigLock {
	return &BigLock{Stale: NewStale(store), turn: make(chan struct{}, 1)}
}

// Hold implements [Shared] for every step.
func (b *BigLock) Hold(ctx context.Context, _ Step) (release func(), err error) {
	select {
	case b.turn <- struct{}{}:
		return b.release, nil
	default:
		b.refused.Add(1)
	}
	select {
	case b.turn <- struct{}{}:
		return b.release, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (b *BigLock) release() { <-b.turn }

// Refused implements [Shared].
func (b *BigLock) Refused() int { return int(b.refused.Load()) }
