package grouping

import (
	"sync"

	"github.com/pawlkv/pawl/kv"
)

// Queue hands requests to the committer. Its methods may be called from any
// number of goroutines.
type Queue struct {
	mu     sync.Mutex
	items  []*Request
	jobs   []func(closed bool)
	closed bool
	bell   chan struct{} // has room for one ring
}

// NewQueue returns an empty queue.
func NewQueue() *Queue { return &Queue{bell: make(chan struct{}, 1)} }

// Bell yields when something was added, or the queue closed, since the last
// Take.
func (q *Queue) Bell() <-chan struct{} { return q.bell }

// Add puts a request at the end. Error: kv.ErrClosed.
func (q *Queue) Add(r *Request) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return kv.ErrClosed
	}
	q.items = append(q.items, r)
	q.ring()
	return nil
}

// Run lets the committer call a function between two groups, or when the queue
// is closed. Error: kv.ErrClosed.
func (q *Queue) Run(job func(closed bool)) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return kv.ErrClosed
	}
	q.jobs = append(q.jobs, job)
	q.ring()
	return nil
}

// Close refuses all that is added from now on. Closing twice is harmless.
func (q *Queue) Close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.ring()
}

func (q *Queue) ring() {
	select {
	case q.bell <- struct{}{}:
	default:
	}
}

// Take returns all that was added since, and whether the queue was closed.
func (q *Queue) Take() (items []*Request, jobs []func(closed bool), closed bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	items, jobs, q.items, q.jobs = q.items, q.jobs, nil, nil
	return items, jobs, q.closed
}
