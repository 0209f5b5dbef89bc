//go:build linux || darwin

package bbolttest_test

import (
	"flag"
	"testing"

	"github.com/pawlkv/pawl/internal/proof/effort"
	"github.com/pawlkv/pawl/kv/sharekv/sharetest"
)

var (
	kills = flag.Int("bbolt.rounds", 20, "how many processes are killed in each test of it")
	seed  = flag.Uint64("bbolt.seed", 0, "of everything random; 0 is another each time")
)

func TestMain(m *testing.M) { sharetest.Main(m, shared) }

func TestProcesses(t *testing.T) {
	effort.Processes(t)
	sharetest.RunProcesses(t, shared, *kills, *seed)
}
