package aftermath

import (
	"context"
	"fmt"
	"strings"

	"github.com/pawlkv/pawl/kv"
)

// Working is a life under which the power may fail: a Subject of package
// kv/kvtest/power.
type Working struct {
	ctx   context.Context
	store kv.Store
	life  *Life
	calls int
}

// Under returns a life that has not begun, until ctx ends.
func Under(ctx context.Context) *Working { return &Working{ctx: context.WithoutCancel(ctx)} }

// Begin makes the device.
func (w *Working) Begin(store kv.Store) (err error) {
	w.store = store
	w.life, err = Begin(w.ctx, store)
	return err
}

// Resume goes on in the store that was opened again.
func (w *Working) Resume(store kv.Store) error {
	w.store = store
	return w.life.Resume(store)
}

// Steps is how many calls it makes.
func (w *Working) Steps() int { return Calls }

// Step makes one call. Before some, something is committed that may be lost, of
// several pages.
func (w *Working) Step() error {
	for i := range w.calls % 3 {
		_, err := w.store.Commit(w.ctx, &kv.Batch{ID: kv.NewCommitID(0), Writes: []kv.Write{
			{Key: fmt.Sprintf("_/other/%d", i), Value: []byte(strings.Repeat("x", 3000))},
		}})
		if err != nil {
			return err
		}
	}
	w.calls++
	return w.life.Step()
}

// Judge lets the device go on with what is left: it has all that was
// acknowledged, and uses no key twice.
func (w *Working) Judge(store kv.Store, calls int) error {
	verdict, err := w.life.Judge(w.ctx, store, calls, Terms{Lossless: true})
	if err != nil {
		return fmt.Errorf("%v: %w", verdict, err)
	}
	return nil
}
