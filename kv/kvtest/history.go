package kvtest

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"sync/atomic"

	"github.com/anishathalye/porcupine"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/kvtest/faulty"
)

var historyChecks = []check{
	{"history/linearizable", func(e *env) { e.histories(nil, false) }},
	{"history/lost-answers", func(e *env) { e.histories(randomFaults, false) }},
	{"history/held-batches", func(e *env) { e.histories(heldFaults, true) }},
}

// seedFlag repeats the random choices of a history.
var seedFlag = flag.Uint64("kvtest.seed", 0, "seed of the random histories of kvtest; 0 picks one")

// Sizes of the random histories.
const (
	historyRounds  = 3
	historyClients = 4
)

// histories makes a few random histories and checks each. Half of the clients
// suffer the faults, if there are any; with absences all depend on nothing else.
func (e *env) histories(faults func(*rand.Rand) []faulty.Fault, absences bool) {
	seed := *seedFlag
	if seed == 0 {
		seed = rand.Uint64()
	}
	e.Logf("seed %d: run again with -kvtest.seed=%[1]d", seed)
	for round := range uint64(historyRounds) {
		e.history(e.store(), seed+round, faults, absences)
	}
}

// randomFaults lets every fifth commit lose its answer, applied or not.
func randomFaults(rng *rand.Rand) []faulty.Fault {
	return mixed(rng, 5, faulty.AppliedUnknown, faulty.LostUnknown, faulty.LateUnknown)
}

// heldFaults holds every third commit up until its second try has been answered.
func heldFaults(rng *rand.Rand) []faulty.Fault { return mixed(rng, 3, faulty.HeldUnknown) }

// mixed gives one commit in oneIn a fault.
func mixed(rng *rand.Rand, oneIn int, some ...faulty.Fault) []faulty.Fault {
	faults := make([]faulty.Fault, 1000)
	for i := range faults {
		if rng.IntN(oneIn) == 0 {
			faults[i] = some[rng.IntN(len(some))]
		}
	}
	return faults
}

func (e *env) history(s kv.Store, seed uint64, faults func(*rand.Rand) []faulty.Fault, absences bool) {
	var clock atomic.Int64
	var calls []*call[[]porcupine.Operation]
	for id := range historyClients {
		rng := rand.New(rand.NewPCG(seed, uint64(id)))
		c := &client{id: id, ctx: e.ctx, store: s, rng: rng, clock: &clock, absences: absences}
		if faults != nil && id%2 == 0 {
			c.store = faulty.Commits(s, faults(rng)...)
		}
		calls = append(calls, start(e, "random transactions", func() ([]porcupine.Operation, error) {
			for range e.txns {
				if err := c.transact(); err != nil {
					return nil, err
				}
			}
			return c.ops, nil
		}))
	}
	var ops []porcupine.Operation
	for _, c := range calls {
		made, err := c.wait()
		if err != nil {
			e.Fatalf("seed %d: %v", seed, err)
		}
		ops = append(ops, made...)
	}
	e.checkHistory(seed, ops)
}

func (e *env) checkHistory(seed uint64, ops []porcupine.Operation) {
	learnVersions(ops)
	result, info := porcupine.CheckOperationsVerbose(storeModel, ops, e.patience)
	if result == porcupine.Ok {
		return
	}
	e.Fatalf("seed %d: linearizable: %s, %d operations; saved as %s", seed, result, len(ops), e.save(ops, info))
}

// save writes a history down, in the order of the calls and as a picture.
func (e *env) save(ops []porcupine.Operation, info porcupine.LinearizationInfo) string {
	file, err := os.CreateTemp(e.saveIn, "kvtest-history-*.txt")
	if err != nil {
		return err.Error()
	}
	defer file.Close()
	slices.SortFunc(ops, func(a, b porcupine.Operation) int { return int(a.Call - b.Call) })
	for _, op := range ops {
		fmt.Fprintf(file, "client %d from %d to %d: %v\n", op.ClientId, op.Call, op.Return, op.Input)
	}
	if err := porcupine.VisualizePath(storeModel, info, file.Name()+".html"); err != nil {
		return err.Error()
	}
	return file.Name() + " and .html"
}

// learnVersions settles commits of unknown outcome that some view showed: they
// were applied, at the version that was shown.
func learnVersions(ops []porcupine.Operation) {
	shown := make(map[string]kv.Version)
	for _, op := range ops {
		view, ok := op.Input.(*viewOp)
		if !ok {
			continue
		}
		for _, entry := range view.entries {
			shown[string(entry.Value)] = entry.Version
		}
		for _, scan := range view.scans {
			for _, entry := range scan.entries {
				shown[string(entry.Value)] = entry.Version
			}
		}
	}
	for _, op := range ops {
		commit, ok := op.Input.(*commitOp)
		if !ok || !commit.unknown {
			continue
		}
		for _, w := range commit.batch.Writes {
			if version, seen := shown[string(w.Value)]; seen && !w.Delete {
				commit.unknown, commit.version = false, version
			}
		}
	}
}
