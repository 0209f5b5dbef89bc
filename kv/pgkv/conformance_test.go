//go:build linux || darwin

package pgkv_test

import (
	"flag"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"github.com/pawlkv/pawl/internal/proof/effort"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/kvtest"
	"github.com/pawlkv/pawl/kv/kvtest/processes"
	"github.com/pawlkv/pawl/kv/pgkv"
	"github.com/pawlkv/pawl/kv/pgkv/pgtest"
)

// fewIDs lets IDs expire soon.
const fewIDs = 64

func openFew(t testing.TB) *pgkv.DB {
	return openDB(t, pgkv.WithSchema("few_ids"), pgkv.WithCommitIDs(fewIDs))
}

func TestConformance(t *testing.T) {
	db := openFew(t)
	kvtest.Run(t, func(t testing.TB) kv.Store { return db.Store(aSpace(t)) }, kvtest.CommitIDs(fewIDs))
}

func TestConformanceReopened(t *testing.T) {
	db := openFew(t)
	kvtest.RunReopen(t, func(t testing.TB, dir string) kv.Store { return db.Store(spaceIn(dir)) }, kvtest.CommitIDs(fewIDs))
}

// TestConformanceShared: several stores of one space, as in several processes.
func TestConformanceShared(t *testing.T) {
	kvtest.RunShared(t, func(t testing.TB, dir string) kv.Store { return openFew(t).Store(spaceIn(dir)) }, kvtest.CommitIDs(fewIDs))
}

// TestLimits: a store takes and keeps what the engines of this module do.
func TestLimits(t *testing.T) {
	if got := openDB(t).Store("s").Limits(); got != kv.Embedded() {
		t.Errorf("limits %+v, want %+v", got, kv.Embedded())
	}
}

// More of it, from a seed, with
//
//	go test ./kv/pgkv -run TestHistoryOfProcesses -pgkv.kills=50 -pgkv.historyseed=7
var (
	historyKills = flag.Int("pgkv.kills", 10, "processes killed while they make a history")
	historySeed  = flag.Uint64("pgkv.historyseed", 0, "of what is killed when; 0 is another each time")
)

// crewOf returns the arguments of a crew in a space of its own, and how to open it.
func crewOf(t *testing.T) (dir string, rng *rand.Rand, open func() (kv.Store, error)) {
	effort.Processes(t)
	seed := *historySeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("-pgkv.historyseed=%d", seed)
	t.Setenv(urlEnv, server.Get(t).URL(pgtest.Superuser, "postgres"))
	dir = filepath.Join(t.TempDir(), "space")
	db := openDB(t)
	return dir, rand.New(rand.NewPCG(seed, 0)), func() (kv.Store, error) { return db.Store(spaceIn(dir)), nil }
}

// TestKilled: whenever processes are killed, all that they said was committed is
// there, once.
func TestKilled(t *testing.T) {
	dir, rng, open := crewOf(t)
	crew := processes.NewCrew(t, 4, dir, rng)
	crew.KillAtRandom(*historyKills)
	crew.Check(open)
}

// TestHistoryOfProcesses kills processes at any instant of their work, and finds
// an order of all views and commits of all of them that explains each.
func TestHistoryOfProcesses(t *testing.T) {
	dir, rng, open := crewOf(t)
	crew := processes.NewSwapCrew(t, 4, dir, rng)
	crew.KillAtRandom(*historyKills)
	crew.Check(open)
}

// TestFrozenProcess: whenever a process is stopped, others go on to commit in the same
// space, to the same keys; and when it goes on nothing is lost or done twice.
func TestFrozenProcess(t *testing.T) {
	dir, rng, open := crewOf(t)
	crew := processes.NewCrew(t, 3, dir, rng)
	for range len(crew.Members) {
		crew.Wait("counted")
	}
	for range *historyKills {
		crew.Pause(5 * time.Millisecond)
		frozen := rng.IntN(len(crew.Members))
		crew.Members[frozen].Freeze()
		for others := 0; others < 5; {
			if crew.Wait("counted") != frozen { // or what it has said before
				others++
			}
		}
		crew.Members[frozen].Thaw()
	}
	crew.Check(open)
}
