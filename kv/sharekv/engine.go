package sharekv

import (
	"context"

	"github.com/pawlkv/pawl/kv"
)

// ID names a store for good. Two processes that find the same ID mean the same
// store.
type ID [16]byte

// Opener opens stores of one kind of engine. Its methods may be called from any
// number of goroutines, but for one directory Prepare and Open by one process
// at a time: the one that has locked it.
type Opener interface {
	// Limits returns what the stores take and keep, in every process the same.
	Limits() kv.Limits

	// Identify returns the ID of the store in a directory, which another
	// process may have open, and changes nothing. It returns fs.ErrNotExist if
	// there is none but may be made one, also if one was not finished. Any
	// other error keeps sharekv from touching the directory: that it holds
	// something else, that a newer program has written it.
	Identify(dir string) (ID, error)

	// Prepare brings a locked directory to where Open may take its time, and
	// makes what a new store begins with. It must spare the files IsOwn names.
	// ErrHeld: another process has the engine open in spite of our lock,
	// because the lock file was removed under it.
	Prepare(*Place) error

	// Open opens the store. When it returns, a new store is finished, and
	// Identify knows it. The engine is asked for nothing before that.
	Open(*Place) (LocalEngine, error)
}

// Formatted is a [LocalEngine] whose stores are of one of several formats
// ([kv.Format]). Those of others are of the newest.
type Formatted interface {
	// Format returns the format of the store. Opener.Identify fails with
	// kv.ErrNewer in programs that cannot read it.
	Format() kv.Format

	// Raise makes it the newest, durably. No other process has the store open
	// that cannot read it.
	Raise() error
}

// LocalEngine is a store that one process at a time can have open. It keeps
// what kv.Store promises of versions, snapshots and commits; turns and watches
// are sharekv's. Its methods may be called from any number of goroutines.
//
// Before it writes, each time, it asks [Place.Held]: if the place is not ours
// any more, another process may have the store, and kv.ErrClosed is the answer.
// It makes versions visible by [Place.Show], before Commit returns.
type LocalEngine interface {
	// ID returns what Opener.Identify does.
	ID() ID

	// Snapshot is kv.Store's.
	Snapshot() kv.Snapshot

	// Commit is kv.Store's. The batch was checked (kv.Batch.Check), and no turn
	// stands before it.
	Commit(ctx context.Context, b *kv.Batch) (kv.Version, error)

	// Flatten erases what was deleted or overwritten, as far as the engine can.
	Flatten(ctx context.Context) error

	// Stop returns when all commits that were under way are decided. From then
	// on Commit returns kv.ErrClosed; reading goes on.
	Stop()

	// Close stops, closes the store and lets go of its files. Snapshots end
	// with kv.ErrClosed. It is called once.
	Close() error
}
