//go:build linux || darwin

package sqlitekv

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/pawlkv/pawl/internal/proof/effort"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/kvtest/processes"
)

// Sizes of TestProcessesCount.
const (
	counting   = 8
	increments = 25
)

// TestProcessesCount: of many processes that add to one number all get through,
// and no addition is lost or counted twice.
func TestProcessesCount(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	var children []*processes.Child
	for range counting {
		children = append(children, spawn(t, "increment", path, fmt.Sprint(increments)))
	}
	for _, c := range children {
		c.Begin()
	}
	for _, c := range children {
		text := c.Says("")
		if !strings.HasPrefix(text, fmt.Sprintf("done %d ", increments)) {
			t.Fatalf("a child ended with %q", text)
		}
		t.Log(text)
	}
	s := openStore(t, path)
	if got := string(getOne(t, s, "n").Value); got != strconv.Itoa(counting*increments) {
		t.Errorf("the number is %s, want %d", got, counting*increments)
	}
}

// TestUnsyncedBeforeSynced: a process that is killed leaves its unsynced commits
// to others, in order before their synced ones.
func TestUnsyncedBeforeSynced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	other := spawn(t, "unsync", path, "20")
	other.Begin()
	last := other.Says("")
	s := openStore(t, path)
	version := mustPut(t, s, "synced", "v")
	if fmt.Sprint(version-1) != last {
		t.Errorf("the synced commit has version %d, the last unsynced one %s", version, last)
	}
	other.Kill()
	s.Close()
	s = openStore(t, path)
	for i := range 20 {
		if e := getOne(t, s, fmt.Sprintf("unsynced/%d", i)); int(e.Version) != i+1 {
			t.Errorf("unsynced commit %d has version %d", i, e.Version)
		}
	}
}

// TestWatchSeesOthers: a watch is told of what another process commits.
func TestWatchSeesOthers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	s := openStore(t, path)
	mustPut(t, s, "k", "v")
	other := spawn(t, "write", path, "other")
	told := make(chan kv.Change, 1000)
	go func() {
		for c, err := range s.Watch(t.Context(), "other/", 1) {
			if err != nil {
				return
			}
			told <- c
		}
	}()
	other.Begin()
	for i := range 20 {
		if c := <-told; c.Key != fmt.Sprintf("other/%d", i) || int(c.Version) != i+2 {
			t.Fatalf("told of %+v, want other/%d at version %d", c, i, i+2)
		}
	}
}

// More of it, from a seed, with
//
//	go test ./kv/sqlitekv -run TestHistoryOfProcesses -sqlitekv.kills=50 -sqlitekv.historyseed=7
var (
	historyKills = flag.Int("sqlitekv.kills", 10, "processes killed while they make a history")
	historySeed  = flag.Uint64("sqlitekv.historyseed", 0, "of what is killed when; 0 is another each time")
)

// crewOf returns the arguments of a crew in a store of its own.
func crewOf(t *testing.T) (*testing.T, int, string, *rand.Rand) {
	seed := *historySeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("-sqlitekv.historyseed=%d", seed)
	return t, 4, filepath.Join(t.TempDir(), "store.db"), rand.New(rand.NewPCG(seed, 0))
}

// checked opens a store whose pages are all right.
func checked(t *testing.T, path string) func() (kv.Store, error) {
	return func() (kv.Store, error) {
		s, err := Open(path)
		if err != nil {
			return nil, err
		}
		return s, s.Check(t.Context())
	}
}

// TestKilled: whenever processes are killed, all that they said was committed is
// there, once, and the file is whole.
func TestKilled(t *testing.T) {
	effort.Processes(t)
	crew := processes.NewCrew(crewOf(t))
	crew.KillAtRandom(*historyKills)
	crew.Check(checked(t, crew.Dir))
}

// TestHistoryOfProcesses kills processes at any instant of their work, and finds
// an order of all views and commits of all of them that explains each.
func TestHistoryOfProcesses(t *testing.T) {
	effort.Processes(t)
	crew := processes.NewSwapCrew(crewOf(t))
	crew.KillAtRandom(*historyKills)
	crew.Check(checked(t, crew.Dir))
}
