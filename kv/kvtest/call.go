package kvtest

import (
	"bytes"
	"fmt"
	"runtime"
	"strings"
	"time"
)

// call is one that runs in a goroutine of its own.
type call[T any] struct {
	e     *env
	what  string
	id    chan string // of the goroutine
	done  chan struct{}
	value T
	err   error
	ended time.Time
}

// start makes a call that may block.
func start[T any](e *env, what string, do func() (T, error)) *call[T] {
	c := &call[T]{e: e, what: what, id: make(chan string, 1), done: make(chan struct{})}
	go func() {
		defer close(c.done)
		c.id <- goroutineID()
		c.value, c.err = do()
		c.ended = time.Now()
	}()
	return c
}

// wait returns what the call returned. A call that is stuck fails the test.
func (c *call[T]) wait() (T, error) {
	c.e.Helper()
	patience := time.NewTimer(c.e.patience)
	defer patience.Stop()
	select {
	case <-c.done:
	case <-patience.C:
		c.e.Fatalf("%s: has not returned after %v", c.what, c.e.patience)
	}
	return c.value, c.err
}

func (c *call[T]) finished() bool {
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}

// park returns when the call waits for somebody else, or is finished. There is
// nothing in kv.Store that tells when a caller has come to stand in a queue;
// its goroutine being blocked does.
func (c *call[T]) park() {
	c.e.Helper()
	id := <-c.id
	c.id <- id
	for deadline := time.Now().Add(c.e.patience); !c.finished() && !isBlocked(id); runtime.Gosched() {
		if time.Now().After(deadline) {
			c.e.Fatalf("%s: neither waits nor returns", c.what)
		}
	}
}

// goroutineID returns the number of the calling goroutine.
func goroutineID() string {
	var trace [64]byte
	text := string(trace[:runtime.Stack(trace[:], false)])
	return strings.Fields(text)[1] // goroutine 7 [running]:
}

// maxTrace bounds the stacks of all goroutines.
const maxTrace = 4 << 20

// isBlocked reports whether a goroutine waits for another or for the network.
// Waiting for a mutex does not count: that is on the way to somewhere.
func isBlocked(id string) bool {
	all := make([]byte, maxTrace)
	all = all[:runtime.Stack(all, true)]
	_, after, found := bytes.Cut(all, fmt.Appendf(nil, "goroutine %s [", id))
	if !found {
		return false
	}
	for _, state := range []string{"select", "chan receive", "chan send", "sync.Cond.Wait", "IO wait"} {
		if bytes.HasPrefix(after, []byte(state)) {
			return true
		}
	}
	return false
}
