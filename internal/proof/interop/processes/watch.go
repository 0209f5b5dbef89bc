//go:build unix

package processes

import (
	"context"
	"sync"

	"github.com/pawlkv/pawl/kv/kvtest/faulty"
)

// watch waits for a moment of a commit.
type watch struct {
	tell func(Moment)

	mu sync.Mutex
	at Moment // "": for none
}

func (w *watch) begin(at Moment) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.at = at
}

// take reports whether a moment was waited for, and waits no more.
func (w *watch) take(m Moment) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.at != m {
		return false
	}
	w.at = ""
	return true
}

func (w *watch) before(_ context.Context, call faulty.Call) error {
	if writes(call) && w.take(Committing) {
		w.tell(Committing)
	}
	return nil
}

func (w *watch) after(_ context.Context, call faulty.Call, err error) error {
	if writes(call) && err == nil && w.take(Committed) {
		w.tell(Committed)
		select {} // until the process is killed
	}
	return nil
}

func writes(call faulty.Call) bool { return call.Op == faulty.Commit && len(call.Batch.Writes) > 0 }
