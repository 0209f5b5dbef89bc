package badgerkv_test

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pawlkv/pawl/internal/proof/effort"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/badgerkv"
	"github.com/pawlkv/pawl/kv/kvtest/power"
)

// damageSamples is how many places of each file are damaged in each way.
func damageSamples() int { return effort.Of(16, 5) }

// history is the contents of a store after each of its commits.
type history []map[string]string

func (h history) last() map[string]string { return h[len(h)-1] }

// commit makes a commit and notes what it comes to.
func (h history) commit(t testing.TB, store kv.Store, keysAndValues ...string) history {
	t.Helper()
	next := maps.Clone(h.last())
	commit(t, store, batch(keysAndValues...))
	for i := 0; i < len(keysAndValues); i += 2 {
		next[keysAndValues[i]] = keysAndValues[i+1]
	}
	return append(h, next)
}

// brokenOff returns the files of a store that was not closed, with tables on two
// levels and a log with several transactions, and those after it was.
func brokenOff(t testing.TB) (files, closed power.Image, h history) {
	t.Helper()
	dir := newDir(t)
	h = history{{}}
	store := open(t, dir)
	for round := range 3 {
		for i := range 30 {
			key := fmt.Sprintf("key/%02d", i)
			h = h.commit(t, store, key, fmt.Sprintf("%s in round %d %s", key, round, strings.Repeat("x", 200)))
		}
		if round == 0 {
			if err := store.Flatten(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if round < 2 {
			mustClose(t, store)
			store = open(t, dir)
		}
	}
	files = imageOf(t, dir)
	mustClose(t, store)
	return files, imageOf(t, dir), h
}

// TestBrokenOff opens the files of a store that was not closed.
func TestBrokenOff(t *testing.T) {
	files, _, h := brokenOff(t)
	store := open(t, restored(t, files))
	if got := content(t, store); !maps.Equal(got, h.last()) {
		t.Errorf("got %d entries, want the %d that were acknowledged", len(got), len(h.last()))
	}
	// Beside the commits of the history there was one of Flatten's.
	if version := put(t, store, "more", "value"); version != kv.Version(len(h)+1) {
		t.Errorf("the next commit has version %d, want %d", version, len(h)+1)
	}
}

// TestDamage damages each file of a store in many places. The store opens with
// everything that was acknowledged, or not at all. Only the end of the log may
// be lost without a trace: what a crash before the last sync leaves looks the
// same, and it takes a witness to tell.
func TestDamage(t *testing.T) {
	running, closed, h := brokenOff(t)
	t.Run("running", func(t *testing.T) { damageAll(t, running, h) })
	t.Run("closed", func(t *testing.T) { damageAll(t, closed, h) })
}

func damageAll(t *testing.T, files power.Image, h history) {
	for _, name := range files.Names() {
		file := files[name]
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			samples := damageSamples()
			for i := range samples {
				at := i * (len(file.Data) - 1) / samples
				if at >= 0 && len(file.Data) > 0 {
					checkDamaged(t, files.With(name, file.Flipped(at, byte(1)<<(i%8))), h, name, fmt.Sprintf("bit %d of byte %d flipped", i%8, at))
				}
				if size := int64(i) * int64(len(file.Data)) / int64(samples); size < file.Size {
					checkDamaged(t, files.With(name, file.Cut(size)), h, name, fmt.Sprintf("cut at %d", size))
				}
			}
			gone := maps.Clone(files)
			delete(gone, name)
			checkDamaged(t, gone, h, name, "removed")
		})
	}
}

// TestDamageInHole flips bytes where the log was not written yet.
func TestDamageInHole(t *testing.T) {
	files, _, h := brokenOff(t)
	for _, name := range files.Names() {
		if filepath.Ext(name) != ".mem" {
			continue
		}
		for _, beyond := range []int{1, 8, 40, 5000} {
			file := files[name]
			checkDamaged(t, files.With(name, file.Flipped(len(file.Data)+beyond, 0x40)), h, name, fmt.Sprintf("a byte %d beyond the end set", beyond))
		}
	}
}

// checkDamaged opens damaged files and judges what comes of it.
func checkDamaged(t *testing.T, files power.Image, h history, name, how string) {
	t.Helper()
	dir := restored(t, files)
	store, err := badgerkv.Open(dir)
	if err != nil {
		if !refused(name, err) {
			t.Errorf("%s: %v, want kv.ErrCorrupt", how, err)
		}
		if errors.Is(err, kv.ErrCorrupt) {
			checkSalvaged(t, dir, h, how)
		}
		return
	}
	defer store.Close()
	switch got := content(t, store); {
	case maps.Equal(got, h.last()):
	case filepath.Ext(name) == ".mem" && lostEnd(got, h):
		t.Logf("%s: the end of the log is lost", how)
	default:
		t.Errorf("%s: it opened with %d entries that are not what was acknowledged", how, len(got))
	}
	if key := "written after " + how; get(t, store, key).Exists() {
		t.Errorf("%s: an entry that nobody wrote", how)
	} else {
		put(t, store, key, "value")
	}
}

// refused reports whether an error is the right one for a damaged file.
func refused(name string, err error) bool {
	switch name {
	case badgerkv.FormatName: // a damaged number may be a newer one
		return errors.Is(err, kv.ErrCorrupt) || errors.Is(err, badgerkv.ErrNewer) || errors.Is(err, badgerkv.ErrForeign)
	}
	return errors.Is(err, kv.ErrCorrupt)
}

// lostEnd reports whether a content is that after an earlier commit: the one
// before the last, or, where the whole log went, before the log began.
func lostEnd(got map[string]string, h history) bool {
	for _, lost := range []int{1, logTxns} {
		if maps.Equal(got, h[len(h)-1-lost]) {
			return true
		}
	}
	return false
}

// logTxns is how many transactions brokenOff leaves in the log.
const logTxns = 30

// TestMissingTable takes away a table together with what the manifest says of
// it. The log that goes on where it ended gives it away.
func TestMissingTable(t *testing.T) {
	files, _, _ := brokenOff(t)
	manifest := files["MANIFEST"]
	files = maps.Clone(files)
	delete(files, "000003.sst") // written when the store was closed for the second time
	for size := manifest.Size - 1; size > 0; size-- {
		files["MANIFEST"] = manifest.Cut(size)
		if _, err := badgerkv.Open(restored(t, files)); !errors.Is(err, kv.ErrCorrupt) {
			t.Fatalf("manifest cut at %d: %v, want kv.ErrCorrupt", size, err)
		}
	}
}
