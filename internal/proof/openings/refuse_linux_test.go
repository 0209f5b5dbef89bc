//go:build amd64 || arm64

package openings

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pawlkv/pawl/kv"
)

var allErrors = flag.Bool("openings.all", false, "fail each call with each error that it may have")

// child tells a process what it is to try: engine, which store, round, the first
// call to fail, and where.
const child = "PAWL_OPENINGS_CHILD"

// noRefuser is the status of a process that may not look at its calls.
const noRefuser = 77

// TestSystemErrors lets each call to the system that opening a store makes fail,
// one in each opening, and what is like it from then on: of a store that is there,
// and of a new one. What is returned has the kind of that error, and afterwards
// nothing is lost.
func TestSystemErrors(t *testing.T) {
	if what := strings.Fields(os.Getenv(child)); len(what) == 5 {
		refuseAll(what[0], what[1], number(what[2]), number(what[3]), what[4])
	}
	rounds := 1
	if *allErrors {
		rounds = 5
	}
	for _, e := range engines {
		if e.name == "badger" && !*allErrors {
			continue // it ends processes, and each is begun anew: for make crash
		}
		for _, which := range []string{"there", "new"} {
			t.Run(e.name+"/"+which, func(t *testing.T) {
				for round := range rounds {
					refuseEach(t, e, which, round)
				}
			})
		}
	}
}

func number(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		panic(err)
	}
	return n
}

// patience is for all openings of one process, on a busy machine.
const patience = 5 * time.Minute

// maxEnds is how often Badger may end a process: it does when it cannot list its
// directory, cannot make the file of its statistics (DISCARD), or cannot read a
// table that it has open.
const maxEnds = 60

var (
	begun = regexp.MustCompile(`(?m)^call (\d+)$`)
	ended = regexp.MustCompile(`(?m)^\d{4}/\d\d/\d\d \d\d:\d\d:\d\d .*err: `)
)

// refuseEach has processes fail one call after the other.
func refuseEach(t *testing.T, e engine, which string, round int) {
	dir := t.TempDir()
	for from, ends := 1, 0; ; ends++ {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		cmd := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestSystemErrors$")
		cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGQUIT) } // it says where it is
		cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s %s %d %d %s", child, e.name, which, round, from, dir), "GOMAXPROCS=8")
		out, err := cmd.CombinedOutput()
		cancel()
		if cmd.ProcessState.ExitCode() == noRefuser {
			t.Logf("calls cannot be made to fail here: %s; TestOfSystem has the kinds", out)
			return
		}
		if err == nil {
			t.Logf("%d times Badger has ended the process; %s", ends, out[bytes.LastIndexByte(bytes.TrimSpace(out), '\n')+1:])
			return
		}
		last := begun.FindAllSubmatch(out, -1)
		if e.name != "badger" || !ended.Match(out) || len(last) == 0 || ends == maxEnds {
			t.Fatalf("%v\n%s", err, out)
		}
		from = number(string(last[len(last)-1][1])) + 1
	}
}

// refuseAll is the process in which calls fail. It ends it.
func refuseAll(name, which string, round, from int, dir string) {
	r, err := NewRefuser()
	if err != nil {
		fmt.Println(err)
		os.Exit(noRefuser)
	}
	if name == "sqlite" { // Badger tries some things until they succeed
		r.GoingOn = 30
	}
	t := &trial{refuser: r, round: round, which: which}
	for _, e := range engines {
		if e.name == name {
			t.engine = e
		}
	}
	t.expect("setting out", t.each(from, dir))
	if len(t.failures) > 0 {
		fmt.Printf("%d failures:\n%s\n", len(t.failures), strings.Join(t.failures, "\n"))
		os.Exit(1)
	}
	fmt.Printf("%d calls failed, and %d times the store was opened nevertheless\n", t.tried, t.healed)
	os.Exit(0)
}

// trial opens the stores of an engine while calls fail.
type trial struct {
	engine
	refuser  *Refuser
	which    string
	round    int
	tried    int
	healed   int
	failures []string
}

func (t *trial) expect(what string, err error) {
	if err != nil {
		t.failures = append(t.failures, fmt.Sprintf("%s: %v", what, err))
	}
}

// each opens a store once for each call of an opening, which fails, and then uses
// it without a failure.
func (t *trial) each(from int, dir string) error {
	there := t.path(dir)
	if _, err := os.Lstat(there); t.which == "there" && errors.Is(err, os.ErrNotExist) {
		s, err := t.open(there, wait)
		if err != nil {
			return err
		}
		if err := errors.Join(put(s), s.Close()); err != nil {
			return err
		}
	}
	for at, more := from, true; more; at++ {
		fmt.Printf("call %d\n", at)
		path, use := there, func() error { return t.again(there) }
		if t.which == "new" {
			inner := filepath.Join(dir, strconv.Itoa(at))
			if err := os.Mkdir(inner, 0o700); err != nil {
				return err
			}
			path = t.path(inner)
			use = func() error { return errors.Join(t.fresh(path), os.RemoveAll(inner)) }
		}
		more = t.once(at, path, use)
	}
	return nil
}

// fresh opens a store and writes to it.
func (e engine) fresh(path string) error {
	s, err := e.open(path, wait)
	if err != nil {
		return err
	}
	return errors.Join(put(s), s.Close())
}

// again opens a store, looks whether what was written is there, and writes it anew.
func (e engine) again(path string) error {
	s, err := e.open(path, wait)
	if err != nil {
		return err
	}
	snap := s.Snapshot()
	found, err := snap.Get(context.Background(), "k")
	snap.Close()
	if err == nil && string(found[0].Value) != "v" {
		err = fmt.Errorf("k is %q", found[0].Value)
	}
	return errors.Join(err, put(s), s.Close())
}

func put(s kv.Store) error {
	b := &kv.Batch{ID: kv.NewCommitID(0), Sync: true, Writes: []kv.Write{{Key: "k", Value: []byte("v")}}}
	_, err := s.Commit(context.Background(), b)
	return err
}

func (t *trial) once(at int, path string, use func() error) (failed bool) {
	var given syscall.Errno
	t.refuser.Arm(at, func(nr int) syscall.Errno {
		errs := fileCalls[nr]
		given = errs[(at+t.round)%len(errs)]
		return given
	})
	s, err := t.open(path, wait)
	refused := t.refuser.Disarm()
	t.judge(refused, given, err)
	if err == nil {
		_ = s.Close() // may tell of what failed in a goroutine meanwhile
	}
	t.expect("after "+refused, use())
	return refused != ""
}

func (t *trial) judge(refused string, given syscall.Errno, err error) {
	want := kindOf(given)
	switch {
	case given == 0:
		return
	case err == nil:
		t.healed++
	case given == syscall.ENOLCK && t.name == "sqlite" && errors.Is(err, kv.ErrUnavailable):
		// SQLite takes it for a lock of another. Where the system has no locks the
		// gate's is the first that is refused, and that is kv.ErrUnusable.
	case !errors.Is(err, want) || want != kv.ErrUnavailable && errors.Is(err, kv.ErrUnavailable):
		t.failures = append(t.failures, fmt.Sprintf("%s: %v, want %v", refused, err, want))
	}
	t.tried++
}

// kindOf is the kind that an error of the system is to have.
func kindOf(number syscall.Errno) error {
	switch number {
	case syscall.ENOSPC:
		return kv.ErrDiskFull
	case syscall.EMFILE:
		return kv.ErrUnavailable
	}
	return kv.ErrUnusable
}
