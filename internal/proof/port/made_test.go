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
	if out, err := exec.CommandContext(t.Context(), python(t), root+"/vectors/sealing.py", "--check").CombinedOutput(); err != nil {
		t.Errorf("vectors/sealing.py --check: %v\n%s", err, out)
	}
}

// python is the one that has what requirements.txt lists. Without it the test is
// skipped, unless it must be there.
func python(t *testing.T) string {
	t.Helper()
	top, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(top, "build/port/installed")); err != nil {
		if os.Getenv("PAWL_PYTHON") != "" {
			t.Fatal("make build/port/installed has not been run: ", err)
		}
		t.Skip("without PyNaCl in Python nothing is compared with it: make build/port/installed")
	}
	return filepath.Join(top, "build/port/bin/python")
}
