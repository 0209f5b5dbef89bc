package sqlitekv

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/vfs"

	"github.com/pawlkv/pawl/kv"
)

// unaware is a file system for another program's SQLite, which knows nothing of
// checksums: pages that it writes have none, and it reads what it finds.
type unaware struct{ vfs.VFSFilename }

func (u unaware) OpenFilename(name *vfs.Filename, flags vfs.OpenFlag) (vfs.File, vfs.OpenFlag, error) {
	file, opened, err := u.VFSFilename.OpenFilename(name, flags)
	if err == nil && flags&vfs.OPEN_MAIN_DB != 0 {
		file = unawareFile{wholeFile{file}}
	}
	return file, opened, err
}

type unawareFile struct{ wholeFile }

func (f unawareFile) ReadAt(p []byte, at int64) (int, error) {
	n, err := f.File.ReadAt(p, at)
	if n == pageSize && len(p) == pageSize && p[atReserved] != 0 {
		one, two := pageSums(p)
		binary.LittleEndian.PutUint32(p[pageSize-8:], one)
		binary.LittleEndian.PutUint32(p[pageSize-4:], two)
	}
	return n, err
}

func (f unawareFile) WriteAt(p []byte, at int64) (int, error) {
	if len(p) == pageSize {
		clear(p[pageSize-reserved:])
	}
	return f.File.WriteAt(p, at)
}

// keeping is a file system for another program's SQLite as it is built by default: what
// is reserved at the end of a page, which is nothing to it, stays as it was.
type keeping struct{ vfs.VFSFilename }

func (k keeping) OpenFilename(name *vfs.Filename, flags vfs.OpenFlag) (vfs.File, vfs.OpenFlag, error) {
	file, opened, err := unaware(k).OpenFilename(name, flags)
	if whole, is := file.(unawareFile); is {
		file = keepingFile{whole}
	}
	return file, opened, err
}

type keepingFile struct{ unawareFile }

func (f keepingFile) WriteAt(p []byte, at int64) (int, error) {
	if len(p) == pageSize {
		f.File.ReadAt(p[pageSize-reserved:], at+pageSize-reserved) // none where the page is new
	}
	return f.File.WriteAt(p, at)
}

// otherProgram executes statements as another program does.
func otherProgram(t *testing.T, path, sql string) {
	t.Helper()
	throughFiles(t, unaware{vfs.Find("").(vfs.VFSFilename)}, path, sql)
}

func throughFiles(t *testing.T, system vfs.VFS, path, sql string) {
	t.Helper()
	vfs.Register(t.Name(), system)
	defer vfs.Unregister(t.Name())
	db, err := sqlite3.OpenFlags(uri(path, t.Name()), sqlite3.OPEN_READWRITE|sqlite3.OPEN_CREATE|sqlite3.OPEN_URI)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(db.Exec(sql), db.Close()); err != nil {
		t.Fatal(err)
	}
}

// TestRewritten: whatever another program has done to a store's file, opening it
// says so, and all that there is can be read into a new one.
func TestRewritten(t *testing.T) {
	closed, allClosed := makeSalvaged(t, true)
	restore := schema + `ATTACH '%' AS old; INSERT INTO entries SELECT * FROM old.entries; INSERT INTO commits SELECT * FROM old.commits; INSERT INTO changes SELECT * FROM old.changes; DETACH old;`
	for name, c := range map[string]struct {
		sql      string
		restored bool // into a file that takes the place of the first
	}{
		"vacuum":            {sql: `VACUUM`},
		"journal mode":      {sql: `PRAGMA journal_mode = DELETE`},
		"user version":      {sql: `PRAGMA user_version = 99`},
		"application id":    {sql: `PRAGMA application_id = 7`},
		"a table":           {sql: `CREATE TABLE t (x); INSERT INTO t VALUES (1)`},
		"an index":          {sql: `CREATE INDEX i ON commits (id)`},
		"reindex":           {sql: `CREATE INDEX i ON commits (id); REINDEX; DROP INDEX i`},
		"an update":         {sql: `UPDATE entries SET version = version + 100 WHERE key = x'6b65792f303031'`},
		"a checkpoint":      {sql: `PRAGMA wal_checkpoint(TRUNCATE)`},
		"a dump":            {sql: restore, restored: true},
		"pages of 8192":     {sql: `PRAGMA page_size = 8192; ` + restore, restored: true},
		"a dump, no header": {sql: restore + `PRAGMA application_id = 0; PRAGMA user_version = 0`, restored: true},
	} {
		t.Run(name, func(t *testing.T) {
			d, all := closed, allClosed
			if name == "a checkpoint" {
				d, all = makeSalvaged(t, false)
			}
			path := d.place(t, "", func(b []byte) []byte { return b })
			if c.restored {
				restoreInto(t, path, c.sql)
			} else {
				otherProgram(t, path, c.sql)
			}
			before, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if s, err := Open(path, WithLostTail()); !errors.Is(err, ErrRewritten) || !errors.Is(err, kv.ErrCorrupt) {
				if err == nil { // no page that opening reads
					err = s.Check(t.Context())
					s.Close()
				}
				if !errors.Is(err, ErrRewritten) {
					t.Errorf("%v, want %v", err, ErrRewritten)
				}
			}
			found, got := salvaged(t, path)
			if len(found.Faults) == 0 || !errors.Is(found.Faults[0], ErrRewritten) {
				t.Errorf("faults %v, want %v", found.Faults, ErrRewritten)
			}
			if name == "an update" {
				got["key/001"] = d.want["key/001"]
			}
			if lost := d.compare(t, name, got, all); lost > 0 {
				t.Errorf("%d entries are lost", lost)
			}
			if now, err := os.ReadFile(path); err != nil || string(now) != string(before) {
				t.Errorf("the file was changed: %v", err)
			}
		})
	}
}

// restoreInto puts a database that statements make of the one at a path, which
// they name %, in its place, with nothing beside it.
func restoreInto(t *testing.T, path, sql string) {
	t.Helper()
	made := filepath.Join(t.TempDir(), "made.db")
	db, err := sqlite3.Open(made)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(db.Exec(strings.ReplaceAll(sql, "%", path)), db.Close(), os.Rename(made, path)); err != nil {
		t.Fatal(err)
	}
	for _, suffix := range []string{logSuffix, indexSuffix, gateSuffix} {
		os.Remove(path + suffix)
	}
}

// TestNotRewritten: what the disk has changed is damage, and what was never a
// store is none.
func TestNotRewritten(t *testing.T) {
	d, _ := makeSalvaged(t, true)
	for at := pageSize + 100; at < len(d.files[""]); at += 13 * pageSize {
		path := d.place(t, "", func(b []byte) []byte { b[at] ^= 1; return b })
		found, _ := salvaged(t, path)
		if len(found.Faults) == 0 || errors.Is(found.Faults[0], ErrRewritten) {
			t.Errorf("a bit of page %d: %v", at/pageSize, found.Faults)
		}
	}
	other := filepath.Join(t.TempDir(), "other.db")
	otherProgram(t, other, `CREATE TABLE t (x)`)
	if _, err := Open(other); !errors.Is(err, ErrForeign) {
		t.Errorf("another program's: %v, want %v", err, ErrForeign)
	}
}

// TestOldChecksums: single pages that another program has written have the checksums of
// what was there before. What they hold is not lost, and not said to be checked.
func TestOldChecksums(t *testing.T) {
	for name, sql := range map[string]string{
		"reindex": `REINDEX`,
		"update":  "UPDATE entries SET value = x'41' WHERE key = x'6b65792f303330'", // key/030
	} {
		t.Run(name, func(t *testing.T) {
			d, _ := makeSalvaged(t, true)
			path := d.place(t, "", func(b []byte) []byte { return b })
			throughFiles(t, keeping{vfs.Find("").(vfs.VFSFilename)}, path, sql)
			if name == "update" {
				d.want["key/030"] = kv.Entry{Key: "key/030", Value: []byte("A"), Version: d.want["key/030"].Version}
			}
			found, got := salvaged(t, path)
			if len(found.Faults) == 0 || errors.Is(found.Faults[0], ErrRewritten) || len(got) == len(d.want) {
				t.Errorf("%d of %d entries could be checked, faults %v", len(got), len(d.want), found.Faults)
			}
			for _, e := range found.Unchecked {
				got[e.Key] = e
			}
			for key, want := range d.want {
				if !sameEntry(got[key], want) {
					t.Errorf("%s is %d bytes at version %d, want %d at %d", key, len(got[key].Value), got[key].Version, len(want.Value), want.Version)
				}
			}
			if len(got) != len(d.want) {
				t.Errorf("%d entries, want %d", len(got), len(d.want))
			}
		})
	}
}

// TestRewrittenPageIsMet: where opening does not read the pages that another program
// has written, each call that meets one says so, and does not call it an error of
// the disk.
func TestRewrittenPageIsMet(t *testing.T) {
	d, _ := makeSalvaged(t, true)
	path := d.place(t, "", func(b []byte) []byte { return b })
	otherProgram(t, path, `UPDATE entries SET version = version + 100 WHERE key = x'6b65792f303031'`)
	for name, call := range map[string]func(*Store) error{
		"get":    func(s *Store) error { return get("key/001")(s.Snapshot()) },
		"scan":   func(s *Store) error { return scanSome("", 1000)(s.Snapshot()) },
		"commit": func(s *Store) error { _, err := putOne(s, "key/001", "v", true); return err },
		"check":  func(s *Store) error { return s.Check(t.Context()) },
	} {
		s, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := call(s); !errors.Is(err, ErrRewritten) || !errors.Is(err, kv.ErrCorrupt) || strings.Contains(err.Error(), "disk I/O") {
				t.Errorf("%s: %v, want %v", name, err, ErrRewritten)
			}
		}
		if err := s.Close(); err != nil {
			t.Errorf("close after %s: %v", name, err)
		}
	}
}
