package files

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// TestWhole: a file has its name once it is whole, nobody else may read it, and it takes
// no other's place.
func TestWhole(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	named := func() []string {
		t.Helper()
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, e := range entries {
			names = append(names, e.Name())
		}
		return names
	}
	begin := func() *Whole {
		t.Helper()
		w, err := CreateWhole(path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.WriteString("text"); err != nil {
			t.Fatal(err)
		}
		return w
	}
	if err := begin().Abandon(); err != nil || len(named()) != 0 {
		t.Errorf("given up: %v, left %q", err, named())
	}
	w, late := begin(), begin()
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("before it is whole: %v", err)
	}
	if err := w.Finish(); err != nil {
		t.Fatal(err)
	}
	if err := late.Finish(); !errors.Is(err, fs.ErrExist) || len(named()) != 1 {
		t.Errorf("over another's: %v, left %q", err, named())
	}
	if _, err := CreateWhole(path); !errors.Is(err, fs.ErrExist) || len(named()) != 1 {
		t.Errorf("one that is there already: %v, left %q", err, named())
	}
	text, err := os.ReadFile(path)
	if err != nil || string(text) != "text" {
		t.Errorf("%q, %v", text, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm()&0o077 != 0 && os.PathSeparator == '/' {
		t.Errorf("others may read it: %v, %v", info.Mode(), err)
	}
	if err := os.Symlink("nowhere", filepath.Join(dir, "link")); err == nil {
		if _, err := CreateWhole(filepath.Join(dir, "link")); !errors.Is(err, fs.ErrExist) {
			t.Errorf("a link to nothing: %v", err)
		}
	}
}
