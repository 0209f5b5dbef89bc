package grouping

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/pawlkv/pawl/kv"
)

// errWithdrawn answers a request that its caller has taken back.
var errWithdrawn = errors.New("grouping: withdrawn")

// Request is a batch on its way through the committer. The committer reads the
// batch only while the request is taken, since it is the caller's again as soon
// as Wait returns.
type Request struct {
	Batch *kv.Batch
	Since time.Time // when it was made
	Note  int64     // the engine's own

	state atomic.Int32 // waiting, taken or withdrawn
	gone  atomic.Bool  // the caller wants it back
	done  chan struct{}
	left  chan struct{} // closed when the caller need not stay

	version kv.Version // set before done is closed
	err     error
}

const (
	waiting int32 = iota
	taken
	withdrawn
)

// NewRequest returns a request that waits.
func NewRequest(b *kv.Batch) *Request {
	return &Request{Batch: b, Since: time.Now(), done: make(chan struct{}), left: make(chan struct{})}
}

// Answer ends the request with an outcome. The committer calls it once for
// each request that it has taken.
func (r *Request) Answer(version kv.Version, err error) {
	r.version, r.err = version, err
	close(r.done)
}

// Copied says that the committer reads the batch no more, and that its outcome may be
// long in coming: a caller who gives up from now on has kv.ErrUnknown. The committer
// calls it once, if at all, for a request that it has taken.
func (r *Request) Copied() { close(r.left) }

// Take makes the request the committer's, unless it was withdrawn.
func (r *Request) Take() bool { return r.state.CompareAndSwap(waiting, taken) }

// Withdrawn reports whether the caller has given up.
func (r *Request) Withdrawn() bool { return r.state.Load() == withdrawn }

// PutBack lets a request that was taken wait again, or go if the caller has
// asked so meanwhile. It reports whether it waits.
func (r *Request) PutBack() bool {
	r.state.Store(waiting)
	if r.gone.Load() && r.state.CompareAndSwap(waiting, withdrawn) {
		r.Answer(0, errWithdrawn)
		return false
	}
	return true
}

// Refuse answers the request with an error unless it was withdrawn.
func (r *Request) Refuse(err error) {
	if r.Take() {
		r.Answer(0, err)
	}
}

// Wait returns the outcome. When ctx ends while the request is waiting, it is
// withdrawn, and the error is the context's; once it was taken the caller stays, unless
// the committer says that it need not.
func (r *Request) Wait(ctx context.Context) (kv.Version, error) {
	select {
	case <-r.done:
		return r.version, r.err
	case <-ctx.Done():
	}
	if r.gone.Store(true); r.state.CompareAndSwap(waiting, withdrawn) {
		return 0, ctx.Err()
	}
	select {
	case <-r.done:
	case <-r.left:
		select {
		case <-r.done:
		default:
			return 0, fmt.Errorf("%w: %w", kv.ErrUnknown, ctx.Err())
		}
	}
	if r.err == errWithdrawn {
		return 0, ctx.Err()
	}
	return r.version, r.err
}
