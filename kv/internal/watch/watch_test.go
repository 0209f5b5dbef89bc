package watch

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/pawlkv/pawl/kv"
)

func put(keys ...string) []kv.Write {
	var writes []kv.Write
	for _, key := range keys {
		writes = append(writes, kv.Write{Key: key, Delete: strings.HasSuffix(key, "-")})
	}
	return writes
}

// pending returns what a new watch tells without waiting.
func pending(h *Hub, prefix string, after kv.Version) []kv.Change {
	w := h.add(prefix, after)
	defer h.remove(w)
	<-w.bell
	return h.since(w)
}

func TestCoalescedAndInOrder(t *testing.T) {
	hub := New(10, 0)
	hub.Publish(11, put("p/a", "q/x", "p/b"))
	hub.Publish(12, put("p/a"), put("p/c", "p/gone-"))
	hub.Publish(14, put("q/y"))
	for _, c := range []struct {
		prefix string
		after  kv.Version
		want   []kv.Change
	}{
		{"p/", 10, []kv.Change{{Key: "p/b", Version: 11, Head: 11}, {Key: "p/a", Version: 12, Head: 11},
			{Key: "p/c", Version: 12, Head: 11}, {Key: "p/gone-", Head: 14}}},
		{"p/", 11, []kv.Change{{Key: "p/a", Version: 12, Head: 11}, {Key: "p/c", Version: 12, Head: 11}, {Key: "p/gone-", Head: 14}}},
		{"p/", 12, nil},
		{"p/", 14, nil},
		{"q/", 0, []kv.Change{{Resync: true, Head: 14}}},
		{"q/", 9, []kv.Change{{Resync: true, Head: 14}}},
		{"q/", 15, []kv.Change{{Resync: true, Head: 14}}},
		{"q/", 11, []kv.Change{{Key: "q/y", Version: 14, Head: 14}}},
	} {
		if diff := cmp.Diff(c.want, pending(hub, c.prefix, c.after)); diff != "" {
			t.Errorf("watch %s after %d (-want +got):\n%s", c.prefix, c.after, diff)
		}
	}
}

// A watcher that reads too slowly is told that something is lost, and then of
// what comes after.
func TestSlowWatcherResyncs(t *testing.T) {
	hub := New(0, 4)
	hub.Publish(1, put("p/first"))
	var told []kv.Change
	for c, err := range hub.Watch(t.Context(), "p/", 0) {
		if err != nil {
			t.Fatal(err)
		}
		told = append(told, c)
		switch len(told) {
		case 1:
			for v := kv.Version(2); v <= 20; v++ {
				hub.Publish(v, put(fmt.Sprintf("p/%d", v)))
			}
		case 2:
			hub.Publish(21, put("p/last"))
		}
		if c.Key == "p/last" {
			break
		}
	}
	want := []kv.Change{{Key: "p/first", Version: 1, Head: 1}, {Resync: true, Head: 20}, {Key: "p/last", Version: 21, Head: 21}}
	if diff := cmp.Diff(want, told); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Other people's changes do not push a watcher out of the log.
func TestQuietWatcherKeepsItsPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hub := New(0, 4)
		told := make(chan kv.Change)
		go func() {
			for c := range hub.Watch(t.Context(), "p/", 0) {
				told <- c
				return
			}
		}()
		synctest.Wait()
		for v := range kv.Version(100) {
			hub.Publish(v+1, put("q/x"))
		}
		hub.Publish(101, put("p/x"))
		if c := <-told; c != (kv.Change{Key: "p/x", Version: 101, Head: 101}) {
			t.Errorf("told %+v, want p/x", c)
		}
	})
}

func TestWatchEnds(t *testing.T) {
	hub := New(0, 0)
	hub.Publish(1, put("a", "b"))
	var errs []error
	for c, err := range hub.Watch(t.Context(), "", 0) {
		if c.Key == "a" {
			hub.Close()
			hub.Close()
			continue
		}
		errs = append(errs, err)
	}
	if len(errs) != 1 || !errors.Is(errs[0], kv.ErrClosed) {
		t.Errorf("after close: %v, want %v once", errs, kv.ErrClosed)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	open := New(0, 0)
	for _, err := range open.Watch(ctx, "", 0) {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("ended context: %v", err)
		}
	}
}

// Property: a watcher that is lost after any change, and goes on from its Head,
// or reads everything when told to, ends up with the state of the store.
func TestWatcherFollowsTheStore(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		hub := New(0, rapid.IntRange(1, 20).Draw(r, "log"))
		store, copied := map[string]kv.Version{}, map[string]kv.Version{}
		var head, at kv.Version
		for range rapid.IntRange(1, 20).Draw(r, "rounds") {
			for range rapid.IntRange(0, 10).Draw(r, "commits") {
				head += kv.Version(rapid.IntRange(1, 3).Draw(r, "step"))
				keys := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"p/a", "p/b", "p/c", "p/d", "q"}), 1, 3, rapid.ID).Draw(r, "keys")
				hub.Publish(head, randomWrites(r, store, head, keys))
			}
			at = follow(hub, at, rapid.IntRange(1, 8).Draw(r, "changes"), store, copied)
		}
		follow(hub, at, 1000, store, copied)
		maps.DeleteFunc(store, func(key string, _ kv.Version) bool { return !strings.HasPrefix(key, "p/") })
		if diff := cmp.Diff(store, copied); diff != "" {
			r.Fatalf("the watcher's copy (-store +copy):\n%s", diff)
		}
	})
}

// randomWrites puts or deletes keys of a store.
func randomWrites(r *rapid.T, store map[string]kv.Version, version kv.Version, keys []string) []kv.Write {
	var writes []kv.Write
	for _, key := range keys {
		w := kv.Write{Key: key, Delete: rapid.IntRange(0, 3).Draw(r, "delete") == 0}
		if store[key] = version; w.Delete {
			delete(store, key)
		}
		writes = append(writes, w)
	}
	return writes
}

// follow takes up to n changes over into a copy, and returns where to go on.
func follow(hub *Hub, at kv.Version, n int, store, copied map[string]kv.Version) kv.Version {
	told := pending(hub, "p/", at)
	for _, c := range told[:min(n, len(told))] {
		switch at = c.Head; {
		case c.Resync:
			clear(copied)
			for key, version := range store {
				if strings.HasPrefix(key, "p/") {
					copied[key] = version
				}
			}
		case c.Version == 0:
			delete(copied, c.Key)
		default:
			copied[c.Key] = c.Version
		}
	}
	return at
}
