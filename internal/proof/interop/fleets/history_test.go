//go:build linux

package fleets

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/pawlkv/pawl/internal/proof/interop/processes"
	"github.com/pawlkv/pawl/kv"
	swapping "github.com/pawlkv/pawl/kv/kvtest/processes"
)

// What a process of a history is told.
const (
	engineEnv = "PAWL_FLEET_ENGINE"
	urlEnv    = "PAWL_FLEET_URL"
	ownEnv    = "PAWL_FLEET_DIR"
)

// swap is the role of those processes.
func swap(dir string) error {
	setup := processes.Setup{URL: os.Getenv(urlEnv), Dir: os.Getenv(ownEnv), Patience: short}
	s, err := openReached(func() (kv.Store, error) { return openers[os.Getenv(engineEnv)](setup) })
	if err != nil {
		return err
	}
	return swapping.Swap(s, dir)
}

// openReached opens a store, when its server can be reached.
func openReached(open func() (kv.Store, error)) (kv.Store, error) {
	for late := time.Now().Add(processes.Patience); ; {
		s, err := open()
		if kv.OutcomeOf(err) != kv.Unsent || time.Now().After(late) {
			return s, err
		}
	}
}

// history lets processes on all hosts make transactions over several keys while each fault
// happens, and finds an order of all that explains what each saw and was told.
func (s *site) history() {
	s.Helper()
	dir := filepath.Join(s.TempDir(), "logs", "crew")
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		s.Fatal(err)
	}
	crew := swapping.NewSwapCrewAt(s.T, func(i int) (func(*exec.Cmd) error, []string) {
		c := s.clients[i%len(s.clients)]
		return c.Start, []string{engineEnv + "=" + s.engine, urlEnv + "=" + c.url, ownEnv + "=" + c.dir}
	}, 2*len(s.clients), dir, s.rng)
	all := s.all()
	for i := range len(all) + *rounds {
		f := all[i%len(all)]
		if i >= len(all) {
			f = all[s.rng.IntN(len(all))]
		}
		everybody(crew)
		crew.Pause(instant)
		victim := s.rng.IntN(len(crew.Members))
		var b blow
		switch f.name {
		case killed:
			crew.Replace(victim)
		case stopped:
			crew.Members[victim].Freeze()
			b.heal = crew.Members[victim].Thaw
		default:
			b = f.strike(nil)
		}
		if f.lasts {
			<-time.After(lasting) // the fault is that it lasts so long
		}
		if b.heal != nil {
			b.heal()
		}
		if b.done != nil {
			b.done()
		}
	}
	everybody(crew)
	crew.Check(s.open)
}

// everybody waits until each process has made a transaction since.
func everybody(crew swapping.SwapCrew) {
	for _, m := range crew.Members {
		m.Forget()
		m.Says("swapped")
	}
}

// TestPostgresHistory: one order explains all that processes on three hosts saw and were
// told, whatever happens to them and to the server.
func TestPostgresHistory(t *testing.T) {
	t.Parallel()
	newPostgres(t).history()
}
