package sqlitekv

import (
	"crypto/sha256"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/pawlkv/pawl/internal/proof/aftermath"
)

var (
	powerRounds = flag.Int("sqlitekv.power", 1, "how many random losses are tried at each operation of a life")
	powerSeed   = flag.Uint64("sqlitekv.seed", 0, "of the random losses; 0 is another each time")
)

// outage is what a power failure left of a life.
type outage struct {
	what  string
	files map[string][]byte
	calls int // that had returned
}

// TestPowerFailureOfALife fails the power behind every operation of a device's
// life, those of closing the files and of opening them again included, and
// loses of what was not synced nothing, everything, or any part. The device
// goes on with all that was acknowledged, and uses no key twice.
func TestPowerFailureOfALife(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	openStore(t, path).Close()
	empty, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	d, name := newDisk(t)
	s := openStore(t, path, func(s *settings) { s.vfs = name })
	life, err := aftermath.Begin(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	var gates [][]byte // after each call
	mark := func(calls int) {
		d.note(op{kind: "mark", mark: calls})
		gate, err := os.ReadFile(path + gateSuffix)
		if err != nil {
			t.Fatal(err)
		}
		gates = append(gates, gate)
	}
	mark(0)
	for call := range aftermath.Calls {
		if call == aftermath.Calls/2 {
			if err := s.Yield(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if err := life.Step(); err != nil {
			t.Fatal(err)
		}
		mark(call + 1)
	}
	ops := d.ops[:d.count()]
	images := outages(t, map[string][]byte{"store.db": empty}, ops)
	t.Logf("%d operations, %d different images", len(ops), len(images))
	if len(images) < len(ops)/2 {
		t.Errorf("%d images of %d operations: what is left out?", len(images), len(ops))
	}
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for _, o := range images {
		o.files["store.db"+gateSuffix] = gates[o.calls]
		group.Go(func() error { return o.judge(t, life) })
	}
	if err := group.Wait(); err != nil {
		t.Error(err)
	}
}

// outages returns each image that a power failure behind one of the operations
// may leave, once.
func outages(t *testing.T, begin map[string][]byte, ops []op) (images []outage) {
	seed := *powerSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("-sqlitekv.seed=%d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	seen := make(map[[sha256.Size]byte]bool)
	calls := -1
	for n, o := range ops {
		if o.kind == "mark" {
			calls = o.mark
		}
		if calls < 0 {
			continue // there is no device yet
		}
		for _, what := range append([]string{"nothing", "all"}, slices.Repeat([]string{"some"}, *powerRounds)...) {
			files := crash(begin, ops[:n+1], loses(rng)[what])
			if id := hash(files, calls); !seen[id] {
				seen[id] = true
				images = append(images, outage{fmt.Sprintf("power fails after operation %d (%s of %s), losing %s", n, o.kind, o.file, what), files, calls})
			}
		}
	}
	return images
}

func hash(files map[string][]byte, calls int) (id [sha256.Size]byte) {
	h := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(files)) {
		fmt.Fprintf(h, "%s %d\n", name, len(files[name]))
		h.Write(files[name])
	}
	fmt.Fprintln(h, calls)
	return [sha256.Size]byte(h.Sum(nil))
}

// judge opens the image and asks the life about it. It takes its directory away
// at once: there are many.
func (o outage) judge(t *testing.T, life *aftermath.Life) (err error) {
	dir, err := os.MkdirTemp(t.TempDir(), "outage")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	for name, data := range o.files {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			return err
		}
	}
	s, err := Open(filepath.Join(dir, "store.db"))
	if err != nil {
		return fmt.Errorf("%s: %w", o.what, err)
	}
	defer s.Close()
	if err := s.Check(t.Context()); err != nil {
		return fmt.Errorf("%s: %w", o.what, err)
	}
	if verdict, err := life.Judge(t.Context(), s, o.calls, aftermath.Terms{Lossless: true}); err != nil {
		return fmt.Errorf("%s: %v: %w", o.what, verdict, err)
	}
	return nil
}
