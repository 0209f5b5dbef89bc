package keyfile

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gofrs/flock"

	"github.com/pawlkv/pawl/internal/files"
	"github.com/pawlkv/pawl/internal/holder"
	"github.com/pawlkv/pawl/kv"
)

// Lock is held by the one process that decides what a store is sealed under:
// between looking at the key file or the passphrase, writing the key file and
// sealing under it, no other may do the same. Who only opens the store needs
// none. It is not for concurrent use.
type Lock struct {
	path string // of the key file
	file *flock.Flock
}

const (
	// lockSuffix, after the key file's name: locked, empty, and stays.
	lockSuffix = ".lock"
	// lockWait is for processes that derive a key or two. One that is stopped
	// must not hold up the others for good.
	lockWait = 30 * time.Second
	lockPoll = 10 * time.Millisecond
)

// Take waits for the lock of a key file. The engine must have made the store
// before, since it takes a directory with other files for something else. It
// fails with kv.ErrUnavailable if another process keeps the lock for half a
// minute, and with the context's error.
func Take(ctx context.Context, path string) (*Lock, error) {
	wait, cancel := context.WithTimeout(ctx, lockWait)
	defer cancel()
	if err := files.ClearIrregular(path + lockSuffix); err != nil {
		return nil, kv.OfSystem(err)
	}
	file := flock.New(path+lockSuffix, flock.SetPermissions(mode))
	_, err := file.TryLockContext(wait, lockPoll)
	switch {
	case err == nil:
		return &Lock{path, file}, nil
	case ctx.Err() != nil:
		err = ctx.Err()
	case wait.Err() != nil:
		err = fmt.Errorf("%w: %s has been deciding for %v what is under %s: is it stopped?", kv.ErrUnavailable, holder.Name(path+lockSuffix), lockWait, path)
	}
	return nil, errors.Join(kv.OfSystem(err), file.Close())
}

// Release lets others seal the store under another key.
func (l *Lock) Release() error { return l.file.Close() }

// Settle returns the key in the file, which a store gets that is empty. The key
// is safe before anything is sealed under it.
func (l *Lock) Settle(ctx context.Context, store kv.Store) (Key, error) {
	empty, err := IsEmpty(ctx, store)
	if err != nil {
		return Key{}, err
	}
	// After the store was looked at: if another process made it meanwhile, the
	// key was there before.
	key, err := Read(l.path)
	if err == nil && !key.found && empty {
		key, err = Create(l.path)
	}
	return key, ofSystem(err)
}

// views is how often a view that is lost, because another process took the
// store over, is taken again.
const views = 20

// IsEmpty reports whether a store has no entry, so that it is sealed under
// nothing yet.
func IsEmpty(ctx context.Context, store kv.Store) (empty bool, err error) {
	for range views {
		if empty, err = looksEmpty(ctx, store); !errors.Is(err, kv.ErrConflict) {
			break
		}
	}
	return empty, err
}

func looksEmpty(ctx context.Context, store kv.Store) (bool, error) {
	snap := store.Snapshot()
	defer snap.Close()
	for _, err := range snap.Scan(ctx, "") {
		return false, err
	}
	return true, nil
}
