package witness

import (
	"os"
	"testing"
)

// TestHostFileStays: the next opening writes on in the file that there is, and one of a
// store on this machine in a new one. A copy, and another store's, are replaced all the same.
func TestHostFileStays(t *testing.T) {
	for name, c := range map[string]struct {
		open  func(string) *File
		stays bool
	}{"of a host": {NewHostFile, true}, "of a store": {NewFile, !renewable}} {
		t.Run(name, func(t *testing.T) {
			path := inTemp(t)
			open := func() *File {
				f := c.open(path)
				t.Cleanup(func() { f.Close() })
				return f
			}
			save(t, open(), at(5))
			before := lookedAt(t, path)
			save(t, open(), at(7))
			if stays := os.SameFile(before, lookedAt(t, path)); stays != c.stays {
				t.Errorf("the file stays at the next opening: %v, want %v", stays, c.stays)
			}
			save(t, open(), at(6))
			loads(t, path, at(7), nil)

			copied := inTemp(t)
			overwrite(t, copied, read(t, path))
			path = copied
			loads(t, path, at(7), ErrCopied)
			save(t, open(), at(8))
			loads(t, path, at(8), nil)

			save(t, open(), Mark{storeA, 2, 3})
			loads(t, path, Mark{storeA, 2, 3}, nil)
		})
	}
}

func lookedAt(t *testing.T, path string) os.FileInfo {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info
}
