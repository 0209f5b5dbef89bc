package port

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestSealingIsMade: the vectors are what libsodium and hashlib compute, byte for byte.
// "make vectors" installs these, and writes the files; with PAWL_PYTHON=1 they must be
// there.
func TestSealingIsMade(t *testing.T) {
	top, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	python := filepath.Join(top, "build/port/bin/python")
	if _, err := os.Stat(filepath.Join(top, "build/port/installed")); err != nil {
		if os.Getenv("PAWL_PYTHON") != "" {
			t.Fatal("make build/port/installed has not been run: ", err)
		}
		t.Skip("without PyNaCl the vectors are not made again: make build/port/installed")
	}
	if out, err := exec.CommandContext(t.Context(), python, filepath.Join(top, "vectors/sealing.py"), "--check").CombinedOutput(); err != nil {
		t.Errorf("vectors/sealing.py --check: %v\n%s", err, out)
	}
}
