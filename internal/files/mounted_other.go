//go:build !linux

package files

// IsMounted reports whether a file is mounted by itself, as far as the system
// tells.
func IsMounted(string) bool { return false }
