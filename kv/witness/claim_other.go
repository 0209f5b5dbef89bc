//go:build !linux && !darwin && !freebsd && !netbsd

package witness

import "os"

// claim: where files that are open are not replaced there is nothing to claim.
func claim(*os.File) (bool, error) { return true, nil }
