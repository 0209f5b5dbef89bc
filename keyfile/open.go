package keyfile

import (
	"context"
	"errors"
	"fmt"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/kv"
)

// Open is pawl.Open for a store that is sealed under the key in a file, which an
// empty store gets. It opens what 'pawl init' has made without a passphrase, and
// the other way round, if the file is where the command looks for it.
//
// Errors: those of pawl.Open; ErrExposed, ErrDamaged; pawl.ErrNoKey if the store
// is not empty and there is no file.
func Open(ctx context.Context, store kv.Store, path string, opts ...pawl.Option) (s *pawl.Store, err error) {
	key, err := Read(path)
	if err == nil && !key.found {
		var lock *Lock
		if lock, err = Take(ctx, path); err != nil {
			return nil, err
		}
		// Until the store is sealed under the key.
		defer func() { err = errors.Join(err, lock.Release()) }()
		key, err = lock.Settle(ctx, store)
	}
	switch {
	case err != nil:
		return nil, err
	case !key.found:
		return nil, fmt.Errorf("%w: there is no %s", pawl.ErrNoKey, path)
	}
	return pawl.Open(ctx, store, append(opts, pawl.WithKey(key.Reveal()))...)
}
