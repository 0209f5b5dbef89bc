package badgerkv_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/pawlkv/pawl/kv"
)

// TestLongValues overwrites values of lengths around those of pieces with each
// other, and reads them in the same process and the next.
func TestLongValues(t *testing.T) {
	dir := newDir(t)
	store := open(t, dir)
	lengths := []int{0, 1, 512<<10 - 1, 512 << 10, 512<<10 + 1, 1 << 20, 1<<20 + 1, kv.EmbeddedBytes - 1}
	rng := rand.NewChaCha8([32]byte{})
	for _, from := range lengths {
		for _, to := range lengths {
			for _, length := range []int{from, to} {
				value := make([]byte, length)
				rng.Read(value)
				version := commit(t, store, &kv.Batch{ID: kv.NewCommitID(0), Writes: []kv.Write{{Key: "k", Value: value}}})
				if e := get(t, store, "k"); !bytes.Equal(e.Value, value) || e.Version != version {
					t.Fatalf("length %d after %d: another value", length, from)
				}
			}
		}
		e := get(t, store, "k")
		mustClose(t, store)
		store = open(t, dir)
		if again := get(t, store, "k"); !bytes.Equal(again.Value, e.Value) || again.Version != e.Version {
			t.Fatalf("after opening: another value")
		}
	}
	commit(t, store, &kv.Batch{ID: kv.NewCommitID(0), Writes: []kv.Write{{Key: "k", Delete: true}}})
	if got := content(t, store); len(got) != 0 {
		t.Errorf("%d entries are left", len(got))
	}
}

// TestLargestBatches commits batches at the limits past the version at which
// commit IDs are collected, many at a time: whatever Badger's limits are, no
// group may exceed them.
func TestLargestBatches(t *testing.T) {
	store := open(t, newDir(t))
	value := make([]byte, 300)
	done := make(chan error)
	const writers = 150
	for w := range writers {
		go func() {
			for i := range 12 {
				b := &kv.Batch{ID: kv.NewCommitID(0)}
				if w == 0 {
					for n := range kv.EmbeddedWrites {
						b.Writes = append(b.Writes, kv.Write{Key: fmt.Sprintf("%05d/%010d", n, i), Value: value[:kv.EmbeddedBytes/kv.EmbeddedWrites-16]})
					}
				} else {
					b.Writes = []kv.Write{{Key: fmt.Sprintf("w%d", w), Value: value}}
				}
				if _, err := store.Commit(context.Background(), b); err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
	}
	for range writers {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
}
