package badgerkv_test

import (
	"flag"
	"path/filepath"
	"testing"

	"github.com/pawlkv/pawl/internal/proof/aftermath"
	"github.com/pawlkv/pawl/internal/proof/effort"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/badgerkv"
	"github.com/pawlkv/pawl/kv/kvtest/power"
)

var (
	powerMixtures = flag.Int("badgerkv.power", 4, "how many random sets of pages are written back before each sync")
	powerImages   = effort.Flag("badgerkv.images", 32, 8, "how many of the images that a power failure may leave are opened; 0 is all")
)

// powerDisk is a directory of a store. Its logs are written through memory maps.
type powerDisk struct{ *power.Pages }

// Open implements power.Disk.
func (d powerDisk) Open() (kv.Store, error) {
	store, err := badgerkv.Open(d.Dir, badgerkv.WithSyncHook(func(_ string, sync func() error) error { return d.Sync(sync) }))
	if err == nil {
		d.Opened()
	}
	return store, err
}

var powerKit = power.Kit{
	Disk: func(t *testing.T) power.Disk {
		return powerDisk{&power.Pages{
			T: t, Dir: newDir(t), Rand: seeded(t), Random: *powerMixtures,
			Mapped: func(name string) bool { return filepath.Ext(name) == ".mem" },
			Steady: []string{"MANIFEST"},
		}}
	},
	Open: func(dir string) (kv.Store, error) { return badgerkv.Open(dir) },
}

// TestPowerFailure fails the power between any two syncs of many commits: each
// synced one that was acknowledged is there, and of the others none without all
// that came before it.
func TestPowerFailure(t *testing.T) {
	power.Fail(t, powerKit, new(power.Commits), power.Effort{Images: powerImages() / 2, Seed: *seedFlag})
}

// TestPowerFailureOfALife fails the power between any two syncs of a device's
// life, and lets of what changed since the first any pages be on disk, or a
// part of one. The device goes on with all that was acknowledged, and uses no
// key twice.
func TestPowerFailureOfALife(t *testing.T) {
	power.Fail(t, powerKit, aftermath.Under(t.Context()), power.Effort{Images: powerImages(), Seed: *seedFlag})
}
