package files

import (
	"fmt"
	"io/fs"
)

// OnlyName fails for a file that was found at a path and has another name somewhere
// by which it is not seen what lies beside this one: a hard link, or a file that is
// mounted by itself. Links and mounts of directories are no such names (Resolve).
func OnlyName(path string, info fs.FileInfo) error {
	if n := Names(path, info); n > 1 {
		return fmt.Errorf("%s has %d names (hard links): remove all but one, and copy a store to copy it", path, n)
	}
	if IsMounted(path) {
		return fmt.Errorf("%s is mounted by itself: mount its directory, since the log and the locks lie beside it", path)
	}
	return nil
}
