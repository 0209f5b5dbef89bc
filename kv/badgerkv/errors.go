package badgerkv

import "github.com/pawlkv/pawl/kv"

// Errors of [Open]. It also returns kv.ErrInUse and kv.ErrCorrupt.
var (
	// ErrForeign: the directory is not empty and not a store. It was not
	// touched. Give the path of a store, or of a directory that does not exist.
	ErrForeign = kv.ErrForeign
	// ErrNewer: a newer version of Pawl has written the store. Update.
	ErrNewer = kv.ErrNewer
)
