//go:build unix

package files

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestMakerLeavesNoTrace: a directory is as it was after it was found out whose files
// are that are made in it.
func TestMakerLeavesNoTrace(t *testing.T) {
	dir := t.TempDir()
	old := time.Now().Add(-time.Hour).Truncate(time.Second)
	if err := os.Chtimes(dir, old, old); err != nil {
		t.Fatal(err)
	}
	if uid, err := makerIn(dir); err != nil || uid != os.Geteuid() {
		t.Errorf("files that are made are of %d, %v, want %d", uid, err, os.Geteuid())
	}
	info, err := os.Stat(dir)
	if err != nil || !info.ModTime().Equal(old) {
		t.Errorf("the directory was changed at %v, %v, want %v", info.ModTime(), err, old)
	}
	if left, err := filepath.Glob(filepath.Join(dir, "*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %q, %v", left, err)
	}
	if _, err := makerIn(filepath.Join(dir, "none")); err == nil {
		t.Error("a directory that does not exist has an owner")
	}
}
