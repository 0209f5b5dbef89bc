//go:build linux || darwin

package sqlitekv

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/kvtest/processes"
)

func init() {
	roles["view"] = keepView
	roles["scan"] = keepScan
	roles["stay"] = stayInRead
	roles["look"] = lookUntilKilled
}

// keepView reads through a view, says so, and keeps the view.
func keepView(path string, _ []string) error {
	s, err := Open(path)
	if err != nil {
		return err
	}
	view := s.Snapshot()
	if err := get("k")(view); err != nil {
		return err
	}
	fmt.Println("viewed")
	processes.Ready()
	fmt.Println("then", get("other")(view))
	return nil
}

// keepScan scans, and stays at the first entry.
func keepScan(path string, _ []string) error {
	s, err := Open(path)
	if err != nil {
		return err
	}
	for _, err := range s.Snapshot().Scan(context.Background(), "") {
		fmt.Println("viewed", err)
		bufio.NewReader(os.Stdin).ReadString('\n')
	}
	return nil
}

// stayInRead stays in the middle of a read.
func stayInRead(path string, _ []string) error {
	s, err := Open(path)
	if err != nil {
		return err
	}
	view := &snapshot{pool: s.pool}
	return view.with(context.Background(), func(*conn) error {
		fmt.Println("viewed")
		bufio.NewReader(os.Stdin).ReadString('\n')
		return nil
	})
}

// lookUntilKilled reads all the time.
func lookUntilKilled(path string, _ []string) error {
	s, err := Open(path)
	if err != nil {
		return err
	}
	fmt.Println("viewed")
	for {
		view := s.Snapshot()
		if err := scanSome("", 1000)(view); err != nil && !errors.Is(err, kv.ErrConflict) {
			return err
		}
		view.Close()
	}
}

// Lengths of the log in bytes: what it has at most in ordinary use, and what it comes to
// have beside a process that is stopped in a read.
const (
	ordinaryLog = 8 << 20
	longLog     = 32 << 20
)

// fillLog commits some 40 MiB, and returns how long the log was at most.
func fillLog(t *testing.T, s *Store, path string) (longest int64) {
	t.Helper()
	for i := range 600 {
		longest = max(longest, lengthen(t, s, path, i))
	}
	return longest
}

// lengthen commits 64 KiB, and returns how long the log is then.
func lengthen(t *testing.T, s *Store, path string, i int) int64 {
	t.Helper()
	value := strings.Repeat(fmt.Sprintf("%08d", i), 8<<10) // what does not change is not written
	if _, err := putOne(s, fmt.Sprintf("fill/%d", i%20), value, i%50 == 0); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path + logSuffix)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

// TestLogIsBounded: the log stays short, alone and beside processes that have a
// view and are stopped or killed.
func TestLogIsBounded(t *testing.T) {
	for name, c := range map[string]struct {
		roles  []string
		meddle func(*processes.Child)
	}{
		"alone":         {},
		"view":          {roles: []string{"view"}},
		"view, stopped": {roles: []string{"view", "view"}, meddle: (*processes.Child).Freeze},
		"scan, stopped": {roles: []string{"scan"}, meddle: (*processes.Child).Freeze},
		"view, killed":  {roles: []string{"view", "scan"}, meddle: (*processes.Child).Kill},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "store.db")
			s := openStore(t, path)
			mustPut(t, s, "k", "v")
			for _, role := range c.roles {
				child := spawn(t, role, path)
				child.Says("viewed")
				if c.meddle != nil {
					c.meddle(child)
				}
			}
			longest := fillLog(t, s, path)
			if t.Logf("%d KiB", longest>>10); longest > ordinaryLog {
				t.Errorf("the log was up to %d KiB long, want %d at most", longest>>10, ordinaryLog>>10)
			}
		})
	}
}

// TestLogBeginsAnewBesideReaders: beside processes that read on and on, one always in the
// middle of a read, the log is cut again and again. After how much, depends on how long
// the system lets a process rest in the middle of a read.
func TestLogBeginsAnewBesideReaders(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	s := openStore(t, path)
	mustPut(t, s, "k", "v")
	for range 2 {
		spawn(t, "look", path).Says("viewed")
	}
	const times, most = 3, 20_000
	longest, before, cut := int64(0), int64(0), 0
	for i := range most {
		now := lengthen(t, s, path, i)
		if now < before {
			cut++
		}
		if before, longest = now, max(longest, now); cut == times {
			t.Logf("after %d commits; the log was up to %d KiB long", i+1, longest>>10)
			return
		}
	}
	t.Errorf("the log was cut %d times in %d commits, want %d; it was up to %d KiB long", cut, most, times, longest>>10)
}

// TestStoppedViewMovesOn: a process that was stopped with a view reads on in it
// when it continues.
func TestStoppedViewMovesOn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	s := openStore(t, path)
	mustPut(t, s, "k", "v")
	child := spawn(t, "view", path)
	child.Says("viewed")
	child.Freeze()
	mustPut(t, s, "other", "v")
	child.Thaw()
	child.Begin()
	if got := child.Says("then"); got != "then <nil>" {
		t.Errorf("a view that was stopped reads on: %q", got)
	}
}

// TestStoppedInRead: only a process that is stopped in the middle of one read
// makes the log grow. It is named, and the log is short again when it goes on.
func TestStoppedInRead(t *testing.T) {
	var told strings.Builder
	path := filepath.Join(t.TempDir(), "store.db")
	s := openStore(t, path, WithLogger(slog.New(slog.NewTextHandler(&told, nil))))
	mustPut(t, s, "k", "v")
	beside, stopped := spawn(t, "view", path), spawn(t, "stay", path)
	for _, child := range []*processes.Child{beside, stopped} {
		child.Says("viewed")
		child.Freeze()
	}
	if longest := fillLog(t, s, path); longest < longLog {
		t.Errorf("the log was up to %d KiB long: nothing was tested", longest>>10)
	}
	state, err := s.Log(t.Context())
	if err != nil || state.Bytes < hardLog || !slices.Equal(state.Readers, []int{stopped.PID()}) {
		t.Errorf("the log: %+v, %v; want one of %d at least, and process %d", state, err, hardLog, stopped.PID())
	}
	stopped.Thaw()
	stopped.Finish()
	for i := range 20 { // by then it is looked at again
		if _, err := putOne(s, "k", strings.Repeat(fmt.Sprintf("%08d", i), 16<<10), false); err != nil {
			t.Fatal(err)
		}
	}
	if state, err := s.Log(t.Context()); err != nil || state.Bytes > ordinaryLog || len(state.Readers) > 0 {
		t.Errorf("the log after the read: %+v, %v", state, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf("processes=[%d]", stopped.PID()); !strings.Contains(told.String(), want) {
		t.Errorf("the log of the program says %q, want %s in it", told.String(), want)
	}
}

// TestOpeningIsARead: who is stopped while it opens the store beside others holds
// the log as well, and is named as one that reads.
func TestOpeningIsARead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	s := openStore(t, path)
	mustPut(t, s, "k", "v")
	for _, step := range []string{"read-db", "read-wal"} {
		stopped := spawn(t, "stop", path, "open", step)
		stopped.Says("there")
		if got := processesOf(s.pool.readers.now()); !slices.Equal(got, []int{stopped.PID()}) {
			t.Errorf("stopped at %s: reading are %v, want %d", step, got, stopped.PID())
		}
		stopped.Kill()
	}
}
