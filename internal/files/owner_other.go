//go:build !unix

package files

// Another does not know here.
func Another(string, string) (uid int, another bool) { return 0, false }
