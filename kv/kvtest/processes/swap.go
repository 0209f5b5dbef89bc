//go:build linux || darwin

package processes

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/pawlkv/pawl/kv"
)

// SwapRole is the role that a SwapCrew starts its processes in: it opens the store
// in the directory and calls Swap.
const SwapRole = "swap"

// SwapCrew is processes that read several keys in one view and change some of
// them together. Its methods fail the test.
type SwapCrew struct{ *Crew }

// NewSwapCrew starts processes over the store in a directory, which must have one
// of its own around it for the logs.
func NewSwapCrew(t *testing.T, size int, dir string, rng *rand.Rand) SwapCrew {
	return SwapCrew{NewCrewIn(t, SwapRole, size, dir, rng)}
}

// NewSwapCrewAt is NewSwapCrew with members in other places.
func NewSwapCrewAt(t *testing.T, place Place, size int, dir string, rng *rand.Rand) SwapCrew {
	return SwapCrew{newCrewAt(t, place, SwapRole, size, dir, rng)}
}

// Check lets the members finish, and finds an order of all views and commits of
// all of them that explains each, and what is in the store.
func (c SwapCrew) Check(open func() (kv.Store, error)) {
	c.Helper()
	for _, member := range c.Members {
		member.Finish()
	}
	store, err := open()
	if err != nil {
		c.Fatal(err)
	}
	defer store.Close()
	c.checkSwaps(c.swaps(), c.values(store))
}

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
	Asked   int // how often a commit was sent again, until its outcome was known
}

// wasView is the Outcome of a view. Those of a commit are as of an event: it is
// unknown as long as nobody was told.
const wasView = "view"

func register(i int) string { return fmt.Sprintf("register/%d", i) }

// swapLog is the file that a process logs to.
const swapLog = "swaps-"

// Swap makes transactions in the store, one after the other, until standard input
// ends, and closes the store. It logs to a file beside dir and says "swapped"
// after each.
func Swap(store kv.Store, dir string) error {
	name := strconv.Itoa(os.Getpid())
	file, err := os.OpenFile(filepath.Join(filepath.Dir(dir), swapLog+name), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer file.Close()
	log, end := json.NewEncoder(file), InputEnded()
	for n := 0; ; n++ {
		select {
		case <-end:
			return store.Close()
		default:
		}
		if err := swapOnce(store, log, name, n); err != nil {
			return errors.Join(err, store.Close())
		}
		fmt.Println("swapped")
	}
}

func swapOnce(s kv.Store, log *json.Encoder, process string, n int) error {
	snap := s.Snapshot()
	defer snap.Close()
	one := swap{Process: process, Number: n, Call: clock(), Outcome: wasView}
	b, err := readAll(snap, &one)
	if errors.Is(err, kv.ErrConflict) || errors.Is(err, kv.ErrUnavailable) {
		return nil
	}
	if err != nil {
		return err
	}
	one.Return = clock()
	if err := log.Encode(one); err != nil {
		return err
	}
	for _, i := range rand.Perm(registers)[:1+rand.IntN(registers)] {
		one.To[i] = process + "." + strconv.Itoa(n)
		b.Writes = append(b.Writes, kv.Write{Key: register(i), Value: []byte(one.To[i])})
	}
	one.Call, one.Return, one.Outcome = clock(), math.MaxInt64, unknown
	if err := log.Encode(one); err != nil {
		return err
	}
	one.Asked, err = resolved(context.Background(), s, b)
	one.Return = clock()
	switch kv.OutcomeOf(err) {
	case kv.Applied:
		one.Outcome = applied
	case kv.Conflict:
		one.Outcome = conflict
	case kv.Unsent:
		one.Outcome = refused
	default:
		if !errors.Is(err, kv.ErrDiskFull) {
			return err
		}
		one.Outcome = refused
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

func (c SwapCrew) values(store kv.Store) (now values) {
	c.Helper()
	all := c.content(store)
	for i := range registers {
		now[i] = all[register(i)]
	}
	return now
}

// swaps reads the logs of all processes. The last line of one may be cut off.
func (c SwapCrew) swaps() []porcupine.Operation {
	c.Helper()
	names, err := filepath.Glob(filepath.Join(filepath.Dir(c.Dir), swapLog+"*"))
	if err != nil || len(names) < len(c.Members) {
		c.Fatalf("%d logs of %d processes: %v", len(names), len(c.Members), err)
	}
	var ops []porcupine.Operation
	for client, name := range names {
		file, err := os.Open(name)
		if err != nil {
			c.Fatal(err)
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
			case one.Outcome == unknown:
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

func (c SwapCrew) checkSwaps(ops []porcupine.Operation, last values) {
	c.Helper()
	count, asked := 0, map[string]int{}
	for _, op := range ops {
		if op.Output == applied {
			count++
		}
		if op.Input.(swap).Asked > 0 || op.Output == unknown {
			asked[op.Output.(string)]++
		}
	}
	ops = append(ops, porcupine.Operation{
		ClientId: math.MaxInt32, Input: swap{From: last}, Output: wasView, Call: math.MaxInt64 - 1, Return: math.MaxInt64,
	})
	switch porcupine.CheckOperationsTimeout(swapModel, ops, 5*time.Minute) {
	case porcupine.Illegal:
		c.Error("the history is not linearizable")
	case porcupine.Unknown:
		c.Error("the history could not be checked in time")
	}
	if count == 0 {
		c.Error("nothing was committed")
	}
	c.Logf("%d views and commits are explained, %d of them applied; of those whose outcome was unknown at first, "+
		"%d had been applied or then were, %d were conflicts, %d certainly not applied, and of %d nobody was told",
		len(ops), count, asked[applied], asked[conflict], asked[refused], asked[unknown])
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
		case conflict:
			return !same, now
		case applied:
			return same, one.applyTo(now)
		case refused:
			return true, now
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
