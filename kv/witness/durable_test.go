package witness

import (
	"os"
	"path/filepath"
	"testing"
)

// TestPagesAreSyncedBeforeTheyArePlaced: after a power failure there is the old
// file or the new one, and never a new one that is not whole.
func TestPagesAreSyncedBeforeTheyArePlaced(t *testing.T) {
	synced := ""
	syncFile = func(file *os.File) error { synced = file.Name(); return file.Sync() }
	t.Cleanup(func() { syncFile = (*os.File).Sync })
	path := filepath.Join(t.TempDir(), "w")
	p, err := createPage(path, Mark{Head: 1}, func(file, path string) error {
		if file != synced {
			t.Errorf("%s gets its place, and %q was synced", file, synced)
		}
		return asFirst(file, path)
	})
	if err != nil {
		t.Fatal(err)
	}
	p.file.Close()
}
