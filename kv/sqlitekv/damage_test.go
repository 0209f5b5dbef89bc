package sqlitekv

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pawlkv/pawl/internal/proof/effort"
	"github.com/pawlkv/pawl/kv"
)

// damaged is a small store whose files can be damaged: one that was closed, and
// one whose processes were killed.
type damaged struct {
	files map[string][]byte // by suffix
	want  map[string]kv.Entry
}

func makeDamaged(t *testing.T, closed bool) damaged {
	t.Helper()
	path := filepath.Join(t.TempDir(), "store.db")
	s := openStore(t, path)
	d := damaged{files: make(map[string][]byte), want: make(map[string]kv.Entry)}
	for i := range 60 {
		key := "k/" + string(rune('a'+i%30))
		value := strings.Repeat(key, 1+20*i)
		version := mustPut(t, s, key, value)
		d.want[key] = kv.Entry{Key: key, Value: []byte(value), Version: version}
	}
	if closed {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for _, suffix := range []string{"", logSuffix, gateSuffix} {
		data, err := os.ReadFile(path + suffix)
		if err == nil && len(data) > 0 {
			d.files[suffix] = data
		}
	}
	return d
}

// place writes the files down, changed by damage, and returns the path.
func (d *damaged) place(t *testing.T, suffix string, damage func([]byte) []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "store.db")
	for s, data := range d.files {
		if s == suffix {
			data = damage(bytes.Clone(data))
		}
		if err := os.WriteFile(path+s, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

// check reads everything and reports whether damage was found. An answer that is
// neither an error nor what was committed fails the test.
func (d *damaged) check(t *testing.T, path, what string) (found bool) {
	t.Helper()
	isClear := func(err error) bool {
		return errors.Is(err, kv.ErrCorrupt) || errors.Is(err, ErrForeign) || errors.Is(err, ErrNewer)
	}
	s, err := Open(path)
	if err != nil {
		if !isClear(err) {
			t.Errorf("%s: open: %v", what, err)
		}
		return true
	}
	defer s.Close()
	snap := s.Snapshot()
	defer snap.Close()
	for key, want := range d.want {
		got, err := snap.Get(context.Background(), key)
		switch {
		case err != nil && !isClear(err):
			t.Errorf("%s: get: %v", what, err)
		case err != nil:
			found = true
		case got[0].Version != want.Version || !bytes.Equal(got[0].Value, want.Value):
			t.Fatalf("%s: key %s reads as %d bytes at version %d, want %d at %d", what, key, len(got[0].Value), got[0].Version, len(want.Value), want.Version)
		}
	}
	return found
}

// flips is how many bytes of each file are damaged, one at a time.
func flips() int { return effort.Of(60, 10) }

// TestDamage: of any damaged byte, or cut, of a store the result is what was
// committed or a clear error; never an older version, never absence.
func TestDamage(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for name, closed := range map[string]bool{"closed": true, "killed": false} {
		d := makeDamaged(t, closed)
		for suffix, data := range d.files {
			found := 0
			for i := range flips() {
				at := rng.IntN(len(data))
				if i < flips()/2 { // headers, where it matters most
					at = rng.IntN(min(len(data), headerSize))
				}
				bit := byte(1) << rng.IntN(8)
				path := d.place(t, suffix, func(b []byte) []byte { b[at] ^= bit; return b })
				what := name + " store" + suffix
				if d.check(t, path, what) {
					found++
				}
			}
			t.Logf("%s%s: %d of %d flips were found, the others do no harm", name, suffix, found, flips())
			if suffix == logSuffix {
				d.checkCuts(t, rng, data)
			}
		}
	}
}

// checkCuts cuts the log of a store: what it held was acknowledged.
func (d *damaged) checkCuts(t *testing.T, rng *rand.Rand, data []byte) {
	t.Helper()
	const frame = 24 + pageSize
	for range 10 {
		cut := rng.IntN(len(data) - frame)
		path := d.place(t, logSuffix, func(b []byte) []byte { return b[:cut] })
		if _, err := Open(path); !errors.Is(err, kv.ErrCorrupt) {
			t.Errorf("a log cut at %d of %d: %v, want %v", cut, len(data), err, kv.ErrCorrupt)
		}
	}
}

// TestDamagedReservedBytes: the header cannot switch the checksums off.
func TestDamagedReservedBytes(t *testing.T) {
	d := makeDamaged(t, true)
	path := d.place(t, "", func(b []byte) []byte { b[atReserved] = 0; return b })
	if _, err := Open(path); !errors.Is(err, kv.ErrCorrupt) {
		t.Errorf("no reserved bytes: %v, want %v", err, kv.ErrCorrupt)
	}
	path = d.place(t, "", func(b []byte) []byte {
		binary.BigEndian.PutUint32(b[atUserVersion:], 1<<20)
		return b
	})
	if _, err := Open(path); !errors.Is(err, kv.ErrCorrupt) {
		t.Errorf("format 2^20: %v, want %v", err, kv.ErrCorrupt)
	}
}

// TestLostTail: a store without its newest commits opens when it is told to, and
// from the first commit on as it is.
func TestLostTail(t *testing.T) {
	d := makeDamaged(t, false)
	path := d.place(t, logSuffix, func(b []byte) []byte { return b[:len(b)/2] })
	told := func() *Store { return openStore(t, path, WithLostTail()) }
	for range 2 { // whoever only looks takes nothing away from the next one
		if _, err := Open(path); !errors.Is(err, kv.ErrCorrupt) {
			t.Fatalf("half a log: %v, want %v", err, kv.ErrCorrupt)
		}
		s := told()
		if kept, committed := s.LostTail(); kept == 0 || kept >= 60 || committed != 60 {
			t.Errorf("%d of %d commits were kept, want some of 60", kept, committed)
		}
		s.Close()
	}
	s := told()
	kept, _ := s.LostTail()
	if version := mustPut(t, s, "k", "v"); version != kept+1 {
		t.Errorf("the next commit has version %d, want %d", version, kept+1)
	}
	s.Close()
	s = openStore(t, path)
	if kept, committed := s.LostTail(); kept != 0 || committed != 0 {
		t.Errorf("%d of %d commits were kept, and none is missing now", kept, committed)
	}
	mustPut(t, s, "k", "w")
}
