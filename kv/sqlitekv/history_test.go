//go:build !windows

package sqlitekv

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"golang.org/x/sys/unix"

	"github.com/pawlkv/pawl/kv"
)

// More of it, from a seed, with
//
//	go test ./kv/sqlitekv -run TestHistoryOfProcesses -sqlitekv.kills=50 -sqlitekv.historyseed=7
var (
	historyKills = flag.Int("sqlitekv.kills", 10, "processes killed while they make a history")
	historySeed  = flag.Uint64("sqlitekv.historyseed", 0, "of what is killed when; 0 is another each time")
)

func init() { roles["swap"] = swapUntilKilled }

// registers is how many keys the processes work on. Each transaction reads all
// of them in one view and commits to some.
const registers = 3

type values [registers]string

// swap is a line of a process's log: a view of the registers, and what is
// written to some of them if it still holds. A view has no To. A commit is
// logged before it is sent, and again when its outcome is known.
type swap struct {
	Process string
	Number  int
	From    values
	To      values // "" for a register that stays
	Call    int64  // nanoseconds of the machine's monotonic clock
	Return  int64
	Outcome string
}

// Outcomes of a swap.
const (
	wasView     = "view"
	wasApplied  = "applied"
	wasConflict = "conflict"
	wasUnknown  = "unknown" // or it was killed before it was told
)

func register(i int) string { return fmt.Sprintf("register/%d", i) }

func monotonic() int64 {
	var now unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &now) // cannot fail
	return now.Nano()
}

// swapUntilKilled makes transactions, logs them to a file, and prints a line for
// each.
func swapUntilKilled(path string, args []string) error {
	log, err := os.OpenFile(args[0], os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	s, err := Open(path)
	if err != nil {
		return err
	}
	lines := json.NewEncoder(log)
	ready()
	for n := 0; ; n++ {
		if err := swapOnce(s, lines, filepath.Base(args[0]), n); err != nil {
			return err
		}
		fmt.Println(n)
	}
}

func swapOnce(s *Store, log *json.Encoder, process string, n int) error {
	snap := s.Snapshot()
	defer snap.Close()
	one := swap{Process: process, Number: n, Call: monotonic(), Outcome: wasView}
	b, err := readAll(snap, &one)
	if errors.Is(err, kv.ErrConflict) {
		return nil
	}
	if err != nil {
		return err
	}
	one.Return = monotonic()
	if err := log.Encode(one); err != nil {
		return err
	}
	for _, i := range rand.Perm(registers)[:1+rand.IntN(registers)] {
		one.To[i] = process + "." + strconv.Itoa(n)
		b.Writes = append(b.Writes, kv.Write{Key: register(i), Value: []byte(one.To[i])})
	}
	one.Call, one.Return, one.Outcome = monotonic(), math.MaxInt64, wasUnknown
	if err := log.Encode(one); err != nil {
		return err
	}
	_, err = s.Commit(context.Background(), b)
	one.Return = monotonic()
	switch {
	case err == nil:
		one.Outcome = wasApplied
	case errors.Is(err, kv.ErrConflict):
		one.Outcome = wasConflict
	default:
		return err
	}
	return log.Encode(one)
}

// readAll reads the registers in one view, half of the time in several reads,
// and begins a batch that depends on all.
func readAll(snap kv.Snapshot, one *swap) (*kv.Batch, error) {
	began, err := snap.Version(context.Background())
	if err != nil {
		return nil, err
	}
	b := &kv.Batch{ID: kv.NewCommitID(began), Sync: rand.IntN(2) == 0}
	for i := range registers {
		entries, err := snap.Get(context.Background(), register(i))
		if err != nil {
			return nil, err
		}
		one.From[i] = string(entries[0].Value)
		b.Reads = append(b.Reads, kv.Read{Key: register(i), Version: entries[0].Version})
	}
	return b, nil
}

// TestHistoryOfProcesses kills processes at any instant of their work, and finds
// an order of all views and commits of all of them that explains each.
func TestHistoryOfProcesses(t *testing.T) {
	seed := *historySeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("-sqlitekv.historyseed=%d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	dir := t.TempDir()
	path := filepath.Join(dir, "store.db")
	started := 0
	start := func() *child {
		started++
		c := spawn(t, "swap", path, filepath.Join(dir, fmt.Sprintf("log-%d", started)))
		c.begin(t)
		return c
	}
	children := []*child{start(), start(), start(), start()}
	for range *historyKills {
		i := rng.IntN(len(children))
		for range 1 + rng.IntN(10) {
			if children[rng.IntN(len(children))].line() == "" {
				t.Fatal("a process has ended by itself")
			}
		}
		<-time.After(time.Duration(rng.IntN(2000)) * time.Microsecond) // at any instant
		kill(children[i])
		children[i] = start()
	}
	for _, c := range children {
		kill(c)
	}
	s := openStore(t, path)
	if err := s.Check(context.Background()); err != nil {
		t.Error(err)
	}
	checkSwaps(t, swapsOf(t, dir, started), valuesIn(t, s))
}

// kill kills a process and returns when it is gone.
func kill(c *child) {
	_ = c.Process.Kill()
	for c.out.Scan() {
	}
	_ = c.Wait()
}

func valuesIn(t *testing.T, s kv.Store) (now values) {
	for i := range registers {
		now[i] = string(getOne(t, s, register(i)).Value)
	}
	return now
}

// swapsOf reads the logs of all processes. The last line of one may be cut off.
func swapsOf(t *testing.T, dir string, processes int) []porcupine.Operation {
	t.Helper()
	var ops []porcupine.Operation
	for client := range processes {
		file, err := os.Open(filepath.Join(dir, fmt.Sprintf("log-%d", client+1)))
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		sent := -1 // the commit whose outcome is not known yet
		for lines := bufio.NewScanner(file); lines.Scan(); {
			var one swap
			if json.Unmarshal(lines.Bytes(), &one) != nil {
				continue
			}
			op := porcupine.Operation{ClientId: client, Input: one, Call: one.Call, Return: one.Return, Output: one.Outcome}
			switch {
			case one.Outcome == wasUnknown:
				sent = len(ops)
				ops = append(ops, op)
			case one.Outcome != wasView:
				ops[sent] = op
			default:
				ops = append(ops, op)
			}
		}
	}
	return ops
}

func checkSwaps(t *testing.T, ops []porcupine.Operation, last values) {
	t.Helper()
	applied := 0
	for _, op := range ops {
		if op.Output == wasApplied {
			applied++
		}
	}
	ops = append(ops, porcupine.Operation{
		ClientId: math.MaxInt32, Input: swap{From: last}, Output: wasView, Call: math.MaxInt64 - 1, Return: math.MaxInt64,
	})
	switch porcupine.CheckOperationsTimeout(swapModel, ops, 5*time.Minute) {
	case porcupine.Illegal:
		t.Error("the history is not linearizable")
	case porcupine.Unknown:
		t.Error("the history could not be checked in time")
	}
	if applied == 0 {
		t.Error("nothing was committed")
	}
	t.Logf("%d views and commits are explained, %d of them applied", len(ops), applied)
}

// swapModel is registers that are read together and changed together if they are
// as they were read.
var swapModel = porcupine.Model{
	Init: func() any { return values{} },
	Step: func(state, input, output any) (bool, any) {
		one, now := input.(swap), state.(values)
		same := now == one.From
		switch output.(string) {
		case wasView:
			return same, now
		case wasConflict:
			return !same, now
		case wasApplied:
			return same, one.applyTo(now)
		}
		if same {
			return true, one.applyTo(now)
		}
		return true, now
	},
	DescribeOperation: func(input, output any) string { return fmt.Sprintf("%+v: %v", input, output) },
}

func (s swap) applyTo(now values) values {
	for i, to := range s.To {
		if to != "" {
			now[i] = to
		}
	}
	return now
}
