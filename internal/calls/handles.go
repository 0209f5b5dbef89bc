package calls

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"sync"
)

// Handle is the number of something that is open. It stays below 2^53, so that any
// language has it, and none is given out twice in a process; the first is random, so
// that one of another process is most likely none here. 0 is nothing.
type Handle uint64

// handles are what is open, by their numbers.
type handles struct {
	mu   sync.Mutex
	last Handle
	open map[Handle]any
}

// firstBits of a handle are chosen by chance: 2^53 leaves room for 2^52 after it.
const firstBits = 40

func newHandles() *handles {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return &handles{last: Handle(binary.LittleEndian.Uint64(b[:]) >> (64 - firstBits)), open: map[Handle]any{}}
}

func (h *handles) add(v any) Handle { return h.addWithin(context.Background(), v) }

// addWithin adds what is closed with something else, which has ended then: if it has
// already, the handle is one that was closed.
func (h *handles) addWithin(ended context.Context, v any) Handle {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.last++
	if ended.Err() == nil {
		h.open[h.last] = v
	}
	return h.last
}

func (h *handles) get(n Handle) (any, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if v, ok := h.open[n]; ok {
		return v, nil
	}
	return nil, ErrHandle
}

// take removes a handle: one of those who close it at once has it.
func (h *handles) take(n Handle) (any, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	v, ok := h.open[n]
	if !ok {
		return nil, ErrHandle
	}
	delete(h.open, n)
	return v, nil
}

// takeThose removes all handles of what fits, and returns it.
func (h *handles) takeThose(fits func(any) bool) (all []any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for n, v := range h.open {
		if fits(v) {
			delete(h.open, n)
			all = append(all, v)
		}
	}
	return all
}

// find returns what a handle is of, if that is a T.
func find[T any](h *handles, n Handle) (found T, err error) {
	v, err := h.get(n)
	if err != nil {
		return found, err
	}
	found, ok := v.(T)
	if !ok {
		return found, ErrHandle
	}
	return found, nil
}
