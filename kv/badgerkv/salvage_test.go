package badgerkv_test

import (
	"errors"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/badgerkv"
)

func salvaged(t testing.TB, dir string) (badgerkv.Salvaged, map[string]string) {
	t.Helper()
	found, err := badgerkv.Salvage(dir)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, e := range found.Entries {
		got[e.Key] = string(e.Value)
	}
	return found, got
}

// checkSalvaged reads what is left of a store that was refused: it names a fault,
// and no value that nobody wrote.
func checkSalvaged(t *testing.T, dir string, h history, how string) {
	t.Helper()
	found, got := salvaged(t, dir)
	if len(found.Faults) == 0 {
		t.Errorf("%s: it was refused, and nothing is wrong with its files", how)
	}
	for key, value := range got {
		if !slices.ContainsFunc(h, func(then map[string]string) bool { return then[key] == value }) {
			t.Errorf("%s: nobody wrote %q under %q", how, value, key)
		}
	}
}

// TestSalvageWhole: of a store that opens everything is read, and nothing is
// wrong.
func TestSalvageWhole(t *testing.T) {
	running, closed, h := brokenOff(t)
	for name, files := range map[string]string{"running": restored(t, running), "closed": restored(t, closed)} {
		if found, got := salvaged(t, files); len(found.Faults) > 0 || !maps.Equal(got, h.last()) {
			t.Errorf("%s: %d of %d entries, faults %v", name, len(got), len(h.last()), found.Faults)
		}
	}
}

// TestSalvageNamesEachFile: all files that are wrong are named, and what the
// others hold is read.
func TestSalvageNamesEachFile(t *testing.T) {
	dir := newDir(t)
	store := open(t, dir)
	want := map[string]string{}
	for _, key := range []string{"one", "two", "three", "four"} {
		want[key] = strings.Repeat(key, 300_000) // in pieces
		put(t, store, key, want[key])
		mustClose(t, store)
		store = open(t, dir)
	}
	put(t, store, "in the log", "value")
	files := imageOf(t, dir)
	mustClose(t, store)
	var tables []string
	for _, name := range files.Names() {
		if filepath.Ext(name) == ".sst" {
			tables = append(tables, name)
		}
	}
	if len(tables) < 4 {
		t.Fatalf("%d tables", len(tables))
	}
	delete(files, tables[0])
	files = files.With(tables[1], files[tables[1]].Flipped(100, 1))
	files = files.With("MANIFEST", files["MANIFEST"].Flipped(20, 1))
	dir = restored(t, files)
	if _, err := badgerkv.Open(dir); !errors.Is(err, kv.ErrCorrupt) {
		t.Fatalf("it opens: %v", err)
	}
	before := imageOf(t, dir)
	found, got := salvaged(t, dir)
	for _, name := range []string{"MANIFEST", tables[1]} {
		if !slices.ContainsFunc(found.Faults, func(err error) bool { return strings.Contains(err.Error(), name) }) {
			t.Errorf("%s is not named: %v", name, found.Faults)
		}
	}
	// Nobody can say that the first table is missing, without the manifest. All that
	// the other tables have is there; Badger may have merged some of them.
	others := maps.Clone(files)
	delete(others, tables[1])
	_, rest := salvaged(t, restored(t, others))
	for key, value := range rest {
		if got[key] != value {
			t.Errorf("%q is in other tables, and is lost", key)
		}
	}
	for key, value := range got {
		if key != "in the log" && want[key] != value {
			t.Errorf("%q has a wrong value", key)
		}
	}
	if got["in the log"] != "value" {
		t.Errorf("in the log is %q", got["in the log"])
	}
	for name, file := range imageOf(t, dir) {
		if string(before[name].Data) != string(file.Data) {
			t.Errorf("salvaging has changed %s", name)
		}
	}
	// With the manifest it is named.
	files = files.With("MANIFEST", files["MANIFEST"].Flipped(20, 1))
	found, _ = salvaged(t, restored(t, files))
	if !slices.ContainsFunc(found.Faults, func(err error) bool { return strings.Contains(err.Error(), tables[0]+": the table is missing") }) {
		t.Errorf("%s is missing, and is not named: %v", tables[0], found.Faults)
	}
}

// TestSalvageOwned: a store that is open is not read behind its owner's back.
func TestSalvageOwned(t *testing.T) {
	dir := newDir(t)
	store := open(t, dir)
	if _, err := badgerkv.Salvage(dir); !errors.Is(err, kv.ErrInUse) {
		t.Errorf("with the store open: %v, want ErrInUse", err)
	}
	put(t, store, "still", "works")
	if _, err := badgerkv.Salvage(t.TempDir()); err != nil {
		t.Errorf("an empty directory: %v", err)
	}
}
