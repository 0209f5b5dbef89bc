package badgerkv_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/pawlkv/pawl/internal/proof/aftermath"
	"github.com/pawlkv/pawl/internal/proof/effort"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/badgerkv"
)

var (
	powerMixtures = flag.Int("badgerkv.power", 4, "how many random sets of pages are written back before each sync")
	powerImages   = effort.Flag("badgerkv.images", 32, 8, "how many of the images of a life are opened; 0 is all")
)

// outage is an image that a power failure may leave of a life.
type outage struct {
	mixture
	sync, calls int
}

// recorder takes images of a life's directory around each sync, while nobody
// writes: what was on disk after the one before, and what had changed since.
type recorder struct {
	*testing.T
	dir    string
	rng    *rand.Rand
	life   *aftermath.Life
	safe   image // after the last sync
	syncs  int
	images []outage
}

func (r *recorder) hook(_ string, sync func() error) error {
	if r.life != nil {
		for _, m := range mixtures(r.rng, r.safe, imageOf(r, r.dir), *powerMixtures) {
			r.images = append(r.images, outage{m, r.syncs, r.life.Moments()})
		}
	}
	r.syncs++
	err := sync()
	r.safe = imageOf(r, r.dir)
	return err
}

func (r *recorder) open() *badgerkv.Store { return open(r, r.dir, badgerkv.WithSyncHook(r.hook)) }

// TestPowerFailureOfALife fails the power between any two syncs of a device's
// life, and lets of what changed since the first any pages be on disk, or a
// part of one. The device goes on with all that was acknowledged, and uses no
// key twice.
func TestPowerFailureOfALife(t *testing.T) {
	r := &recorder{T: t, dir: newDir(t), rng: seeded(t)}
	store := r.open()
	life, err := aftermath.Begin(t.Context(), store)
	if err != nil {
		t.Fatal(err)
	}
	r.life = life
	for call := range aftermath.Calls {
		if call == aftermath.Calls/2 {
			// From here on there are tables, and a log that goes on after them.
			mustClose(t, store)
			store = r.open()
			r.safe = imageOf(t, r.dir)
			if err := life.Resume(store); err != nil {
				t.Fatal(err)
			}
		}
		r.unsynced(store, call)
		if err := life.Step(); err != nil {
			t.Fatal(err)
		}
	}
	r.images = append(r.images, outage{mixture{"the end", r.safe}, r.syncs, life.Moments()})
	mustClose(t, store)
	r.judgeAll()
}

// unsynced commits something that may be lost, of several pages.
func (r *recorder) unsynced(store kv.Store, call int) {
	for i := range call % 3 {
		b := batch(fmt.Sprintf("_/other/%d", i), strings.Repeat("x", 3000))
		b.Sync = false
		commit(r, store, b)
	}
}

func (r *recorder) judgeAll() {
	r.Logf("%d syncs, %d images", r.syncs, len(r.images))
	if len(r.images) < 4*aftermath.Calls {
		r.Errorf("%d images of %d calls: what is left out?", len(r.images), aftermath.Calls)
	}
	chosen := r.images
	if n := powerImages(); n > 0 && n < len(chosen) {
		r.rng.Shuffle(len(chosen), func(i, j int) { chosen[i], chosen[j] = chosen[j], chosen[i] })
		chosen = chosen[:n]
	}
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for _, o := range chosen {
		group.Go(func() error {
			if err := o.judge(r.T, r.life); err != nil {
				return fmt.Errorf("before sync %d, written back %s: %w", o.sync, o.what, err)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		r.Error(err)
	}
}

// judge opens the image and asks the life about it.
func (o outage) judge(t *testing.T, life *aftermath.Life) error {
	dir := newDir(t)
	defer os.RemoveAll(filepath.Dir(dir))
	if err := o.write(dir); err != nil {
		return err
	}
	store, err := badgerkv.Open(dir)
	if err != nil {
		return err
	}
	defer store.Close()
	_, err = life.Judge(context.WithoutCancel(t.Context()), store, o.calls, aftermath.Terms{Lossless: true})
	return err
}
