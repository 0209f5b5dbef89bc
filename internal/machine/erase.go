package machine

import (
	"context"
	"errors"
	"fmt"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/txn/seal"
)

// ErrNotErased is pawl's.
var ErrNotErased = errors.New("pawl: the store is sealed anew, and its files still hold what the old passphrase or key opens (Store.Erase)")

// eraser is an engine that keeps what was deleted or overwritten in its files
// until it is asked to erase it.
type eraser interface {
	Flatten(ctx context.Context) error
}

// Erase erases what was deleted or overwritten from the store's files.
func (s *Store) Erase(ctx context.Context) error {
	e, ok := kv.As[eraser](s.DB.Store())
	if !ok {
		return nil
	}
	return e.Flatten(ctx)
}

// Reseal seals the data key under another passphrase or key, and erases the old
// sealing. Errors: those of Keyring.Change, after which nothing has changed, and
// ErrNotErased.
func (s *Store) Reseal(ctx context.Context, next seal.Unlock) error {
	if err := s.Keyring.Change(ctx, next); err != nil {
		return err
	}
	if err := s.Erase(ctx); err != nil {
		return fmt.Errorf("%w: %w", ErrNotErased, err)
	}
	return nil
}
