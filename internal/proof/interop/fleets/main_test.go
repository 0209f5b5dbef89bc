//go:build linux

package fleets

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/pawlkv/pawl/internal/proof/interop/processes"
	"github.com/pawlkv/pawl/kv/etcdkv/etcdtest"
	swapping "github.com/pawlkv/pawl/kv/kvtest/processes"
)

// Longer, and repeated from a seed as far as the systems' schedulers allow, with
//
//	go test . -fleet.rounds=1000 -fleet.seed=7
var (
	rounds  = flag.Int("fleet.rounds", 1, "rounds of random faults, after one of each fault")
	seed    = flag.Uint64("fleet.seed", 0, "of what is done and what fails when; 0 is another each time")
	only    = flag.String("fleet.only", "", "faults alone whose names match this regular expression")
	whole   = flag.Bool("fleet.whole", false, "the bridge with all its devices")
	proxies = flag.Bool("fleet.proxies", false, "do as if there were no rights to network namespaces")
)

func TestMain(m *testing.M) {
	etcdtest.Main(func() {
		if os.Getenv(replicaEnv) != "" {
			if err := serveReplica(os.Stdin, os.Stdout); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
			os.Exit(0)
		}
		if !processes.Called() {
			swapping.Main(m, map[string]swapping.Role{swapping.SwapRole: swap})
		}
		if err := processes.Serve(os.Stdin, os.Stdout, openers); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	})
}

// newRand returns the randomness of a test, and prints its seed.
func newRand(t *testing.T) *rand.Rand {
	t.Helper()
	from := *seed
	if from == 0 {
		from = rand.Uint64()
	}
	t.Logf("-fleet.seed=%d", from)
	return rand.New(rand.NewPCG(from, 0))
}
