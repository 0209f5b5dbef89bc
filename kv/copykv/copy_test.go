package copykv_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/copykv"
	"github.com/pawlkv/pawl/kv/memkv"
)

func put(t rapid.TB, store kv.Store, content map[string]string) {
	t.Helper()
	for key, value := range content {
		w := kv.Write{Key: key, Value: []byte(value)}
		if _, err := store.Commit(context.Background(), &kv.Batch{ID: kv.NewCommitID(0), Writes: []kv.Write{w}, Sync: true}); err != nil {
			t.Fatal(err)
		}
	}
}

func contentOf(t rapid.TB, store kv.Store) map[string]string {
	t.Helper()
	snap := store.Snapshot()
	defer snap.Close()
	content := map[string]string{}
	for e, err := range snap.Scan(context.Background(), "") {
		if err != nil {
			t.Fatal(err)
		}
		content[e.Key] = string(e.Value)
	}
	return content
}

// notPrivate leaves some keys out.
func notPrivate(key string) bool { return !strings.HasPrefix(key, "_") }

// TestBring: whatever both held before, the target holds what was selected of
// the source afterwards and nothing else, and Verify knows.
func TestBring(t *testing.T) {
	contents := rapid.MapOfN(rapid.StringMatching(`[_ab]{1,3}`), rapid.StringN(0, 3, -1), 0, 20)
	rapid.Check(t, func(t *rapid.T) {
		ctx := context.Background()
		from, to := memkv.New(), memkv.New()
		put(t, from, contents.Draw(t, "from"))
		put(t, to, contents.Draw(t, "to"))
		want := contentOf(t, from)
		maps.DeleteFunc(want, func(key, _ string) bool { return !notPrivate(key) })
		same := maps.Equal(want, contentOf(t, to))

		snap, steps := from.Snapshot(), 0
		defer snap.Close()
		step := func() { steps++ }
		if err := copykv.Verify(ctx, snap, to, notPrivate, step); same != (err == nil) || err != nil && !errors.Is(err, copykv.ErrDiffers) {
			t.Fatalf("Verify before: %v, and they are the same: %v", err, same)
		}
		steps = 0
		if err := copykv.Bring(ctx, snap, to, notPrivate, step); err != nil {
			t.Fatal(err)
		}
		if steps != len(contentOf(t, from)) {
			t.Fatalf("%d steps for %d entries", steps, len(contentOf(t, from)))
		}
		if got := contentOf(t, to); !maps.Equal(got, want) {
			t.Fatalf("the target has %q, want %q", got, want)
		}
		if err := copykv.Verify(ctx, snap, to, notPrivate, step); err != nil {
			t.Fatal(err)
		}
	})
}

// TestBringChunks: a store of several commits' size, of which the second run
// writes only what changed.
func TestBringChunks(t *testing.T) {
	from, to := memkv.New(), &counting{Store: memkv.New()}
	content := map[string]string{}
	for i := range 2500 {
		content[fmt.Sprintf("key %04d", i)] = strings.Repeat("x", 1000)
	}
	put(t, from, content)
	all := func(string) bool { return true }
	snap := from.Snapshot()
	defer snap.Close()
	if err := copykv.Bring(t.Context(), snap, to, all, func() {}); err != nil {
		t.Fatal(err)
	}
	if !maps.Equal(contentOf(t, to), content) || to.commits < 3 || to.writes != len(content) || to.unsynced > 0 {
		t.Fatalf("%d writes in %d commits, %d unsynced", to.writes, to.commits, to.unsynced)
	}
	put(t, from, map[string]string{"key 0100": "new"})
	later := from.Snapshot()
	defer later.Close()
	to.writes = 0
	if err := copykv.Bring(t.Context(), later, to, all, func() {}); err != nil || to.writes != 1 {
		t.Fatalf("%d writes for one change, %v", to.writes, err)
	}
}

type counting struct {
	kv.Store
	commits, writes, unsynced int
}

func (c *counting) Commit(ctx context.Context, b *kv.Batch) (kv.Version, error) {
	c.commits++
	c.writes += len(b.Writes)
	if !b.Sync {
		c.unsynced++
	}
	return c.Store.Commit(ctx, b)
}

// TestRead: a commit with what was read succeeds as long as nothing came, went
// or changed.
func TestRead(t *testing.T) {
	for name, change := range map[string]*kv.Write{
		"nothing": nil, "changed": {Key: "b", Value: []byte("2")}, "came": {Key: "c"}, "went": {Key: "a", Delete: true},
	} {
		t.Run(name, func(t *testing.T) {
			store := memkv.New()
			put(t, store, map[string]string{"a": "1", "b": "1"})
			snap := store.Snapshot()
			defer snap.Close()
			all, err := copykv.Read(t.Context(), snap)
			if err != nil {
				t.Fatal(err)
			}
			commit := func(w kv.Write, scans ...kv.ScanRead) error {
				_, err := store.Commit(t.Context(), &kv.Batch{ID: kv.NewCommitID(0), Scans: scans, Writes: []kv.Write{w}, Sync: true})
				return err
			}
			var want error
			if change != nil {
				want = kv.ErrConflict
				if err := commit(*change); err != nil {
					t.Fatal(err)
				}
			}
			if err := commit(kv.Write{Key: "mark"}, all); !errors.Is(err, want) {
				t.Fatalf("%v, want %v", err, want)
			}
		})
	}
}
