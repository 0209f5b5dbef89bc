package badgerkv_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/pawlkv/pawl/kv/badgerkv"
)

// TestForeign refuses other people's directories and leaves them alone.
func TestForeign(t *testing.T) {
	for _, files := range [][]string{{"letter.txt"}, {"MANIFEST", "000001.sst", "KEYREGISTRY"}, {"pawl.lock", "letter.txt"}} {
		dir := t.TempDir()
		for _, name := range files {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(name), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if _, err := badgerkv.Open(dir); !errors.Is(err, badgerkv.ErrForeign) {
			t.Errorf("%v: %v, want ErrForeign", files, err)
		}
		got := imageOf(t, dir)
		for _, name := range files {
			if string(got[name].Data) != name {
				t.Errorf("%v: %s was changed", files, name)
			}
		}
		if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o755 || len(got) != len(files) {
			t.Errorf("%v: the directory was touched: %v, %v", files, got.Names(), err)
		}
	}
}

func TestMissingParent(t *testing.T) {
	if _, err := badgerkv.Open(filepath.Join(t.TempDir(), "no", "store")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v, want os.ErrNotExist", err)
	}
}

func TestFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := badgerkv.Open(path); err == nil {
		t.Error("a file was opened as a directory")
	}
}

func TestNewerFormat(t *testing.T) {
	dir := newDir(t)
	mustClose(t, open(t, dir))
	if err := os.WriteFile(filepath.Join(dir, badgerkv.FormatName), []byte("pawl store on badger, format 3\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := badgerkv.Open(dir); !errors.Is(err, badgerkv.ErrNewer) {
		t.Errorf("%v, want ErrNewer", err)
	}
}

// TestUnfinished begins a store again that was not finished: what Badger had
// made of it is worth nothing.
func TestUnfinished(t *testing.T) {
	dir := newDir(t)
	mustClose(t, open(t, dir))
	if err := os.Rename(filepath.Join(dir, badgerkv.FormatName), filepath.Join(dir, badgerkv.Creating)); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "MANIFEST"), []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	store := open(t, dir)
	put(t, store, "a", "1")
	mustClose(t, store)
	if e := get(t, open(t, dir), "a"); !e.Exists() {
		t.Error("the entry is gone")
	}
}

// TestModes looks at the files while the store is open, after memtables were
// written to tables and tables were merged, and when it is closed.
func TestModes(t *testing.T) {
	if runtime.GOOS == "windows" {
		return // modes mean nothing there
	}
	dir := newDir(t)
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	store := open(t, dir)
	value := strings.Repeat("x", 200_000)
	for i := range 400 {
		b := batch(fmt.Sprint(i), value)
		b.Sync = false
		commit(t, store, b)
		if i == 0 || i == 399 {
			checkModes(t, dir, ".mem", "MANIFEST", ".lock", ".format")
		}
	}
	if err := store.Flatten(t.Context()); err != nil {
		t.Fatal(err)
	}
	put(t, store, "more", "1")
	mustClose(t, store)
	checkModes(t, dir, "MANIFEST", ".sst", ".lock", ".format")
}

// checkModes checks that nobody else may use the directory, and the files of
// some kinds, of which there must be one.
func checkModes(t *testing.T, dir string, kinds ...string) {
	t.Helper()
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the directory has mode %v, want 0700 (%v)", info.Mode().Perm(), err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range kinds {
		found := 0
		for _, e := range entries {
			if !strings.HasSuffix(e.Name(), kind) {
				continue
			}
			found++
			if info, err := e.Info(); err == nil && info.Mode().Perm() != 0o600 {
				t.Errorf("%s has mode %v, want 0600", e.Name(), info.Mode().Perm())
			}
		}
		if found == 0 {
			t.Errorf("there is no %s", kind)
		}
	}
}

// TestManyShortRuns opens and closes a store many times: level 0 must not
// fill with tables that nobody has time to merge.
func TestManyShortRuns(t *testing.T) {
	dir := newDir(t)
	for i := range 25 {
		store := open(t, dir)
		put(t, store, fmt.Sprint(i), "value")
		mustClose(t, store)
	}
	tables, err := filepath.Glob(filepath.Join(dir, "*.sst"))
	if err != nil || len(tables) > 8 {
		t.Errorf("%d tables (%v)", len(tables), err)
	}
	if got := len(content(t, open(t, dir))); got != 25 {
		t.Errorf("%d entries, want 25", got)
	}
}
