//go:build unix

package badgerkv_test

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/badgerkv"
)

// TestSalvageWaitsForNoPipe: a pipe that lies where a file of a store was has nobody
// at its other end. It is damage, or what another file is made for.
func TestSalvageWaitsForNoPipe(t *testing.T) {
	for name, faulty := range map[string]bool{"MANIFEST": true, "000001.sst": true, "00009.mem": true, "pawl.format": true, "pawl.lock": false, "KEYREGISTRY": false} {
		dir := newDir(t)
		store := open(t, dir)
		put(t, store, "k", "v")
		mustClose(t, store)
		path := filepath.Join(dir, name)
		if err := errors.Join(os.RemoveAll(path), syscall.Mkfifo(path, 0o600)); err != nil {
			t.Fatal(err)
		}
		found, err := badgerkv.Salvage(dir)
		if err != nil || faulty != (len(found.Faults) > 0) {
			t.Errorf("%s: %v, %v", name, found.Faults, err)
		}
		for _, fault := range found.Faults {
			if !errors.Is(fault, kv.ErrCorrupt) {
				t.Errorf("%s: %v, want %v", name, fault, kv.ErrCorrupt)
			}
		}
		if again, err := badgerkv.Open(dir); err == nil && faulty || err != nil && (!faulty || !errors.Is(err, kv.ErrCorrupt)) {
			t.Errorf("open with a pipe at %s: %v", name, err)
		} else if err == nil {
			mustClose(t, again)
		}
	}
}
