package sqlitekv

import (
	"errors"
	"flag"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/ncruces/go-sqlite3/vfs"

	"github.com/pawlkv/pawl/internal/proof/aftermath"
	"github.com/pawlkv/pawl/internal/proof/effort"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/kvtest/power"
)

var (
	powerRandom = effort.Flag("sqlitekv.power", 1, 1, "how many random losses are tried at each operation on a file")
	powerImages = effort.Flag("sqlitekv.images", 150, 30, "how many of the images that a power failure may leave are opened; 0 is all")
	powerSeed   = flag.Uint64("sqlitekv.seed", 0, "of the random losses; 0 is another each time")
)

func powerEffort() power.Effort {
	return power.Effort{Random: powerRandom(), Images: powerImages(), Seed: *powerSeed}
}

// TestPowerFailure: wherever the power fails, and whatever was not synced is
// lost, each synced commit that was acknowledged is there, and of the others
// none without all that came before it.
func TestPowerFailure(t *testing.T) {
	power.Fail(t, powerKit, new(power.Commits), powerEffort())
}

// TestPowerFailureOfAShortLog fails the power while the log goes to the database
// and begins anew, again and again.
func TestPowerFailureOfAShortLog(t *testing.T) {
	kit := powerKit
	var disk powerDisk
	kit.Disk = func(t *testing.T) power.Disk {
		disk = newPowerDisk(t)
		disk.softLog = 32 << 10
		return disk
	}
	power.Fail(t, kit, new(power.Commits), powerEffort())
	anew := 0
	for _, o := range disk.Ops() {
		if o.File == storeFile && o.Kind == power.Sync {
			anew++
		}
	}
	if anew < 3 {
		t.Errorf("the log went to the database %d times: nothing was tested", anew)
	}
}

// TestPowerFailureOfALife fails the power behind every operation of a device's
// life, those of closing the files and of opening them again included. The device
// goes on with all that was acknowledged, and uses no key twice.
func TestPowerFailureOfALife(t *testing.T) {
	power.Fail(t, powerKit, aftermath.Under(t.Context()), powerEffort())
}

// TestAcknowledgedAfterSync: between the last write to the log and the answer to
// a synced commit there is a sync of the log.
func TestAcknowledgedAfterSync(t *testing.T) {
	disk := newPowerDisk(t)
	s, err := disk.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	synced := []bool{true, false, true, true, false, true}
	for i, sync := range synced {
		if _, err := putOne(s, "k", string(rune('a'+i)), sync); err != nil {
			t.Fatal(err)
		}
		disk.Acknowledge()
	}
	dirty, unsynced, commit := false, 0, 0
	for _, o := range disk.Ops() {
		switch {
		case o.Kind == power.Step:
			if dirty && synced[commit] {
				t.Errorf("commit %d was acknowledged before a sync", commit+1)
			} else if dirty {
				unsynced++
			}
			commit++
		case o.File == storeFile+logSuffix:
			dirty = o.Kind == power.Write
		}
	}
	if unsynced != 2 {
		t.Errorf("%d of 2 commits that need not be synced were not", unsynced)
	}
}

// TestFullSyncs: every sync of a life goes through the cache of the disk on those
// systems that have to be asked for that: of making the store, of commits, of
// what is brought from the log to the database, of raising it and of closing it.
func TestFullSyncs(t *testing.T) {
	d := newDisk(t)
	path := oldStore(t)
	life := func(path string) {
		t.Helper()
		s := openStore(t, path, func(s *settings) { s.vfs, s.softLog = d.name, 8<<10 })
		for i := range 20 {
			if _, err := putOne(s, "k", strings.Repeat("v", 1000+i), i%3 > 0); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := s.Raise(t.Context()); err != nil {
			t.Fatal(err)
		}
		mustPut(t, s, "k", "v")
		if err := errors.Join(s.Flatten(t.Context()), s.Close()); err != nil {
			t.Fatal(err)
		}
	}
	life(path)
	life(path + "-made")
	made := filepath.Base(path) + "-made"
	for file, least := range map[string]int{
		filepath.Base(path): 1, filepath.Base(path) + logSuffix: 10, made: 1, made + logSuffix: 10, made + newSuffix: 1,
	} {
		flags := d.syncs[file]
		if len(flags) < least {
			t.Errorf("%s was synced %d times, want %d at least: nothing was tested", file, len(flags), least)
		}
		for _, f := range flags {
			if f&vfs.SYNC_FULL != vfs.SYNC_FULL {
				t.Fatalf("a sync of %s has flags %#x, want %#x in them", file, f, vfs.SYNC_FULL)
			}
		}
	}
}

// TestFailedSync: a commit whose sync fails is of unknown outcome, until the
// same batch is committed again; others are refused meanwhile.
func TestFailedSync(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	openStore(t, path).Close()
	d := newDisk(t)
	s := openStore(t, path, func(s *settings) { s.vfs = d.name })
	mustPut(t, s, "k", "before")
	d.fail(syscall.EIO)
	b := &kv.Batch{ID: kv.NewCommitID(1), Sync: true, Writes: []kv.Write{{Key: "k", Value: []byte("unsure")}}}
	for range 2 {
		if _, err := s.Commit(t.Context(), b); !errors.Is(err, kv.ErrUnknown) || errors.Is(err, kv.ErrExpired) {
			t.Fatalf("a commit whose sync fails: %v, want %v", err, kv.ErrUnknown)
		}
		if _, err := putOne(s, "other", "v", true); !errors.Is(err, kv.ErrUnavailable) {
			t.Errorf("another commit meanwhile: %v, want %v", err, kv.ErrUnavailable)
		}
	}
	d.fail(nil)
	before := d.timesSynced("store.db")
	version, err := s.Commit(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	if e := getOne(t, s, "k"); e.Version != version || string(e.Value) != "unsure" {
		t.Errorf("key k is %q at version %d, want the batch's at %d", e.Value, e.Version, version)
	}
	if again, err := s.Commit(t.Context(), b); again != version || err != nil {
		t.Errorf("the batch once more: version %d, %v, want %d", again, err, version)
	}
	// A later sync of the log would not tell what an earlier one has lost.
	if d.timesSynced("store.db") == before {
		t.Error("the log goes on after a sync that failed, and the database has not got what is in it")
	}
	mustPut(t, s, "other", "v")
}
