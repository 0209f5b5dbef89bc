package grouping

import (
	"sync"

	"github.com/pawlkv/pawl/kv"
)

// Queue hands requests to the committer. Its methods may be called from any
// number of goroutines.
type Queue struct {
	working sync.Mutex // held while a group is committed
	crowd   bool       // several were waiting for the last group; guarded by working

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

// Lead calls commit in the goroutine of the caller, who does the committer's work for
// one batch: that spares two changes of goroutine, which take as long as a small commit
// does beside its sync. It reports whether commit was called and did it.
//
// Nobody is led past: that is done only where no group is being committed, nothing
// waits, and those before came one at a time. Where several come at once they find
// each other in the queue, and share a sync.
//
// commit says whether it has committed the batch or left it alone. If it panics, lost
// is called: what it was at is in no known state.
func (q *Queue) Lead(commit func() bool, lost func()) bool {
	if !q.working.TryLock() {
		return false
	}
	defer q.working.Unlock()
	if q.crowd || !q.isIdle() {
		return false
	}
	whole := false
	defer func() {
		if !whole {
			lost()
		}
	}()
	done := commit()
	whole = true
	return done
}

func (q *Queue) isIdle() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return !q.closed && len(q.items)+len(q.jobs) == 0
}

// Pause keeps all from being committed until Resume, if nobody commits and nothing
// waits: for who uses for a moment what is the committer's.
func (q *Queue) Pause() bool {
	if !q.working.TryLock() {
		return false
	}
	if q.isIdle() {
		return true
	}
	q.working.Unlock()
	return false
}

// Resume ends a pause.
func (q *Queue) Resume() { q.working.Unlock() }

// Work calls the committer's work while nobody leads. It returns how many batches were
// waiting for it.
func (q *Queue) Work(work func() (waiting int)) {
	q.working.Lock()
	defer q.working.Unlock()
	q.crowd = work() > 1
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
