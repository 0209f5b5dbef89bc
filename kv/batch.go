package kv

import (
	"crypto/rand"
	"fmt"
)

// Batch is what one commit checks and writes.
type Batch struct {
	ID     CommitID   // makes a commit whose outcome is unknown resolvable
	Reads  []Read     // must still hold
	Scans  []ScanRead // must still hold
	Writes []Write    // at most one for a key
	Turn   TurnID     // the turn the caller holds, if any
	Sync   bool       // false: may be lost by power failure, never reordered

	// Again tells that an earlier try of this batch had no known outcome, so that
	// some of it may be on its way still. If the engine refuses the batch now, it
	// records the ID as refused, in the same step and durably, whatever Sync says:
	// what arrives late is refused by its ID, also where its reads hold again.
	Again bool
}

// Read is a key at the version that was read; 0 means that it was absent.
type Read struct {
	Key     string
	Version Version
}

// ScanRead is a prefix and all that it yielded, in order. A key that came,
// went or changed since is a conflict: there are no phantoms.
type ScanRead struct {
	Prefix  string
	Entries []Read
}

// Write puts a value or deletes a key.
type Write struct {
	Key    string
	Value  []byte
	Delete bool // Value is ignored
}

// CommitID names one attempt to commit. Began is the version of the snapshot
// it started from, or of any state that existed before it: engines use it to
// tell an ID that is too old to be resolved. Random must not be all zero when
// the batch writes: a forgotten ID would look like a commit applied before.
type CommitID struct {
	Began  Version
	Random [16]byte
}

// NewCommitID returns a fresh ID for an attempt that began at a version.
func NewCommitID(began Version) CommitID {
	id := CommitID{Began: began}
	rand.Read(id.Random[:]) // never fails
	return id
}

// Check returns ErrInvalid or ErrTooLarge for a batch that an engine with these
// limits may not take, nil otherwise. Engines call it before anything else.
func (b *Batch) Check(limits Limits) error {
	if err := b.checkSize(limits); err != nil {
		return err
	}
	if len(b.Writes) > 0 && b.ID.Random == [16]byte{} {
		return fmt.Errorf("%w: a batch that writes needs an ID: use NewCommitID", ErrInvalid)
	}
	if err := b.checkReads(); err != nil {
		return err
	}
	written := make(map[string]struct{}, len(b.Writes))
	for _, w := range b.Writes {
		if err := CheckKey(w.Key); err != nil {
			return err
		}
		if _, twice := written[w.Key]; twice {
			return fmt.Errorf("%w: key %q is written twice in one batch", ErrInvalid, w.Key)
		}
		written[w.Key] = struct{}{}
	}
	return nil
}

// checkReads looks for what no engine has returned.
func (b *Batch) checkReads() error {
	newest := b.ID.Began
	for _, r := range b.Reads {
		if err := CheckKey(r.Key); err != nil {
			return err
		}
		newest = max(newest, r.Version)
	}
	for _, s := range b.Scans {
		for _, r := range s.Entries {
			newest = max(newest, r.Version)
		}
	}
	if newest > MaxVersion {
		return fmt.Errorf("%w: version %d, at most %d", ErrInvalid, newest, MaxVersion)
	}
	return nil
}

func (b *Batch) checkSize(limits Limits) error {
	for _, n := range []struct {
		what      string
		has, most int
	}{
		{"writes", len(b.Writes), limits.Writes},
		{"bytes", b.Size(), limits.Bytes},
		{"checks", b.Checks(), limits.Checks},
	} {
		if n.has > n.most {
			return fmt.Errorf("%w: %d %s, at most %d", ErrTooLarge, n.has, n.what, n.most)
		}
	}
	return nil
}

// Size is the number of bytes of all written keys and values.
func (b *Batch) Size() int {
	n := 0
	for _, w := range b.Writes {
		n += len(w.Key)
		if !w.Delete {
			n += len(w.Value)
		}
	}
	return n
}

// Checks is the number of entries that a commit looks at: one for each read, and
// for each scan those that it yielded, or one if it yielded none.
func (b *Batch) Checks() int {
	n := len(b.Reads)
	for _, s := range b.Scans {
		n += max(len(s.Entries), 1)
	}
	return n
}

// CheckKey returns ErrInvalid for a key that no engine may take.
func CheckKey(key string) error {
	if len(key) == 0 || len(key) > MaxKey {
		return fmt.Errorf("%w: a key of %d bytes, want 1 to %d", ErrInvalid, len(key), MaxKey)
	}
	return nil
}
