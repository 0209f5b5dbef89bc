//go:build js

package idbkv

import (
	"context"
	"fmt"
	"syscall/js"

	"github.com/pawlkv/pawl/kv"
)

// Persisted reports whether the browser has promised not to evict the data of the origin,
// this store with it, when space is short. Where it has not, a page asks for it with
// navigator.storage.persist().
func (s *Store) Persisted(ctx context.Context) (bool, error) {
	if err := s.ended(ctx); err != nil {
		return false, err
	}
	storage := js.Global().Get("navigator").Get("storage")
	if !storage.Truthy() {
		return false, nil
	}
	said, err := await(ctx, storage.Call("persisted"))
	if err != nil {
		return false, fmt.Errorf("idbkv: %w: %w", kv.ErrUnavailable, err)
	}
	return said.Truthy(), nil
}
