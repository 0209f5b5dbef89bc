package machine

import (
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// Bounds of what a handle remembers of its requests.
const (
	recentKept  = 64
	recentBytes = 2 << 20
)

// Carried is what a request carries: its body, and what its kind has to know to apply the
// answer.
type Carried struct{ Body, Data []byte }

// Recent remembers what the requests that a handle has made carry, until they are
// answered. It never changes, and a request with a room key has some hundred kilobytes of
// it, which would be read twice more: when the request is handed out, and when its answer
// is. That there is such a request still is for the store to say.
//
// The zero Recent is ready for use, by any number of goroutines.
type Recent struct {
	mu    sync.Mutex
	known *simplelru.LRU[[16]byte, Carried] // nil: nothing
	bytes int
}

// Made notes a request that was committed.
func (r *Recent) Made(id [16]byte, c Carried) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.known == nil {
		// It fails for sizes below 1 only.
		r.known, _ = simplelru.NewLRU(recentKept, func(_ [16]byte, c Carried) { r.bytes -= c.size() })
	}
	r.note(id, c)
	for r.bytes > recentBytes {
		r.known.RemoveOldest()
	}
}

// note requires r.mu.
func (r *Recent) note(id [16]byte, c Carried) {
	r.known.Remove(id)
	r.known.Add(id, c)
	r.bytes += c.size()
}

func (c Carried) size() int { return len(c.Body) + len(c.Data) }

// Knows reports whether the body of a request is known.
func (r *Recent) Knows(id [16]byte) bool {
	c, ok := r.get(id)
	return ok && c.Body != nil
}

// Hand returns what a request carries, if its body is known. The body is the caller's from
// then on, who may do with it what it likes: it is not known any more.
func (r *Recent) Hand(id [16]byte) (c Carried, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.known == nil {
		return c, false
	}
	if c, ok = r.known.Peek(id); !ok || c.Body == nil {
		return c, false
	}
	r.note(id, Carried{Data: c.Data})
	return c, true
}

// Data returns what the kind of a request has to know, if that is known.
func (r *Recent) Data(id [16]byte) ([]byte, bool) {
	c, ok := r.get(id)
	return c.Data, ok
}

// Forget forgets a request that was answered.
func (r *Recent) Forget(id [16]byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.known != nil {
		r.known.Remove(id)
	}
}

func (r *Recent) get(id [16]byte) (c Carried, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.known == nil {
		return c, false
	}
	return r.known.Peek(id)
}
