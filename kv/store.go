package kv

import (
	"context"
	"iter"
)

// Version numbers the commit that wrote an entry, starting at 1. Zero stands
// for the absence of an entry, and for the state of an empty store.
type Version uint64

// MaxVersion is the greatest version, so that every one is a number in languages
// whose only numbers are floating-point.
const MaxVersion Version = 1<<53 - 1

// Entry is a key, its value, and the version of the commit that wrote it.
// Version 0 means absent, and then Value is nil. A value of 0 bytes is a
// value. Neither the engine nor the caller changes Value's bytes after handing
// the entry over.
type Entry struct {
	Key     string // "k7Jq/session/9fX2/tP0c": any bytes, 1 to MaxKey of them
	Value   []byte
	Version Version
}

// Exists reports whether the entry is there.
func (e Entry) Exists() bool { return e.Version != 0 }

// Store is one versioned key-value store. All methods may be called from any
// number of goroutines.
type Store interface {
	// Snapshot returns a view of the store. It makes no round trip and cannot
	// fail: the view begins with the first call on it.
	Snapshot() Snapshot

	// Commit applies b, or nothing; see Outcome for what an error says. It returns the version of the commit. For a batch without
	// writes it validates the reads, syncs nothing, stores no ID, and returns
	// the version of the latest commit that it was validated against.
	//
	// A batch whose ID was applied before is not applied again: Commit returns
	// the version of that first time, whatever else the batch holds. One whose
	// ID was refused although it came with Batch.Again is ErrRefused, likewise.
	// If such a refusal cannot be recorded (a full disk, say), the answer is
	// ErrUnknown. A refusal may take a version of its own, at which nothing
	// changes.
	//
	// Engines keep the newest Limits.CommitIDs of those applied and refused, and
	// at most twice as many. For an ID that is not among them and began before
	// the newest of those dropped was applied or refused the answer is
	// ErrExpired, for good; as long as none was dropped there is no such answer.
	// A batch without writes has no ID to keep or to look for.
	//
	// The engine reads b until Commit returns and never changes it.
	Commit(ctx context.Context, b *Batch) (Version, error)

	// Turn waits for the caller's turn on all of the keys and takes it. Until
	// it is released, or Limits.TurnLife has passed, commits that write one
	// of the keys and do not carry the turn in Batch.Turn wait. A commit waits
	// for the turns asked for before it came and need not wait for later ones.
	// Without keys the turn is on the whole store: every commit that writes
	// waits, and it is not granted before those on their way are over, unless
	// one takes longer than a turn lasts.
	// A turn is advice for progress, never needed for correctness: it may
	// expire, and its holder's commit may still conflict. A key named twice
	// counts once.
	//
	// Through one Store, turns on a key are granted in the order asked for.
	// Where several processes have the data open, a turn may be granted before
	// one that was asked for earlier in another, but nobody waits for more than
	// a bounded number of such turns, which may grow with the number of
	// processes and of the turns before it in its own.
	//
	// Errors: the context's, ErrUnavailable, ErrClosed, ErrInvalid.
	Turn(ctx context.Context, keys ...string) (Turn, error)

	// Watch yields the keys with the prefix whose latest change is newer than
	// after, then goes on with those that change, until ctx ends or the store
	// closes: a doorbell, not a log. Each change is yielded at least once,
	// coalesced to the latest state of its key, in no promised order. To delete what
	// is not there is no change. Where the
	// engine cannot tell what changed since a version it yields a Change with
	// Resync set, and the reader scans. So nothing falls between a snapshot of
	// version v and a watch after v.
	//
	// The sequence ends with an error: the context's, ErrClosed,
	// ErrUnavailable.
	Watch(ctx context.Context, prefix string, after Version) iter.Seq2[Change, error]

	// Limits returns what the engine takes and keeps, Floor at least in each
	// respect. They stay the same as long as the store is open, and are there
	// without a round trip, also after Close.
	Limits() Limits

	// Close releases the store, and ends the turns that were taken through it.
	// Every call after it, and every call that is outstanding and not yet
	// applied, commits nothing and returns ErrClosed. Closing twice is harmless.
	Close() error
}

// Snapshot is a consistent view: all that it has returned existed together at
// one moment, not before its first call. Entries, absences, and what scans have
// yielded and passed over count. A view may be exact, and stay as it was at that
// call, or move on to a newer state while all that it has returned still stands;
// once it does not, a view that is not exact is gone, and says ErrConflict. Its
// methods may be called from any number of goroutines. A snapshot that is not
// closed holds resources.
type Snapshot interface {
	// Get returns an entry for every key, in the order of the keys, with
	// Version 0 for those that are absent. It is one round trip however many
	// keys there are. Errors: the context's, ErrConflict (the view is gone;
	// start again with a new snapshot), ErrUnavailable, ErrClosed,
	// ErrInvalid, ErrCorrupt.
	Get(ctx context.Context, keys ...string) ([]Entry, error)

	// Scan yields the entries whose keys begin with prefix, in the order of
	// their bytes. Errors as for Get; an error ends the sequence.
	Scan(ctx context.Context, prefix string) iter.Seq2[Entry, error]

	// Version returns one at which all that the view has returned stood: that of
	// the latest commit that the view contains, or of a refusal after it; 0 in an
	// empty store. Later calls may return a later one. It is a first call like any
	// other. Of a view that is about to be validated it is asked last.
	// Errors as for Get.
	Version(ctx context.Context) (Version, error)

	// Close releases the view. Calls after it return ErrClosed. Closing twice
	// is harmless.
	Close()
}

// Change tells that a key changed, or that the watcher must scan.
type Change struct {
	Key     string
	Version Version // of the latest change, 0 if the key was deleted
	Head    Version // go on from here after a lost watch, this change being dealt with
	Resync  bool    // Key is empty: read everything with the prefix again
}

// Turn is a granted turn. Release ends it and may be called more than once.
type Turn struct {
	ID      TurnID
	Release func()
}

// TurnID names a turn in [Batch.Turn]. Zero is none.
type TurnID uint64
