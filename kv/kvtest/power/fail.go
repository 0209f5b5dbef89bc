package power

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/pawlkv/pawl/kv"
)

// Subject works in a store, step by step, and can tell of a store that is opened
// after a power failure whether everything is there that it was told.
type Subject interface {
	// Begin takes up an empty store, Resume the same one when it was closed and
	// opened again.
	Begin(store kv.Store) error
	Resume(store kv.Store) error

	// Step makes one of Steps steps. What it was told counts as acknowledged
	// when it returns.
	Step() error
	Steps() int

	// Judge says what is wrong with a store that was left when so many steps
	// had returned and the next was perhaps under way. It may be called by several
	// goroutines, when all steps are done.
	Judge(store kv.Store, steps int) error
}

// Disk is where the store of a Kit is, and what may be left of it.
type Disk interface {
	Open() (kv.Store, error)
	Acknowledge() // a step was acknowledged
	Outages(rng *rand.Rand, random int) []Outage
}

// Kit is what Fail needs of an engine.
type Kit struct {
	// Disk returns an empty disk that records.
	Disk func(t *testing.T) Disk
	// Open opens what a power failure has left in a directory, and checks it as
	// well as the engine can.
	Open func(dir string) (kv.Store, error)
}

// Outage is what a power failure may leave.
type Outage struct {
	What  string // when it comes, and what it loses
	Steps int    // that were acknowledged
	Image func() Image
}

// Effort is how much Fail does.
type Effort struct {
	Random int    // times that something random is lost, at each place
	Images int    // that are opened, chosen at random; 0 is all
	Seed   uint64 // of what is random; 0 is another each time
}

// Fail lets a subject work on a disk of the kit, fails the power at each place of
// that, and asks the subject about what is left. In the middle the store is closed
// and opened again.
func Fail(t *testing.T, kit Kit, subject Subject, effort Effort) {
	t.Helper()
	if err := fail(t, kit, subject, effort); err != nil {
		t.Error(err)
	}
}

func fail(t *testing.T, kit Kit, subject Subject, effort Effort) error {
	if effort.Seed == 0 {
		effort.Seed = rand.Uint64()
	}
	t.Logf("seed %d", effort.Seed)
	rng := rand.New(rand.NewPCG(effort.Seed, 0))
	disk := kit.Disk(t)
	if err := work(disk, subject); err != nil {
		return err
	}
	outages := disk.Outages(rng, effort.Random)
	t.Logf("%d images of %d steps", len(outages), subject.Steps())
	if len(outages) < 2*subject.Steps() {
		return fmt.Errorf("%d images of %d steps: what is left out?", len(outages), subject.Steps())
	}
	if n := effort.Images; n > 0 && n < len(outages) {
		rng.Shuffle(len(outages), func(i, j int) { outages[i], outages[j] = outages[j], outages[i] })
		outages = outages[:n]
	}
	dir := t.TempDir()
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	verdicts := make([]error, len(outages))
	for i, o := range outages {
		group.Go(func() error {
			verdicts[i] = o.judge(kit, subject, filepath.Join(dir, fmt.Sprint(i)))
			return verdicts[i]
		})
	}
	if group.Wait() == nil {
		return nil
	}
	// Of what fails the earliest: who came first on this machine says little.
	return verdicts[slices.IndexFunc(verdicts, func(err error) bool { return err != nil })]
}

// work lets the subject make its steps.
func work(disk Disk, subject Subject) error {
	store, err := disk.Open()
	if err != nil {
		return err
	}
	if err := subject.Begin(store); err != nil {
		return err
	}
	disk.Acknowledge()
	for step := range subject.Steps() {
		if step == subject.Steps()/2 {
			if err := store.Close(); err != nil {
				return err
			}
			if store, err = disk.Open(); err != nil {
				return err
			}
			if err := subject.Resume(store); err != nil {
				return err
			}
		}
		if err := subject.Step(); err != nil {
			return fmt.Errorf("step %d: %w", step+1, err)
		}
		disk.Acknowledge()
	}
	return store.Close()
}

// judge opens what is left and asks the subject about it. It takes the files away
// at once: there are many.
func (o Outage) judge(kit Kit, subject Subject, dir string) (err error) {
	defer os.RemoveAll(dir)
	if err := o.Image().Write(dir); err != nil {
		return err
	}
	store, err := kit.Open(dir)
	if err != nil {
		return fmt.Errorf("the power fails %s: %w", o.What, err)
	}
	defer store.Close()
	if err := subject.Judge(store, o.Steps); err != nil {
		return fmt.Errorf("the power fails %s, %d steps were acknowledged: %w", o.What, o.Steps, err)
	}
	return nil
}
