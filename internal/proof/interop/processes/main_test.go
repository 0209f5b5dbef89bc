//go:build unix

package processes_test

import (
	"flag"
	"fmt"
	"os"
	"testing"

	"github.com/pawlkv/pawl/internal/proof/interop"
	"github.com/pawlkv/pawl/internal/proof/interop/processes"
)

// Longer, and repeated from a seed as far as the system's scheduler allows, with
//
//	go test ./processes -processes.kills=3000 -processes.all -processes.seed=7
var (
	kills = flag.Int("processes.kills", usualKills, "rounds of killing on each engine")
	all   = flag.Bool("processes.all", false, "every engine with every far side, not each once")
	seed  = flag.Uint64("processes.seed", 0, "of what is done and broken when; 0 is another each time")
)

func TestMain(m *testing.M) {
	if !processes.Called() {
		if flag.Parse(); testing.Short() {
			fmt.Println("-short starts no processes")
			os.Exit(0)
		}
		os.Exit(m.Run())
	}
	if err := processes.Serve(os.Stdin, os.Stdout, nil); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// eachStore runs a test on every engine, with one of the far sides, or with all
// of them.
func eachStore(t *testing.T, test func(t *testing.T, engine string, other interop.Implementation)) {
	others := interop.Others()
	for i, engine := range []string{processes.Badger, processes.SQLite} {
		for j, other := range others {
			if !*all && j != i%len(others) {
				continue
			}
			t.Run(engine+"/"+other.Name(), func(t *testing.T) { test(t, engine, other) })
		}
	}
}
