package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gofrs/flock"
)

const (
	// keyLockWait is for commands that derive a key or two. One that is stopped
	// must not hold up the others for good.
	keyLockWait = 30 * time.Second
	keyLockPoll = 10 * time.Millisecond
)

// lockKey makes the command the only one that decides what the store is sealed
// under: between looking at the key file or the passphrase, writing the key
// file and sealing under it, no other may do the same. Commands that only open
// the store need no lock. The engine must have made the store before, since it
// takes directories with other files for something else.
func (p place) lockKey(ctx context.Context) (*flock.Flock, error) {
	wait, cancel := context.WithTimeout(ctx, keyLockWait)
	defer cancel()
	lock := flock.New(p.keyLockFile(), flock.SetPermissions(keyFileMode))
	_, err := lock.TryLockContext(wait, keyLockPoll)
	switch {
	case err == nil:
		return lock, nil
	case ctx.Err() != nil:
		err = ctx.Err()
	case wait.Err() != nil:
		err = fmt.Errorf("another command has been deciding for %v under which key %s is sealed: is it stopped?", keyLockWait, p)
	}
	return nil, errors.Join(err, lock.Close())
}
