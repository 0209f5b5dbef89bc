//go:build linux || darwin

package sqlitekv

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ncruces/go-sqlite3/vfs"

	"github.com/pawlkv/pawl/kv"
)

// stopping is a file system for SQLite that stops the process at one of the steps
// of what it does, until its standard input says to go on.
type stopping struct {
	vfs.VFSFilename
	at    string // "write", "sync" or "read", and of which file: "write-wal"
	armed bool
	once  sync.Once
}

const stoppingName = "stopping"

func (s *stopping) OpenFilename(name *vfs.Filename, flags vfs.OpenFlag) (vfs.File, vfs.OpenFlag, error) {
	file, opened, err := s.VFSFilename.OpenFilename(name, flags)
	if err != nil {
		return nil, opened, err
	}
	kind := "-db"
	if strings.HasSuffix(name.String(), logSuffix) {
		kind = logSuffix
	}
	return &stoppingFile{file, s, kind}, opened, nil
}

func (s *stopping) step(what string) {
	if s.armed && what == s.at {
		s.once.Do(pause)
	}
}

// pause says that the process is there, and waits.
func pause() {
	fmt.Println("there")
	_, _ = bufio.NewReader(os.Stdin).ReadString('\n')
}

type stoppingFile struct {
	vfs.File
	of   *stopping
	kind string
}

func (f *stoppingFile) Unwrap() vfs.File { return f.File }

func (f *stoppingFile) SharedMemory() vfs.SharedMemory {
	return f.File.(vfs.FileSharedMemory).SharedMemory()
}

func (f *stoppingFile) ReadAt(p []byte, at int64) (int, error) {
	f.of.step("read" + f.kind)
	return f.File.ReadAt(p, at)
}

func (f *stoppingFile) WriteAt(p []byte, at int64) (int, error) {
	f.of.step("write" + f.kind)
	return f.File.WriteAt(p, at)
}

func (f *stoppingFile) Sync(flags vfs.SyncFlag) error {
	f.of.step("sync" + f.kind)
	return f.File.Sync(flags)
}

// stopAt opens the store, does something with it, and stops on the way: its
// arguments are what, and the step.
func stopAt(path string, args []string) error {
	disk := &stopping{VFSFilename: vfs.Find(wholePages).(vfs.VFSFilename), at: args[1], armed: args[0] == "open"}
	vfs.Register(stoppingName, disk)
	s, err := Open(path, WithVFS(stoppingName))
	if err != nil {
		return err
	}
	disk.armed = true
	switch args[0] {
	case "open":
	case "commit":
		_, err = putOne(s, "theirs", "1", true)
	case "flatten":
		err = s.Flatten(context.Background())
	case "view":
		view := s.Snapshot()
		defer view.Close()
		if _, err = view.Get(context.Background(), "k"); err == nil {
			pause()
		}
	case "close":
		if _, err = putOne(s, "theirs", "1", true); err == nil {
			return s.Close()
		}
	}
	return errors.Join(err, s.Close())
}

// stops are what a process may be at when it is stopped, and whether others have
// the store open meanwhile: only then it is not the first, or the last, of them.
var stops = map[string]struct {
	does, step string
	alone      bool
	logged     bool // there is a log to be recovered
}{
	"writing a commit":          {does: "commit", step: "write-wal"},
	"syncing a commit":          {does: "commit", step: "sync-wal"},
	"checkpointing":             {does: "flatten", step: "write-db"},
	"syncing a checkpoint":      {does: "flatten", step: "sync-db"},
	"reading":                   {does: "view", step: "-"},
	"opening":                   {does: "open", step: "read-db"},
	"opening, alone":            {does: "open", step: "read-db", alone: true},
	"recovering the log, alone": {does: "open", step: "read-wal", alone: true, logged: true},
	"closing, alone":            {does: "close", step: "sync-db", alone: true},
}

// stoppedWait is how long the stores here wait for a lock. What a call may take in
// all is a few of it; stoppedBound tells it from a call that does not end.
const (
	stoppedWait  = 50 * time.Millisecond
	stoppedBound = 30 * time.Second
)

// TestStoppedProcess: whatever another process is at when it is stopped, every call
// of the store ends, with a context that does not, and what it could not do was not
// done. When the process goes on, all is there.
func TestStoppedProcess(t *testing.T) {
	for name, stop := range stops {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "store.db")
			first, err := Open(path)
			if err != nil {
				t.Fatal(err)
			}
			mustPut(t, first, "k", "before")
			mustPut(t, first, "gone", strings.Repeat("x", 10_000))
			if err := first.Close(); err != nil {
				t.Fatal(err)
			}
			if stop.logged {
				writer := spawn(t, "write", path, "log")
				writer.Begin()
				writer.Says("log/3 ")
				writer.Kill()
			}
			var s *Store
			if !stop.alone {
				s = openStore(t, path, WithWait(stoppedWait))
				mustPut(t, s, "k", "now")
			}
			other := spawn(t, "stop", path, stop.does, stop.step)
			other.Says("there")
			other.Freeze()
			applied := endsAll(t, s, path)
			other.Thaw()
			other.Finish()
			after := openStore(t, path)
			if err := after.Check(context.Background()); err != nil {
				t.Error(err)
			}
			for key, was := range applied {
				if e := getOne(t, after, key); e.Exists() != was {
					t.Errorf("%s was committed: %v, and is there: %v", key, was, e.Exists())
				}
			}
			mustPut(t, after, "after", "1")
		})
	}
}

// endsAll makes every call, on a store that is open, if it is not nil, and on one
// that is opened, and returns which keys were committed and which not.
func endsAll(t *testing.T, s *Store, path string) (applied map[string]bool) {
	applied = make(map[string]bool)
	ends := func(call string, f func() error) {
		began := time.Now()
		err := f()
		if took := time.Since(began); took > stoppedBound {
			t.Errorf("%s took %v (%v)", call, took, err)
		}
		if err != nil && (!errors.Is(err, kv.ErrUnavailable) || errors.Is(err, kv.ErrUnknown)) {
			t.Errorf("%s: %v", call, err)
		}
	}
	calls := func(on string, s *Store) {
		ctx := context.Background()
		view := s.Snapshot()
		ends("get", func() error { _, err := view.Get(ctx, "k"); return err })
		ends("scan", func() error {
			for _, err := range view.Scan(ctx, "") {
				if err != nil {
					return err
				}
			}
			return nil
		})
		view.Close()
		ends("turn", func() error {
			turn, err := s.Turn(ctx, "k")
			if err == nil {
				turn.Release()
			}
			return err
		})
		ends("validate", func() error { _, err := s.Commit(ctx, &kv.Batch{}); return err })
		var mu sync.Mutex
		var commits sync.WaitGroup
		for i := range 20 { // in one group, none of which may wait for the others
			key := fmt.Sprintf("%s/%d", on, i)
			commits.Go(func() {
				ends("commit", func() error {
					_, err := s.Commit(ctx, &kv.Batch{ID: kv.NewCommitID(1), Writes: []kv.Write{{Key: key}}, Sync: true})
					mu.Lock()
					defer mu.Unlock()
					applied[key] = err == nil
					return err
				})
			})
		}
		commits.Wait()
		ends("raise", func() error { _, err := s.Raise(ctx); return err })
		ends("flatten", func() error { return s.Flatten(ctx) })
		ends("check", func() error { return s.Check(ctx) })
		ends("yield", func() error { return s.Yield(ctx) })
		ends("get after yield", func() error { _, err := s.Snapshot().Get(ctx, "k"); return err })
		ends("close", s.Close)
	}
	if s != nil {
		calls("open", s)
	}
	ends("open", func() error {
		s, err := Open(path, WithWait(stoppedWait))
		if err == nil {
			calls("opened", s)
		}
		return err
	})
	return applied
}

// TestLockBesideTheGate: a lock of SQLite's that somebody keeps who does not have
// the gate, as another program may, is waited for once, and not once for each commit
// of a group.
func TestLockBesideTheGate(t *testing.T) {
	const wait, most = 200 * time.Millisecond, 100
	path := filepath.Join(t.TempDir(), "store.db")
	s := openStore(t, path, WithWait(wait))
	mustPut(t, s, "k", "1")
	set := defaults()
	other, err := openConn(path, &set)
	if err != nil {
		t.Fatal(err)
	}
	if err := other.run(qBeginImmediate); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	var commits sync.WaitGroup
	for i := range most {
		commits.Go(func() {
			if _, err := putOne(s, fmt.Sprint(i), "1", true); !errors.Is(err, kv.ErrUnavailable) {
				t.Errorf("commit %d: %v, want kv.ErrUnavailable", i, err)
			}
		})
	}
	commits.Wait()
	if took := time.Since(began); took > most*wait/2 {
		t.Errorf("%d commits took %v", most, took)
	}
	if err := errors.Join(other.rollback(), other.close()); err != nil {
		t.Fatal(err)
	}
	mustPut(t, s, "k", "2")
}
