package badgerkv

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/pawlkv/pawl/kv"
)

// request is a batch on its way through the committer. The committer reads the
// batch only while the request is taken, since it is the caller's again as soon
// as Commit returns.
type request struct {
	batch *kv.Batch
	state atomic.Int32 // waiting, taken or withdrawn
	gone  atomic.Bool  // the caller wants it back
	done  chan struct{}

	version kv.Version // set before done is closed
	err     error
}

const (
	waiting int32 = iota
	taken
	withdrawn
)

func newRequest(b *kv.Batch) *request { return &request{batch: b, done: make(chan struct{})} }

func (r *request) answer(version kv.Version, err error) {
	r.version, r.err = version, err
	close(r.done)
}

// take makes the request the committer's, unless it was withdrawn.
func (r *request) take() bool { return r.state.CompareAndSwap(waiting, taken) }

// putBack lets it wait for the next group, or go if the caller has asked so
// meanwhile. It reports whether it waits.
func (r *request) putBack() bool {
	r.state.Store(waiting)
	if r.gone.Load() && r.state.CompareAndSwap(waiting, withdrawn) {
		r.answer(0, errWithdrawn)
		return false
	}
	return true
}

// wait returns the outcome. When ctx ends, the request is withdrawn if it is
// still waiting; otherwise its outcome is a sync away, and certain.
func (r *request) wait(ctx context.Context) (kv.Version, error) {
	select {
	case <-r.done:
		return r.version, r.err
	case <-ctx.Done():
	}
	if r.gone.Store(true); r.state.CompareAndSwap(waiting, withdrawn) {
		return 0, ctx.Err()
	}
	<-r.done
	if r.err == errWithdrawn {
		return 0, ctx.Err()
	}
	return r.version, r.err
}

// queue hands requests to the committer.
type queue struct {
	mu     sync.Mutex
	items  []*request
	jobs   []func(closed bool) // to run between groups
	closed bool
	bell   chan struct{} // has room for one ring
}

func newQueue() *queue { return &queue{bell: make(chan struct{}, 1)} }

func (q *queue) add(r *request) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return kv.ErrClosed
	}
	q.items = append(q.items, r)
	q.ring()
	return nil
}

// run lets the committer call a function between two groups, or when the queue
// is closed.
func (q *queue) run(job func(closed bool)) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return kv.ErrClosed
	}
	q.jobs = append(q.jobs, job)
	q.ring()
	return nil
}

// close refuses all that is added from now on.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.ring()
}

func (q *queue) ring() {
	select {
	case q.bell <- struct{}{}:
	default:
	}
}

// take returns all that was added since, and whether the queue was closed.
func (q *queue) take() (items []*request, jobs []func(closed bool), closed bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	items, jobs, q.items, q.jobs = q.items, q.jobs, nil, nil
	return items, jobs, q.closed
}
