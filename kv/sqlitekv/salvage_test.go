package sqlitekv

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pawlkv/pawl/kv"
)

// makeSalvaged is a store of many pages, with values that go on in others, of
// which some were deleted and written again.
func makeSalvaged(t *testing.T, closed bool) (d damaged, all map[string][]kv.Entry) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "store.db")
	s := openStore(t, path)
	d = damaged{files: map[string][]byte{}, want: map[string]kv.Entry{}}
	all = map[string][]kv.Entry{}
	for round := range 3 {
		for i := range 120 {
			key := fmt.Sprintf("key/%03d", i)
			value := strings.Repeat(fmt.Sprintf("%s in round %d ", key, round), 1+i%7*i%50)
			if i == 60 {
				value = strings.Repeat("large ", 50_000+round)
			}
			e := kv.Entry{Key: key, Value: []byte(value), Version: mustPut(t, s, key, value)}
			d.want[key], all[key] = e, append(all[key], e)
		}
		mustDelete(t, s, "key/007")
		delete(d.want, "key/007")
		if round == 1 {
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s = openStore(t, path)
		}
	}
	if closed {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for _, suffix := range []string{"", logSuffix, gateSuffix} {
		if data, err := os.ReadFile(path + suffix); err == nil && len(data) > 0 {
			d.files[suffix] = data
		}
	}
	return d, all
}

func mustDelete(t *testing.T, s *Store, key string) {
	t.Helper()
	b := &kv.Batch{ID: kv.NewCommitID(0), Writes: []kv.Write{{Key: key, Delete: true}}, Sync: true}
	if _, err := s.Commit(t.Context(), b); err != nil {
		t.Fatal(err)
	}
}

func salvaged(t *testing.T, path string) (Salvaged, map[string]kv.Entry) {
	t.Helper()
	found, err := Salvage(path)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]kv.Entry{}
	for _, e := range found.Entries {
		got[e.Key] = e
	}
	return found, got
}

func sameEntry(a, b kv.Entry) bool { return a.Version == b.Version && bytes.Equal(a.Value, b.Value) }

// TestSalvageWhole: of a store that opens everything is read, and nothing is
// wrong; what was deleted is not there.
func TestSalvageWhole(t *testing.T) {
	for name, closed := range map[string]bool{"closed": true, "killed": false} {
		d, _ := makeSalvaged(t, closed)
		found, got := salvaged(t, d.place(t, "none", nil))
		if len(found.Faults) > 0 || len(got) != len(d.want) {
			t.Errorf("%s: %d of %d entries, faults %v", name, len(got), len(d.want), found.Faults)
		}
		for key, want := range d.want {
			if !sameEntry(got[key], want) {
				t.Errorf("%s: %s is %d bytes at version %d, want %d at %d", name, key, len(got[key].Value), got[key].Version, len(want.Value), want.Version)
			}
		}
	}
}

// TestSalvageBadPage: a bad page of the file, or a bad frame of the log, is named,
// and costs no more than what is in it. What is cut off is a beginning.
func TestSalvageBadPage(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for name, closed := range map[string]bool{"closed": true, "killed": false} {
		d, all := makeSalvaged(t, closed)
		for suffix, data := range d.files {
			if suffix == gateSuffix {
				continue
			}
			for range flips() {
				at := rng.IntN(len(data))
				path := d.place(t, suffix, func(b []byte) []byte { b[at] ^= 1 << rng.IntN(8); return b })
				what := fmt.Sprintf("%s, byte %d of file%s", name, at, suffix)
				found, got := salvaged(t, path)
				if !closed && suffix == "" {
					// The log may have a newer one of the page.
				} else if len(found.Faults) == 0 && suffix == "" {
					t.Errorf("%s: nothing is wrong", what)
				}
				lost := d.compare(t, what, got, all)
				// The large value has 70 pages, and each page no more than 200 entries.
				if lost > 60 {
					t.Errorf("%s: %d of %d entries are lost", what, lost, len(d.want))
				}
			}
		}
	}
}

// compare returns how many entries are missing, old or cut off, and fails the test
// if one is something that nobody wrote.
func (d *damaged) compare(t *testing.T, what string, got map[string]kv.Entry, all map[string][]kv.Entry) (lost int) {
	t.Helper()
	for key, e := range got {
		ours := false
		for _, then := range all[key] {
			ours = ours || then.Version == e.Version && bytes.HasPrefix(then.Value, e.Value)
		}
		if !ours {
			t.Errorf("%s: nobody wrote %d bytes under %q at version %d", what, len(e.Value), key, e.Version)
		}
	}
	for key, want := range d.want {
		if !sameEntry(got[key], want) {
			lost++
		}
	}
	return lost
}

// TestSalvageNamesEachFile: the file and its log are both named, and so is that
// the newest commits are missing.
func TestSalvageNamesEachFile(t *testing.T) {
	d, _ := makeSalvaged(t, false)
	d.files[""] = bytes.Clone(d.files[""])
	for _, page := range []int{3, 5} {
		d.files[""][page*pageSize+10] ^= 1
	}
	log := d.files[logSuffix]
	path := d.place(t, logSuffix, func(b []byte) []byte {
		b[logHeaderSize+frameHeaderSize+5] ^= 1
		return b[:len(log)-3*frameSize]
	})
	before, _ := os.ReadFile(path + logSuffix)
	for _, options := range [][]Option{nil, {WithLostTail()}} {
		if _, err := Open(path, options...); !errors.Is(err, kv.ErrCorrupt) {
			t.Fatalf("it opens: %v", err)
		}
	}
	found, _ := salvaged(t, path)
	var says []string
	for _, err := range found.Faults {
		says = append(says, err.Error())
	}
	text := strings.Join(says, "; ")
	for _, want := range []string{"its log: 1 of", "its newest commits are missing"} {
		if !strings.Contains(text, want) {
			t.Errorf("the faults are %q, want %q among them", text, want)
		}
	}
	if after, _ := os.ReadFile(path + logSuffix); !bytes.Equal(before, after) {
		t.Error("opening or salvaging has changed the log")
	}
}

// TestSalvageOther: what is no store is refused.
func TestSalvageOther(t *testing.T) {
	path := filepath.Join(t.TempDir(), "letter")
	if err := os.WriteFile(path, []byte("Dear diary"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{path, path + "none"} {
		if found, err := Salvage(p); err == nil {
			t.Errorf("%s: %+v", p, found)
		}
	}
}

// TestSalvageCutFile: pages that were at the end of a file are missing, wherever it
// was cut off, also where its log has the newest commits.
func TestSalvageCutFile(t *testing.T) {
	for name, closed := range map[string]bool{"closed": true, "killed": false} {
		d, all := makeSalvaged(t, closed)
		pages := len(d.files[""]) / pageSize
		for _, at := range []int{pages * pageSize / 2, pageSize, pages*pageSize - pageSize, pages*pageSize - 7} {
			path := d.place(t, "", func(b []byte) []byte { return b[:at] })
			what := fmt.Sprintf("%s, cut to %d of %d bytes", name, at, len(d.files[""]))
			found, got := salvaged(t, path)
			if len(found.Faults) == 0 && d.compare(t, what, got, all) > 0 {
				t.Errorf("%s: entries are lost, and nothing is wrong", what)
			}
			if len(found.Faults) == 0 && opensWhole(t, path) != nil {
				t.Errorf("%s: it does not open whole, and nothing is wrong", what)
			}
		}
	}
}

// TestSalvageForeignHeader: a store whose header is another's is read from its other
// pages, and that is a fault.
func TestSalvageForeignHeader(t *testing.T) {
	d, all := makeSalvaged(t, true)
	path := d.place(t, "", func(b []byte) []byte { return append(bytes.Repeat([]byte("no"), pageSize/2), b[pageSize:]...) })
	if _, err := Open(path); !errors.Is(err, ErrForeign) {
		t.Fatalf("it opens: %v", err)
	}
	found, got := salvaged(t, path)
	if lost := d.compare(t, "another header", got, all); lost > 0 || len(found.Faults) == 0 {
		t.Errorf("%d entries are lost, faults %v", lost, found.Faults)
	}
}

// TestSalvageMovedHeader: a page in the place of the first says nothing of the file.
func TestSalvageMovedHeader(t *testing.T) {
	d, all := makeSalvaged(t, true)
	last := len(d.files[""])/pageSize - 1
	for d.files[""][last*pageSize] != leafIndex { // what overflows is for the seals of records to notice
		last--
	}
	for _, page := range []int{1, 2, last} {
		path := d.place(t, "", func(b []byte) []byte {
			first := bytes.Clone(b[:pageSize])
			copy(b, b[page*pageSize:][:pageSize])
			copy(b[page*pageSize:], first)
			return b
		})
		found, got := salvaged(t, path)
		if lost := d.compare(t, fmt.Sprint("page ", page), got, all); lost > 0 || len(found.Faults) == 0 {
			t.Errorf("page %d: %d entries are lost, faults %v", page, lost, found.Faults)
		}
	}
}

// opensWhole opens a store, reads all of it and writes to it.
func opensWhole(t *testing.T, path string) error {
	t.Helper()
	s, err := Open(path, WithLostTail())
	if err != nil {
		return err
	}
	defer s.Close()
	snap := s.Snapshot()
	defer snap.Close()
	for _, err := range snap.Scan(t.Context(), "") {
		if err != nil {
			return err
		}
	}
	b := &kv.Batch{ID: kv.NewCommitID(0), Writes: []kv.Write{{Key: "k", Value: []byte("v")}}, Sync: true}
	_, err = s.Commit(t.Context(), b)
	return err
}

// TestSalvageSwappedPages: pages that can be read and are not where they were are a
// fault, and cost nothing. Looking leaves the files as they are.
func TestSalvageSwappedPages(t *testing.T) {
	for name, closed := range map[string]bool{"closed": true, "killed": false} {
		d, all := makeSalvaged(t, closed)
		swaps := 0
		for page := 2; page+1 < len(d.files[""])/pageSize; page++ {
			one, two := d.files[""][page*pageSize:][:pageSize], d.files[""][(page+1)*pageSize:][:pageSize]
			if one[0] != leafIndex || two[0] != leafIndex {
				continue
			}
			swaps++
			path := d.place(t, "", func(b []byte) []byte {
				copy(b[page*pageSize:], bytes.Clone(two))
				copy(b[(page+1)*pageSize:], bytes.Clone(one))
				return b
			})
			log, _ := os.ReadFile(path + logSuffix)
			found, got := salvaged(t, path)
			if len(found.Faults) == 0 && (closed || opensWhole(t, path) != nil) {
				t.Errorf("%s, page %d: nothing is wrong", name, page)
			}
			d.compare(t, fmt.Sprintf("%s, page %d", name, page), got, all)
			if after, _ := os.ReadFile(path + logSuffix); len(found.Faults) > 0 && !bytes.Equal(log, after) {
				t.Errorf("%s, page %d: the log has %d bytes, and had %d", name, page, len(after), len(log))
			}
			if swaps == 4 {
				break
			}
		}
		if swaps == 0 {
			t.Fatal("there are no such pages")
		}
	}
}

// TestSalvageLive: a store that others commit to has no faults, and they go on.
func TestSalvageLive(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	s := openStore(t, path)
	mustPut(t, s, "key", "first")
	stop, done := make(chan struct{}), make(chan error)
	go func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				done <- nil
				return
			default:
			}
			b := &kv.Batch{ID: kv.NewCommitID(0), Writes: []kv.Write{{Key: fmt.Sprint("key/", i%50), Value: bytes.Repeat([]byte{byte(i)}, 2000)}}, Sync: true}
			if _, err := s.Commit(t.Context(), b); err != nil {
				done <- err
				return
			}
		}
	}()
	for range 20 {
		if found, _ := salvaged(t, path); len(found.Faults) > 0 {
			t.Errorf("faults %v", found.Faults)
		}
	}
	close(stop)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestSalvageStrangePages: whatever is in pages whose checksums hold, they are read
// to their end.
func TestSalvageStrangePages(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	chacha := rand.NewChaCha8([32]byte{9})
	for range 3000 {
		p := &pages{good: map[uint32][]byte{}, bad: map[uint32]bool{}, old: map[uint32]bool{}}
		for n := uint32(1); n < 5; n++ {
			page := make([]byte, pageSize)
			chacha.Read(page)
			if rng.IntN(2) == 0 { // small numbers, and such as go on and on
				for i := range page {
					page[i] = []byte{0, 1, 4, 13, 0x80, 0x81, 0xff, 30}[page[i]%8]
				}
			}
			page[0] = []byte{innerIndex, leafIndex, leafTable}[rng.IntN(3)]
			p.good[n] = page
		}
		p.head()
		p.faults()
	}
	for _, record := range [][]byte{
		{0x80, 0x80, 0x80, 0x80, 4, 18, 1, 12}, {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1}, {4}, {}, {5, 0x80}, {4, 14, 1, 12, 'k', 1},
	} {
		decodeEntry(record)
	}
}
