package watch

import (
	"context"
	"errors"
	"iter"

	"github.com/pawlkv/pawl/kv"
)

// Follow watches one hub after the other, for an engine that replaces a hub when it cannot
// tell it of all that was committed. current returns the hub of now; over says why a hub
// that was closed has no other after it, nil if it has. It is kv.Store.Watch.
func Follow(ctx context.Context, prefix string, after kv.Version, current func(context.Context) (*Hub, error), over func(*Hub) error) iter.Seq2[kv.Change, error] {
	return func(yield func(kv.Change, error) bool) {
		for from := after; ; from = 0 { // another hub knows nothing of where we were
			hub, err := current(ctx)
			if err != nil {
				yield(kv.Change{}, err)
				return
			}
			for change, err := range hub.Watch(ctx, prefix, from) {
				if errors.Is(err, kv.ErrClosed) {
					if err = over(hub); err == nil {
						break
					}
				}
				if !yield(change, err) || err != nil {
					return
				}
			}
		}
	}
}
