package witness

import (
	"encoding/hex"

	"github.com/pawlkv/pawl/kv"
)

// StoreID names a store for its life: its content, not its place.
type StoreID [16]byte

// String returns 32 hexadecimal digits.
func (id StoreID) String() string { return hex.EncodeToString(id[:]) }

// Mark is how far a store had come.
type Mark struct {
	Store StoreID
	// Generation is 1 for a new store and rises when one that went back in time is
	// accepted, whose head is lower than before. The store has it too.
	Generation uint64
	// Head is the version of the latest commit that is known to be synced.
	Head kv.Version
}

// Supersedes reports whether m is to be saved where old was: it is of another
// store, of a later generation, or further on. Of marks of one store exactly one
// supersedes all others, so it does not matter in which order many processes
// save theirs.
func (m Mark) Supersedes(old Mark) bool {
	switch {
	case m.Store != old.Store:
		return true
	case m.Generation != old.Generation:
		return m.Generation > old.Generation
	}
	return m.Head > old.Head
}
