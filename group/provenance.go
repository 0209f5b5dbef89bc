package group

import (
	"bytes"
	"fmt"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/ratchet"
)

// Provenance is who gave us a key. The larger is the better.
type Provenance uint8

const (
	// File: read from a key file. Whoever wrote it may have written anything.
	File Provenance = 1
	// Backup: from the server-side backup, which is not authenticated.
	Backup Provenance = 2
	// Bundle: in a bundle of a room's history, by who invited us.
	Bundle Provenance = 3
	// Forwarded: by an own verified device, which we had asked.
	Forwarded Provenance = 4
	// Direct: in m.room_key, encrypted by the device that made the session.
	Direct Provenance = 5
)

// String returns the provenance in lower case.
func (p Provenance) String() string {
	switch p {
	case File:
		return "file"
	case Backup:
		return "backup"
	case Bundle:
		return "bundle"
	case Forwarded:
		return "forwarded"
	case Direct:
		return "direct"
	}
	return fmt.Sprintf("provenance %d", uint8(p))
}

// vouched reports that a device of the sender's or of our own vouches for the
// key: a copy that contradicts such a one is not believed.
func (p Provenance) vouched() bool { return p >= Forwarded }

// Source is what is known of a key beside the key.
type Source struct {
	Provenance Provenance
	// Sender is the Curve25519 key of the device that made the session, proven only
	// by [Direct].
	Sender ratchet.PublicKey
	// Claimed is the Ed25519 key of that device, zero if it is not known.
	Claimed account.VerifyKey
	// Giver is the Curve25519 key of the device that forwarded the key or gave the
	// bundle, else zero.
	Giver ratchet.PublicKey
	// SharedHistory: whoever joins later may be given the key.
	SharedHistory bool
}

// compare orders sources of one provenance. The order means nothing; it is there
// so that whichever of two comes first, the same one is kept.
func (s Source) compare(other Source) int {
	for _, pair := range [][2][]byte{
		{s.Sender[:], other.Sender[:]}, {s.Claimed[:], other.Claimed[:]}, {s.Giver[:], other.Giver[:]},
	} {
		if c := bytes.Compare(pair[0], pair[1]); c != 0 {
			return c
		}
	}
	switch {
	case s.SharedHistory == other.SharedHistory:
		return 0
	case s.SharedHistory:
		return -1 // not to be given away is the safer one
	}
	return 1
}

// Copy is a key as it came from somewhere.
type Copy struct {
	Source
	Key Key
	// first is where the copy began when it came: its key may have been advanced
	// since, because what was before is to be forgotten.
	first uint32
}

// NewCopy returns a copy that has just come.
func NewCopy(key Key, source Source) Copy {
	return Copy{Source: source, Key: key, first: key.Index()}
}

// better reports that of two copies of one provenance c is the one to keep: it
// reaches further back.
func (c Copy) better(other Copy) bool {
	if c.first != other.first {
		return c.first < other.first
	}
	return c.compare(other.Source) > 0
}

// covers reports that nothing is lost without other.
func (c Copy) covers(other Copy) bool {
	return c.Provenance >= other.Provenance && c.first <= other.first
}
