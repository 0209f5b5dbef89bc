package sqlitekv

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/pawlkv/pawl/kv"
)

// TestCutDatabase: wherever the database file ends too early, what is missing is
// damage, also within the last page, and also while there is a log.
func TestCutDatabase(t *testing.T) {
	for name, closed := range map[string]bool{"closed": true, "killed": false} {
		d := makeDamaged(t, closed)
		size := len(d.files[""])
		for cut := size - 1; cut > size-3*pageSize; cut -= pageSize / 8 {
			path := d.place(t, "", func(b []byte) []byte { return b[:cut] })
			if !d.check(t, path, name+" store") && closed {
				t.Errorf("%s: cut at %d of %d, and nobody has noticed", name, cut, size)
			}
		}
	}
}

// TestNamesOfFiles: a name that means something in an address is a name.
func TestNamesOfFiles(t *testing.T) {
	for _, name := range []string{"a?b=c.db", "50%25.db", "a b#c.db", "ä&vfs=none.db"} {
		path := filepath.Join(t.TempDir(), name)
		mustPut(t, openStore(t, path), "k", "v")
		if _, err := os.Stat(path + logSuffix); err != nil {
			t.Errorf("%s: its log is elsewhere: %v", name, err)
		}
		if _, err := Open(filepath.Join(path, "none")); !errors.Is(err, kv.ErrUnusable) {
			t.Errorf("a file for a directory: %v, want %v", err, kv.ErrUnusable)
		}
	}
}
