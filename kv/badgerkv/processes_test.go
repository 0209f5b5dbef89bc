//go:build linux || darwin

package badgerkv_test

import (
	"flag"
	"testing"

	"github.com/pawlkv/pawl/internal/proof/effort"
	"github.com/pawlkv/pawl/kv/sharekv/sharetest"
)

var kills = flag.Int("badgerkv.rounds", 40, "how many processes are killed in each test of it")

func TestMain(m *testing.M) { sharetest.Main(m, shared) }

func TestProcesses(t *testing.T) {
	effort.Processes(t)
	sharetest.RunProcesses(t, shared, *kills, *seedFlag)
}
