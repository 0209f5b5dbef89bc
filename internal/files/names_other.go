//go:build !unix && !windows

package files

import "io/fs"

// Names returns how many names (hard links) a file has, as far as the system
// tells.
func Names(string, fs.FileInfo) uint64 { return 1 }
