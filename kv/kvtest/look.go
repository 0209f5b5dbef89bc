package kvtest

import (
	"errors"
	"fmt"
	"slices"

	"github.com/pawlkv/pawl/kv"
)

// snapLook: where a view makes several calls in one, that is what they would be one after
// the other, and the view has returned it all as they do.
func snapLook(e *env) {
	s := e.store()
	view := s.Snapshot()
	defer view.Close()
	if _, can := view.(kv.Looker); !can {
		return
	}
	e.write(s, put("a/1", "1"), put("a/2", "1"), put("a/3", "1"), put("b/1", "1"), put("k", "1"))
	look := func(keys, prefixes []string, most int) (kv.Snapshot, []kv.Entry, []kv.Begun) {
		e.Helper()
		snap := s.Snapshot()
		entries, begun, err := snap.(kv.Looker).Look(e.ctx, keys, prefixes, most)
		if err != nil || len(entries) != len(keys) || len(begun) != len(prefixes) {
			e.Fatalf("look at %d keys and %d prefixes: %d and %d, %v", len(keys), len(prefixes), len(entries), len(begun), err)
		}
		return snap, entries, begun
	}
	describe := func(entries []kv.Entry) (all []string) {
		for _, one := range entries {
			all = append(all, fmt.Sprintf("%s=%s at %d", one.Key, one.Value, one.Version))
		}
		return all
	}
	for most := 1; most < 5; most++ {
		snap, entries, begun := look([]string{"none", "k"}, []string{"a/", "b/", "c/"}, most)
		if got, want := describe(entries), describe(e.read(snap, "none", "k")); !slices.Equal(got, want) {
			e.Errorf("look: %q, want %q", got, want)
		}
		for i, prefix := range []string{"a/", "b/", "c/"} {
			all := e.scan(snap, prefix)
			if got, want := describe(begun[i].Entries), describe(all[:min(most, len(all))]); !slices.Equal(got, want) {
				e.Errorf("look at %d of %s: %q, want %q", most, prefix, got, want)
			}
			if begun[i].Whole && len(all) > most || !begun[i].Whole && len(all) < most {
				e.Errorf("look at %d of %d under %s: whole is %v", most, len(all), prefix, begun[i].Whole)
			}
		}
		snap.Close()
	}
	var keys, prefixes []string
	for i := range 150 {
		keys, prefixes = append(keys, fmt.Sprint("no", i)), append(prefixes, fmt.Sprintf("no%d/", i))
	}
	snap, entries, begun := look(append(keys, "k"), append(prefixes, "b/"), 2)
	if !entries[150].Exists() || len(begun[150].Entries) != 1 || entries[149].Exists() || len(begun[149].Entries) > 0 {
		e.Errorf("the last of 151 keys and prefixes: %q, %q", describe(entries[149:]), describe(begun[150].Entries))
	}
	snap.Close()

	// What was looked at stays, or the view is gone; what was not may change.
	for _, change := range []struct {
		write kv.Write
		seen  bool
	}{
		{put("k", "2"), true}, {put("none", "2"), true}, {put("b/1", "2"), true}, {put("c/1", "2"), true},
		{put("b/0", "2"), true}, {put("a/2", "2"), true}, {del("a/1"), true}, {put("a/9", "2"), false}, {put("other", "2"), false},
	} {
		snap, _, _ := look([]string{"none", "k"}, []string{"a/", "b/", "c/"}, 2)
		before := e.get(s, change.write.Key)
		e.write(s, change.write)
		entries, err := snap.Get(e.ctx, change.write.Key)
		switch {
		case errors.Is(err, kv.ErrConflict) && change.seen:
		case err != nil:
			e.Errorf("after %s was written: %v", change.write.Key, err)
		case change.seen && entries[0].Version != before.Version:
			e.Errorf("%s was looked at at version %d, and is at %d in the same view", change.write.Key, before.Version, entries[0].Version)
		}
		snap.Close()
		e.write(s, put("a/1", "1"), del("none"), del("c/1"), del("b/0"))
	}
	view.Close()
	if _, _, err := view.(kv.Looker).Look(e.ctx, nil, []string{"a/"}, 1); !errors.Is(err, kv.ErrClosed) {
		e.Errorf("look at a closed view: %v, want %v", err, kv.ErrClosed)
	}
	if _, _, err := view.(kv.Looker).Look(e.ctx, []string{""}, nil, 1); !errors.Is(err, kv.ErrInvalid) && !errors.Is(err, kv.ErrClosed) {
		e.Errorf("look at no key: %v, want %v", err, kv.ErrInvalid)
	}
}
