//go:build unix

package sqlitekv

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/pawlkv/pawl/kv"
)

// TestSalvageWaitsForNoPipe: a pipe that lies where a file of a store was has nobody
// at its other end.
func TestSalvageWaitsForNoPipe(t *testing.T) {
	for _, suffix := range []string{"", logSuffix, gateSuffix} {
		path := filepath.Join(t.TempDir(), "store.db")
		s := openStore(t, path)
		mustPut(t, s, "k", "v")
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(os.RemoveAll(path+suffix), syscall.Mkfifo(path+suffix, fileMode)); err != nil {
			t.Fatal(err)
		}
		found, err := Salvage(path)
		if suffix == gateSuffix {
			if err != nil || len(found.Entries) != 1 || len(found.Faults) > 0 {
				t.Errorf("%s: %v, %v, want what is in the file", suffix, found, err)
			}
			continue
		}
		if !errors.Is(err, ErrForeign) && !errors.Is(err, kv.ErrUnusable) {
			t.Errorf("%q: %v, %v, want %v or %v", suffix, found, err, ErrForeign, kv.ErrUnusable)
		}
	}
}
