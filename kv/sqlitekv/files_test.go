package sqlitekv

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/ncruces/go-sqlite3"

	"github.com/pawlkv/pawl/kv"
)

// TestForeignFiles: what is not a store is refused and left alone.
func TestForeignFiles(t *testing.T) {
	other := filepath.Join(t.TempDir(), "other.db")
	db, err := sqlite3.Open(other)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(db.Exec(`CREATE TABLE t(x); INSERT INTO t VALUES (1)`), db.Close()); err != nil {
		t.Fatal(err)
	}
	text := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(text, []byte(strings.Repeat("not a database\n", 500)), 0o644); err != nil {
		t.Fatal(err)
	}
	short := filepath.Join(t.TempDir(), "short")
	if err := os.WriteFile(short, []byte(magic), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{other, text, short, t.TempDir()} {
		before, _ := os.ReadFile(path)
		if _, err := Open(path); !errors.Is(err, ErrForeign) {
			t.Errorf("%s: %v, want %v", filepath.Base(path), err, ErrForeign)
		}
		after, _ := os.ReadFile(path)
		if !bytes.Equal(before, after) {
			t.Errorf("%s was changed", filepath.Base(path))
		}
		if beside, _ := filepath.Glob(path + "-*"); len(beside) > 0 {
			t.Errorf("beside %s there is %q", filepath.Base(path), beside)
		}
	}
}

// TestNewerFormat: a store of a later version is refused and left alone.
func TestNewerFormat(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	openStore(t, path).Close()
	db, err := sqlite3.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(db.Exec(`PRAGMA user_version = 3`), db.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path); !errors.Is(err, ErrNewer) {
		t.Errorf("format 3: %v, want %v", err, ErrNewer)
	}
}

// TestFileModes: nobody else may read any of the files.
func TestFileModes(t *testing.T) {
	if runtime.GOOS == "windows" {
		return // has no modes
	}
	path := filepath.Join(t.TempDir(), "store.db")
	if err := os.WriteFile(path, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	s := openStore(t, path)
	mustPut(t, s, "k", "v")
	files, _ := filepath.Glob(path + "*")
	if len(files) != 5 {
		t.Errorf("the files are %q, want 5", files)
	}
	for _, file := range files {
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != fileMode {
			t.Errorf("%s has mode %v, %v", filepath.Base(file), info.Mode(), err)
		}
	}
}

// TestMissingDirectory: the directory is not made.
func TestMissingDirectory(t *testing.T) {
	path := filepath.Join(t.TempDir(), "none", "store.db")
	_, err := Open(path)
	if !errors.Is(err, kv.ErrUnusable) || errors.Is(err, kv.ErrUnavailable) || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("open without a directory: %v", err)
	}
}

// TestMoved: when its file is no longer where it was, a process commits nothing
// more: others would make a store of their own there.
func TestMoved(t *testing.T) {
	if runtime.GOOS == "windows" {
		return // does not let go of files that are open
	}
	path := filepath.Join(t.TempDir(), "store.db")
	s := openStore(t, path)
	mustPut(t, s, "k", "v")
	if err := os.Rename(path, path+".moved"); err != nil {
		t.Fatal(err)
	}
	if _, err := putOne(s, "k", "w", true); !errors.Is(err, kv.ErrUnusable) || errors.Is(err, kv.ErrUnavailable) {
		t.Errorf("a commit after the file was moved: %v, want %v", err, kv.ErrUnusable)
	}
	if err := os.Rename(path+".moved", path); err != nil {
		t.Fatal(err)
	}
	mustPut(t, s, "k", "w")
}

// TestLinks: all names of a store have the same files beside it, and where a link
// leads nowhere, to a disk that is not there, say, no store is made.
func TestLinks(t *testing.T) {
	dir := t.TempDir()
	path, link, broken := filepath.Join(dir, "store.db"), filepath.Join(dir, "link.db"), filepath.Join(dir, "broken.db")
	if err := os.Symlink("store.db", link); err != nil {
		t.Logf("no links here: %v", err)
		return
	}
	if err := os.Symlink(filepath.Join("gone", "store.db"), broken); err != nil {
		t.Fatal(err)
	}
	for i, name := range []string{path, link, path} {
		mustPut(t, openStore(t, name), "k"+string(rune('0'+i)), "v")
	}
	if _, err := Open(broken); !errors.Is(err, kv.ErrUnusable) {
		t.Errorf("a link that leads nowhere: %v, want %v", err, kv.ErrUnusable)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if name := e.Name(); !strings.HasPrefix(name, "store.db") && name != "link.db" && name != "broken.db" {
			t.Errorf("there is %s", name)
		}
	}
}

// TestHardLinks: a file is a store under one name only, since what belongs to it
// lies beside its name.
func TestHardLinks(t *testing.T) {
	dir := t.TempDir()
	path, other := filepath.Join(dir, "store.db"), filepath.Join(dir, "other.db")
	s := openStore(t, path)
	mustPut(t, s, "k", "v")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(path, other); err != nil || runtime.GOOS == "windows" {
		t.Logf("no links here, or they are not counted: %v", err)
		return
	}
	for _, name := range []string{path, other} {
		if _, err := Open(name); !errors.Is(err, kv.ErrUnusable) || !strings.Contains(err.Error(), "2 names") {
			t.Errorf("%s: %v, want %v", name, err, kv.ErrUnusable)
		}
	}
	if err := os.Remove(other); err != nil {
		t.Fatal(err)
	}
	mustPut(t, openStore(t, path), "k", "w")
}

// TestLogWithoutDatabase: a store's file is gone, and its log was left. No other
// store is made beside that: SQLite would bring into it what the log holds.
func TestLogWithoutDatabase(t *testing.T) {
	for _, left := range []string{"", "an empty file"} {
		dir := t.TempDir()
		path, copied := filepath.Join(dir, "store.db"), filepath.Join(dir, "copied.db")
		s := openStore(t, path)
		mustPut(t, s, "k", "v")
		log, err := os.ReadFile(path + logSuffix)
		if err != nil || len(log) == 0 {
			t.Fatalf("no log: %v", err)
		}
		if err := os.WriteFile(copied+logSuffix, log, fileMode); err != nil {
			t.Fatal(err)
		}
		if left != "" {
			if err := os.WriteFile(copied, nil, fileMode); err != nil {
				t.Fatal(err)
			}
		}
		for _, option := range []Option{WithLostTail(), func(*settings) {}} {
			if s, err := Open(copied, option); !errors.Is(err, kv.ErrCorrupt) {
				t.Errorf("%s: %v, %v; want %v", left, s, err, kv.ErrCorrupt)
			}
		}
		if now, err := os.ReadFile(copied + logSuffix); err != nil || len(now) != len(log) {
			t.Errorf("%s: the log has %d bytes, had %d; %v", left, len(now), len(log), err)
		}
	}
}

// TestUnfinishedStore: what a crash left of making a store is made anew.
func TestUnfinishedStore(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	for _, suffix := range []string{newSuffix, newSuffix + "-journal"} {
		if err := os.WriteFile(path+suffix, []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	mustPut(t, openStore(t, path), "k", "v")
	if _, err := os.Stat(path + newSuffix); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the unfinished store is still there: %v", err)
	}
}
