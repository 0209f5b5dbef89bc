package badgerkv

import "errors"

// Errors of [Open]. It also returns kv.ErrInUse and kv.ErrCorrupt.
var (
	// ErrForeign: the directory is not empty and not a store. It was not
	// touched. Give the path of a store, or of a directory that does not exist.
	ErrForeign = errors.New("badgerkv: the directory holds something else than a store")
	// ErrNewer: a newer version of Pawl has written the store. Update.
	ErrNewer = errors.New("badgerkv: the store was written by a newer version")
)
