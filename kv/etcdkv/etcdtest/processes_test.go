//go:build linux || darwin

package etcdtest

import (
	"context"
	"flag"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/pawlkv/pawl/internal/proof/effort"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/etcdkv"
	"github.com/pawlkv/pawl/kv/kvtest/processes"
)

var (
	rounds = flag.Int("etcd.rounds", 1, "how often each member fails in each test of processes")
	seed   = flag.Uint64("etcd.seed", 0, "of which processes are killed when; 0 is another each time")
)

func TestMain(m *testing.M) {
	Main(func() {
		processes.Main(m, map[string]processes.Role{
			processes.CountRole: inStore(func(s kv.Store, dir string) error { return processes.Count(s, dir, nil) }),
			processes.SwapRole:  inStore(processes.Swap),
		})
	})
}

// inStore is a role in the store of the cluster whose endpoints are in a file.
func inStore(role func(kv.Store, string) error) processes.Role {
	return func(dir string) error {
		s, err := openStored(context.Background(), dir)
		if err != nil {
			return err
		}
		return role(s, dir)
	}
}

func openStored(ctx context.Context, dir string) (kv.Store, error) {
	endpoints, err := os.ReadFile(dir)
	if err != nil {
		return nil, err
	}
	db, err := etcdkv.Open(ctx, clientv3.Config{Endpoints: strings.Fields(string(endpoints))}, etcdkv.WithWait(2*time.Second))
	if err != nil {
		return nil, err
	}
	for { // a process may be started while no member leads
		s, err := db.Store(ctx, "crew")
		if kv.OutcomeOf(err) != kv.Unsent {
			return s, err
		}
	}
}

// crewOf returns the arguments of a crew in a store of its own.
func crewOf(t *testing.T, c *Cluster) (*testing.T, int, string, *rand.Rand) {
	t.Helper()
	one := *seed
	if one == 0 {
		one = rand.Uint64()
	}
	t.Logf("-etcd.seed=%d", one)
	dir := filepath.Join(t.TempDir(), "endpoints")
	if err := os.WriteFile(dir, []byte(strings.Join(c.Endpoints(), " ")), 0o600); err != nil {
		t.Fatal(err)
	}
	return t, 4, dir, rand.New(rand.NewPCG(one, 0))
}

// kills is how many processes are killed beside each fault of a member.
const kills = 3

// failAll kills processes at any instant while each member is killed and suspended.
func failAll(t *testing.T, c *Cluster, crew *processes.Crew) {
	t.Helper()
	for range *rounds {
		for _, m := range c.Members {
			crew.KillAtRandom(kills)
			m.Kill()
			crew.KillAtRandom(kills)
			m.Run(t)
			c.Await(t)
			m.Stop()
			crew.KillAtRandom(kills)
			m.Continue()
			c.Await(t)
		}
	}
}

// TestProcesses: whichever processes and members are killed and suspended, what was
// acknowledged is there, once, and one order explains all that was seen and committed.
func TestProcesses(t *testing.T) {
	effort.Processes(t)
	EachInFull(t, func(t *testing.T, server Server) {
		c := Start(t, server, 3)
		crew := processes.NewCrew(crewOf(t, c))
		failAll(t, c, crew)
		crew.Check(func() (kv.Store, error) { return openStored(t.Context(), crew.Dir) })
	})
}

// TestHistory is the same with transactions over several keys.
func TestHistory(t *testing.T) {
	effort.Processes(t)
	EachInFull(t, func(t *testing.T, server Server) {
		c := Start(t, server, 3)
		crew := processes.NewSwapCrew(crewOf(t, c))
		failAll(t, c, crew.Crew)
		crew.Check(func() (kv.Store, error) { return openStored(t.Context(), crew.Dir) })
	})
}
