package pawl_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/badgerkv"
	"github.com/pawlkv/pawl/kv/sqlitekv"
)

// isWitness tells the engines' witness files from their others.
func isWitness(name string) bool { return strings.HasSuffix(name, ".witness") }

// witnessIn returns the witness file in a directory.
func witnessIn(t *testing.T, dir string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, "*.witness"))
	if err != nil || len(found) != 1 {
		t.Fatalf("witnesses in %s: %q, %v; want one", dir, found, err)
	}
	return found[0]
}

// opener opens the store of an engine in a directory.
type opener func(dir string) (kv.Store, error)

// eachEngine runs a test with each engine that keeps its store in files.
func eachEngine(t *testing.T, test func(t *testing.T, open opener)) {
	if badgerRuns {
		t.Run("badger", func(t *testing.T) { test(t, openBadger) })
	}
	t.Run("sqlite", func(t *testing.T) { test(t, openSQLite) })
}

// badgerRuns is false where int has 32 bits, which Badger cannot bear
// (badgerkv.Err32Bit). Tests that want one engine with files take SQLite there.
const badgerRuns = strconv.IntSize > 32

func openBadger(dir string) (kv.Store, error) { return badgerkv.Open(dir) }

func openSQLite(dir string) (kv.Store, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	return sqlitekv.Open(filepath.Join(dir, "store.db"), sqlitekv.WithLostTail())
}

// inDirectory opens the store in a directory, calls f with alice's device there,
// and closes it.
func (open opener) inDirectory(t *testing.T, dir string, f func(alice *device), opts ...pawl.Option) {
	t.Helper()
	engine, err := open(dir)
	if err != nil {
		t.Fatal(err)
	}
	s := openStore(t, engine, append([]pawl.Option{testKey}, opts...)...)
	alice := &device{t: t, ctx: t.Context(), kv: engine, store: s, clock: &clock{at: time.Now()}}
	if alice.Machine, err = s.OpenOrCreate(t.Context(), "@alice:example.org", "DEVICE"); err != nil {
		t.Fatal(err)
	}
	if alice.id, err = alice.Machine.Identity(t.Context()); err != nil {
		t.Fatal(err)
	}
	f(alice)
	alice.intact()
	if err := engine.Close(); err != nil {
		t.Fatal(err)
	}
}

// past is a device with a backup of its directory, and what it did since.
type past struct {
	t           *testing.T
	open        opener
	dir, backup string
	bob         *device
	out         *released
}

func newPast(t *testing.T, open opener) *past {
	p := &past{t: t, open: open, dir: filepath.Join(t.TempDir(), "store"), bob: newDevice(t, newMemory(), "@bob:example.org"), out: newReleased()}
	p.backup = p.dir + ".backup"
	open.inDirectory(t, p.dir, func(alice *device) {
		alice.meet(p.bob)
		alice.say(p.out, p.bob)
	})
	copyDir(t, p.backup, p.dir)
	open.inDirectory(t, p.dir, func(alice *device) {
		alice.needsNoRecovery()
		alice.say(p.out, p.bob)
		_, keys, _ := alice.upload(2)
		p.out.upload(keys)
	})
	return p
}

// refused opens a directory, where alice must be refused, and recovers her.
func (p *past) refused(dir string, cause account.Cause) {
	p.t.Helper()
	p.open.inDirectory(p.t, dir, func(alice *device) {
		alice.refusesToSend(p.bob, cause)
		alice.receive(p.bob, p.bob.send(alice, "are you there"))
	})
	p.open.inDirectory(p.t, dir, func(alice *device) {
		alice.refusesToSend(p.bob, cause)
		alice.recover()
		alice.say(p.out, p.bob, pawl.WithOneTimeKey(p.bob.oneTimeKey()))
		_, keys, _ := alice.upload(2)
		p.out.upload(keys)
	})
	p.goesOn(dir)
	if len(p.out.reused) > 0 {
		p.t.Errorf("reused %q", p.out.reused)
	}
}

// goesOn opens a directory, where nothing is wrong.
func (p *past) goesOn(dir string) {
	p.t.Helper()
	p.open.inDirectory(p.t, dir, func(alice *device) {
		alice.needsNoRecovery()
		alice.say(p.out, p.bob)
	})
}

func TestCopiedDirectory(t *testing.T) { eachEngine(t, testCopiedDirectory) }

func testCopiedDirectory(t *testing.T, open opener) {
	p := newPast(t, open)
	copied := p.dir + ".copy"
	copyDir(t, copied, p.dir)
	p.refused(copied, account.Copied)
	p.goesOn(p.dir)
	p.refused(p.backup, account.Copied)
	p.goesOn(p.dir)
}

func TestRestoredDirectory(t *testing.T) { eachEngine(t, testRestoredDirectory) }

func testRestoredDirectory(t *testing.T, open opener) {
	p := newPast(t, open)
	if err := os.RemoveAll(p.dir); err != nil {
		t.Fatal(err)
	}
	copyDir(t, p.dir, p.backup)
	p.refused(p.dir, account.Copied)
}

func TestRestoredInPlace(t *testing.T) { eachEngine(t, testRestoredInPlace) }

func testRestoredInPlace(t *testing.T, open opener) {
	p := newPast(t, open)
	p.putBack(func(string) bool { return true })
	p.refused(p.dir, account.Copied)
}

// The engine's files are as they were before, and the witness is not.
func TestLostTail(t *testing.T) { eachEngine(t, testLostTail) }

func testLostTail(t *testing.T, open opener) {
	p := newPast(t, open)
	p.putBack(func(name string) bool { return !isWitness(name) })
	p.refused(p.dir, account.Behind)
}

func TestLostWitness(t *testing.T) { eachEngine(t, testLostWitness) }

func testLostWitness(t *testing.T, open opener) {
	p := newPast(t, open)
	if err := os.Remove(witnessIn(t, p.dir)); err != nil {
		t.Fatal(err)
	}
	p.refused(p.dir, account.Unwitnessed)
}

// Another mount point, other rights and times: it is still the same store.
func TestMovedDirectoryIsNoCopy(t *testing.T) { eachEngine(t, testMovedDirectoryIsNoCopy) }

func testMovedDirectoryIsNoCopy(t *testing.T, open opener) {
	p := newPast(t, open)
	moved := filepath.Join(t.TempDir(), "moved")
	if err := os.Rename(p.dir, moved); err != nil {
		t.Fatal(err)
	}
	p.goesOn(moved)
	file := witnessIn(t, moved)
	if err := os.Chmod(file, 0o640); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(file, time.Time{}, time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	p.goesOn(moved)
}

// putBack makes the directory's files what they are in the backup, in place.
func (p *past) putBack(which func(name string) bool) {
	p.t.Helper()
	entries, err := os.ReadDir(p.dir)
	if err != nil {
		p.t.Fatal(err)
	}
	for _, e := range entries {
		path := filepath.Join(p.dir, e.Name())
		if _, err := os.Stat(filepath.Join(p.backup, e.Name())); err != nil && which(e.Name()) {
			if err := os.RemoveAll(path); err != nil {
				p.t.Fatal(err)
			}
		}
	}
	each(p.t, p.backup, func(name string, content []byte) {
		if which(name) {
			write(p.t, filepath.Join(p.dir, name), content)
		}
	})
}

func copyDir(t *testing.T, to, from string) {
	t.Helper()
	if err := os.Mkdir(to, 0o700); err != nil {
		t.Fatal(err)
	}
	each(t, from, func(name string, content []byte) { write(t, filepath.Join(to, name), content) })
}

// each calls f with the regular files of a directory.
func each(t *testing.T, dir string, f func(name string, content []byte)) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		content, err := os.ReadFile(path)
		if err == nil {
			f(name, content)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}
