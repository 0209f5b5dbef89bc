package design

import (
	"context"
	"slices"
	"strconv"
	"sync"
	"testing"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/txn"
)

// counters are in one account, or in several: each has its own blob.
var counters = txn.Record[string, counter]{
	Kind: "counter", Codec: txn.Msgpack[counter](1),
	Name: func(c counter) string { return c.Name },
	Path: func(name string) txn.Path { return txn.PathOf(name) },
}

type counter struct {
	Name  string
	Count int
}

// process is one that counts, under a design.
type process struct {
	shared Shared
	db     *txn.DB
}

func start(d Design, engine kv.Store, name string) process {
	shared := d.Share(engine, name)
	return process{shared, txn.New(shared, txn.WithSealer(txn.Plaintext), txn.WithCache(d.Cache)).Account("bob")}
}

// count adds one to a counter in a step.
func (p process) count(ctx context.Context, s Step, name string) error {
	release, err := p.shared.Hold(ctx, s)
	if err != nil {
		return err
	}
	defer release()
	_, err = txn.Do(ctx, p.db, func(tx *txn.Tx) (struct{}, error) {
		c, _, err := counters.Get(tx, name)
		if err != nil {
			return struct{}{}, err
		}
		return struct{}{}, counters.Put(tx, counter{name, c.Count + 1})
	})
	return err
}

// stored returns the counter as a new process finds it.
func stored(t *testing.T, d Design, engine kv.Store, name string) int {
	t.Helper()
	n, err := txn.View(t.Context(), start(d, engine, "third").db, func(tx *txn.Tx) (int, error) {
		c, _, err := counters.Get(tx, name)
		return c.Count, err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestAll: each design is found by its name, and says what it does not see
// unless it holds.
func TestAll(t *testing.T) {
	var names []string
	for _, d := range All() {
		names = append(names, d.Name)
		found, ok := Find(d.Name)
		if !ok || found.Title != d.Title {
			t.Errorf("Find(%q) = %q, %v", d.Name, found.Title, ok)
		}
		if len(d.How) == 0 || d.Holds != (d.Because == nil) {
			t.Errorf("%s: holds %v, because %q, how %q", d.Name, d.Holds, d.Because, d.How)
		}
	}
	want := []string{"stale", "biglock", "lease", "blob", "none", "validated"}
	if !slices.Equal(names, want) {
		t.Errorf("the designs are %q, want %q", names, want)
	}
	if _, ok := Find("none of them"); ok {
		t.Error("a design was found by a name that none has")
	}
}

// TestTurns has two processes count in turn, twice each: those that hold come
// to 4, and the others lose what the other process has counted. Decrypting, the
// lease tells the processes of each other.
func TestTurns(t *testing.T) {
	want := map[string][2]int{ // decrypting, encrypting
		NameStale: {3, 3}, NameBigLock: {3, 3}, NameLease: {4, 3},
		NameBlob: {4, 4}, NameNone: {4, 4}, NameValidated: {4, 4},
	}
	for _, d := range All() {
		for _, step := range []Step{Decrypting, Encrypting} {
			engine := memkv.New()
			app, nse := start(d, engine, "app"), start(d, engine, "NSE")
			for _, p := range []process{app, nse, app, nse} {
				if err := p.count(t.Context(), step, "a"); err != nil {
					t.Fatal(err)
				}
			}
			if got := stored(t, d, engine, "a"); got != want[d.Name][step] {
				t.Errorf("%s, step %d: the counter is %d, want %d", d.Name, step, got, want[d.Name][step])
			}
		}
	}
}

// TestAtOnce has processes count at the same time with the designs that hold.
func TestAtOnce(t *testing.T) {
	const processes, each = 4, 25
	for _, d := range All() {
		if !d.Holds {
			continue
		}
		engine := memkv.New()
		var all sync.WaitGroup
		for i := range processes {
			all.Go(func() {
				p := start(d, engine, strconv.Itoa(i))
				for range each {
					if err := p.count(t.Context(), Encrypting, "a"); err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
		if got := stored(t, d, engine, "a"); got != processes*each {
			t.Errorf("%s: the counter is %d, want %d", d.Name, got, processes*each)
		}
	}
}

// TestEngineStaysOpen: closing what a process has of the engine leaves it open.
func TestEngineStaysOpen(t *testing.T) {
	for _, d := range All() {
		engine := memkv.New()
		if err := d.Share(engine, "app").Close(); err != nil {
			t.Fatal(err)
		}
		if got := stored(t, d, engine, "a"); got != 0 {
			t.Errorf("%s: the counter is %d", d.Name, got)
		}
	}
}
