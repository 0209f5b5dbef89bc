package sqlitekv

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/ncruces/go-sqlite3"

	"github.com/pawlkv/pawl/internal/proof/effort"
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
	if err := errors.Join(db.Exec(`PRAGMA user_version = 2`), db.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path); !errors.Is(err, ErrNewer) {
		t.Errorf("format 2: %v, want %v", err, ErrNewer)
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
	if !errors.Is(err, kv.ErrUnavailable) || !errors.Is(err, fs.ErrNotExist) {
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
	if _, err := putOne(s, "k", "w", true); !errors.Is(err, kv.ErrUnavailable) {
		t.Errorf("a commit after the file was moved: %v, want %v", err, kv.ErrUnavailable)
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
	if _, err := Open(broken); !errors.Is(err, kv.ErrUnavailable) {
		t.Errorf("a link that leads nowhere: %v, want %v", err, kv.ErrUnavailable)
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
		if _, err := Open(name); !errors.Is(err, kv.ErrUnavailable) || !strings.Contains(err.Error(), "2 names") {
			t.Errorf("%s: %v, want %v", name, err, kv.ErrUnavailable)
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

// TestSnapshotLife: a view that was open too long is gone, and the log can begin
// anew.
func TestSnapshotLife(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	s := openStore(t, path, WithSnapshotLife(time.Millisecond))
	mustPut(t, s, "k", "v")
	snap := s.Snapshot()
	defer snap.Close()
	for err := error(nil); !errors.Is(err, kv.ErrConflict); _, err = snap.Get(t.Context(), "k") {
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := s.committer.conn.checkpoint(true); err != nil {
		t.Errorf("the log cannot begin anew: %v", err)
	}
	snap.Close()
	if _, err := snap.Get(t.Context(), "k"); !errors.Is(err, kv.ErrClosed) {
		t.Errorf("a view that is gone and closed: %v, want %v", err, kv.ErrClosed)
	}
}

// TestYield: after Yield nothing is open, views are gone, and everything goes on.
func TestYield(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	s := openStore(t, path)
	mustPut(t, s, "k", "v")
	snap := s.Snapshot()
	defer snap.Close()
	if _, err := snap.Get(t.Context(), "k"); err != nil {
		t.Fatal(err)
	}
	if err := s.Yield(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path + indexSuffix); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("SQLite has not closed its files: %v", err)
	}
	if _, err := snap.Get(t.Context(), "k"); !errors.Is(err, kv.ErrConflict) {
		t.Errorf("a view from before: %v, want %v", err, kv.ErrConflict)
	}
	if got := string(getOne(t, s, "k").Value); got != "v" {
		t.Errorf("reads %q", got)
	}
	mustPut(t, s, "k", "w")
	s.Close()
	if err := s.Yield(t.Context()); !errors.Is(err, kv.ErrClosed) {
		t.Errorf("yield after close: %v, want %v", err, kv.ErrClosed)
	}
}

// TestFull: a commit for which there is no room is refused, and then the store
// takes what there is room for.
func TestFull(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	s := openStore(t, path, func(s *settings) { s.maxPages = 40 })
	first := mustPut(t, s, "k", "v")
	if _, err := putOne(s, "large", strings.Repeat("x", 1<<20), true); !errors.Is(err, kv.ErrDiskFull) || errors.Is(err, kv.ErrUnknown) {
		t.Errorf("a commit without room: %v, want %v", err, kv.ErrDiskFull)
	}
	if e := getOne(t, s, "large"); e.Exists() {
		t.Errorf("a refused commit is there at version %d", e.Version)
	}
	if next := mustPut(t, s, "k", "w"); next != first+1 {
		t.Errorf("the next commit has version %d, want %d", next, first+1)
	}
}

// damaged is a small store whose files can be damaged: one that was closed, and
// one whose processes were killed.
type damaged struct {
	files map[string][]byte // by suffix
	want  map[string]kv.Entry
}

func makeDamaged(t *testing.T, closed bool) damaged {
	t.Helper()
	path := filepath.Join(t.TempDir(), "store.db")
	s := openStore(t, path)
	d := damaged{files: make(map[string][]byte), want: make(map[string]kv.Entry)}
	for i := range 60 {
		key := "k/" + string(rune('a'+i%30))
		value := strings.Repeat(key, 1+20*i)
		version := mustPut(t, s, key, value)
		d.want[key] = kv.Entry{Key: key, Value: []byte(value), Version: version}
	}
	if closed {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for _, suffix := range []string{"", logSuffix, gateSuffix} {
		data, err := os.ReadFile(path + suffix)
		if err == nil && len(data) > 0 {
			d.files[suffix] = data
		}
	}
	return d
}

// place writes the files down, changed by damage, and returns the path.
func (d *damaged) place(t *testing.T, suffix string, damage func([]byte) []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "store.db")
	for s, data := range d.files {
		if s == suffix {
			data = damage(bytes.Clone(data))
		}
		if err := os.WriteFile(path+s, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

// check reads everything and reports whether damage was found. An answer that is
// neither an error nor what was committed fails the test.
func (d *damaged) check(t *testing.T, path, what string) (found bool) {
	t.Helper()
	isClear := func(err error) bool {
		return errors.Is(err, kv.ErrCorrupt) || errors.Is(err, ErrForeign) || errors.Is(err, ErrNewer)
	}
	s, err := Open(path)
	if err != nil {
		if !isClear(err) {
			t.Errorf("%s: open: %v", what, err)
		}
		return true
	}
	defer s.Close()
	snap := s.Snapshot()
	defer snap.Close()
	for key, want := range d.want {
		got, err := snap.Get(context.Background(), key)
		switch {
		case err != nil && !isClear(err):
			t.Errorf("%s: get: %v", what, err)
		case err != nil:
			found = true
		case got[0].Version != want.Version || !bytes.Equal(got[0].Value, want.Value):
			t.Fatalf("%s: key %s reads as %d bytes at version %d, want %d at %d", what, key, len(got[0].Value), got[0].Version, len(want.Value), want.Version)
		}
	}
	return found
}

// flips is how many bytes of each file are damaged, one at a time.
func flips() int { return effort.Of(60, 10) }

// TestDamage: of any damaged byte, or cut, of a store the result is what was
// committed or a clear error; never an older version, never absence.
func TestDamage(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for name, closed := range map[string]bool{"closed": true, "killed": false} {
		d := makeDamaged(t, closed)
		for suffix, data := range d.files {
			found := 0
			for i := range flips() {
				at := rng.IntN(len(data))
				if i < flips()/2 { // headers, where it matters most
					at = rng.IntN(min(len(data), headerSize))
				}
				bit := byte(1) << rng.IntN(8)
				path := d.place(t, suffix, func(b []byte) []byte { b[at] ^= bit; return b })
				what := name + " store" + suffix
				if d.check(t, path, what) {
					found++
				}
			}
			t.Logf("%s%s: %d of %d flips were found, the others do no harm", name, suffix, found, flips())
			if suffix == logSuffix {
				d.checkCuts(t, rng, data)
			}
		}
	}
}

// checkCuts cuts the log of a store: what it held was acknowledged.
func (d *damaged) checkCuts(t *testing.T, rng *rand.Rand, data []byte) {
	t.Helper()
	const frame = 24 + pageSize
	for range 10 {
		cut := rng.IntN(len(data) - frame)
		path := d.place(t, logSuffix, func(b []byte) []byte { return b[:cut] })
		if _, err := Open(path); !errors.Is(err, kv.ErrCorrupt) {
			t.Errorf("a log cut at %d of %d: %v, want %v", cut, len(data), err, kv.ErrCorrupt)
		}
	}
}

// TestDamagedReservedBytes: the header cannot switch the checksums off.
func TestDamagedReservedBytes(t *testing.T) {
	d := makeDamaged(t, true)
	path := d.place(t, "", func(b []byte) []byte { b[atReserved] = 0; return b })
	if _, err := Open(path); !errors.Is(err, kv.ErrCorrupt) {
		t.Errorf("no reserved bytes: %v, want %v", err, kv.ErrCorrupt)
	}
	path = d.place(t, "", func(b []byte) []byte {
		binary.BigEndian.PutUint32(b[atUserVersion:], 1<<20)
		return b
	})
	if _, err := Open(path); !errors.Is(err, kv.ErrCorrupt) {
		t.Errorf("format 2^20: %v, want %v", err, kv.ErrCorrupt)
	}
}

// TestLostTail: a store without its newest commits opens when it is told to, and
// from the first commit on as it is.
func TestLostTail(t *testing.T) {
	d := makeDamaged(t, false)
	path := d.place(t, logSuffix, func(b []byte) []byte { return b[:len(b)/2] })
	told := func() *Store { return openStore(t, path, WithLostTail()) }
	for range 2 { // whoever only looks takes nothing away from the next one
		if _, err := Open(path); !errors.Is(err, kv.ErrCorrupt) {
			t.Fatalf("half a log: %v, want %v", err, kv.ErrCorrupt)
		}
		s := told()
		if kept, committed := s.LostTail(); kept == 0 || kept >= 60 || committed != 60 {
			t.Errorf("%d of %d commits were kept, want some of 60", kept, committed)
		}
		s.Close()
	}
	s := told()
	kept, _ := s.LostTail()
	if version := mustPut(t, s, "k", "v"); version != kept+1 {
		t.Errorf("the next commit has version %d, want %d", version, kept+1)
	}
	s.Close()
	s = openStore(t, path)
	if kept, committed := s.LostTail(); kept != 0 || committed != 0 {
		t.Errorf("%d of %d commits were kept, and none is missing now", kept, committed)
	}
	mustPut(t, s, "k", "w")
}
