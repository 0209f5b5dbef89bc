//go:build unix

package processes_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/pawlkv/pawl/internal/proof/interop"
	"github.com/pawlkv/pawl/internal/proof/interop/processes"
	"github.com/pawlkv/pawl/internal/proof/interop/processes/crews"
	"github.com/pawlkv/pawl/kv"
)

var pythonKills = flag.Int("processes.python", 8, "processes that are killed in TestPython on each engine")

// TestPython: three processes in Python, on the C library, and one in Go have one device
// and talk Olm with goolm. Any of them is killed while all work, and sometimes the one that
// is started in its place as well.
func TestPython(t *testing.T) {
	for _, engine := range []string{processes.SQLite, processes.Badger} {
		t.Run(engine, func(t *testing.T) {
			library := libraryOf(t, engine)
			t.Parallel()
			c := newMixedCrew(t, engine, library)
			c.Gather()
			c.Start(inGo)
			began, killed := time.Now(), map[string]int{}
			for range *pythonKills {
				w := c.NewWork(c.Members...)
				wait := w.Begin()
				c.Pause(2 * instant)
				victim := c.Any()
				victim.Process.Doom()
				wait()
				c.Kill(victim)
				killed[victim.Name]++
				for c.One(6) {
					c.KillOpening(victim.Name, 100*instant)
				}
				c.Start(victim.Name)
				c.Redeliver(w.Letters...)
			}
			c.End()
			t.Logf("%d messages came and %d went in %v; killed %v; %d calls were refused",
				len(c.Letters()), c.Released(), time.Since(began).Round(time.Second), killed, c.Refused)
			if c.Released() == 0 {
				t.Error("the device has sent nothing")
			}
		})
	}
}

// inGo is the name of the process of a mixed crew that is in Go, beside Names.
const inGo = "desk"

// newMixedCrew is a crew whose family is in Python. Its processes have the patience of the
// C library, so a machine that is busy may have them refuse a call.
func newMixedCrew(t *testing.T, engine, library string) *crew {
	t.Helper()
	from := *seed
	if from == 0 {
		from = rand.Uint64()
	}
	t.Logf("-processes.seed=%d", from)
	place := func(name string, setup processes.Setup) (func(*exec.Cmd) error, processes.Setup) {
		if !slices.Contains(names, name) {
			return (*exec.Cmd).Start, setup
		}
		return func(cmd *exec.Cmd) error { return startPython(cmd, library) }, setup
	}
	return &crew{crews.NewIn(t, place, rand.New(rand.NewPCG(from, 0)),
		processes.Setup{Engine: engine, Dir: t.TempDir(), Patience: unhurried}, goolm(t), processes.ErrGone, kv.ErrUnknown)}
}

func startPython(cmd *exec.Cmd, library string) error {
	python, err := exec.LookPath("python3")
	if err != nil {
		return err
	}
	cmd.Path, cmd.Args = python, []string{python, "child.py"}
	cmd.Env = append(cmd.Env, "PAWL_LIBRARY="+library, "PYTHONPATH="+filepath.Join("..", "..", "..", "..", "bindings", "python"))
	return cmd.Start()
}

func goolm(t *testing.T) interop.Implementation {
	t.Helper()
	for _, other := range interop.Others() {
		if other.Name() == "goolm" {
			return other
		}
	}
	t.Fatal("there is no goolm")
	return nil
}

// builtIn names the folder that "make libpawl" builds in.
const builtIn = "PAWL_LIBPAWL"

// libraryOf returns the C library that has an engine. Without it, or without Python, it
// skips a test, or fails it where they are required.
func libraryOf(t *testing.T, engine string) string {
	t.Helper()
	folder := os.Getenv(builtIn)
	if folder == "" {
		t.Skipf("without processes in Python: make test-c builds the C library and names its folder by %s", builtIn)
	}
	library, _ := filepath.Glob(filepath.Join(folder, engine, "libpawl.[sd]*"))
	_, err := exec.LookPath("python3")
	if len(library) != 1 {
		err = fmt.Errorf("%s has no library of flavour %s", folder, engine)
	}
	switch {
	case err == nil:
		return library[0]
	case os.Getenv("PAWL_C") != "":
		t.Fatal(err)
	}
	t.Skip(err)
	return ""
}
