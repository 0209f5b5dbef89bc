package workload

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"path/filepath"
	"slices"
	"testing"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/bench/result"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/memkv"
)

// prepared makes the entries of a comparison, and a store of them.
func prepared(t *testing.T, name string, p result.Params) (*preparation, kv.Store) {
	t.Helper()
	c := tiny(t, name, p, on([]string{Memory}, ours))
	w, err := c.check()
	if err != nil {
		t.Fatal(err)
	}
	made, err := prepare(t.Context(), c, w)
	if err != nil {
		t.Fatal(err)
	}
	store := memkv.New()
	t.Cleanup(func() { store.Close() })
	if err := fill(t.Context(), store, made.entries); err != nil {
		t.Fatal(err)
	}
	return made, store
}

// TestPreparedStore: what is prepared is a store of Pawl's in which every
// invariant holds.
func TestPreparedStore(t *testing.T) {
	for _, c := range []struct {
		name string
		p    result.Params
	}{
		{Decrypt, result.Params{Sessions: 3}}, {Decrypt, result.Params{Sessions: 3, PeerSessions: 5}}, {OpenIn, result.Params{}},
		{Encrypt, result.Params{Peers: 4}}, {Processes, result.Params{}},
	} {
		_, engine := prepared(t, c.name, c.p)
		store, err := pawl.Open(t.Context(), engine, storeKey())
		if err != nil {
			t.Fatal(err)
		}
		m, err := store.Machine(t.Context(), bobUser, bobDevice)
		if err != nil {
			t.Fatal(err)
		}
		if broken, err := m.Check(t.Context()); err != nil || len(broken) > 0 {
			t.Errorf("%s %+v: check: %q, %v", c.name, c.p, broken, err)
		}
	}
}

// TestPeerSessions: a peer has as many sessions as asked for, each with skipped
// keys, and its messages come in the newest.
func TestPeerSessions(t *testing.T) {
	made, engine := prepared(t, Decrypt, result.Params{PeerSessions: 32})
	store, err := pawl.Open(t.Context(), engine, storeKey())
	if err != nil {
		t.Fatal(err)
	}
	m, err := store.Machine(t.Context(), bobUser, bobDevice)
	if err != nil {
		t.Fatal(err)
	}
	l := made.blocks[0].scripts[0][0].Letters[0]
	in, err := m.Inspect(t.Context())
	if err != nil || len(in.Peers) != 1 || len(in.Peers[0].Sessions) != 32 {
		t.Fatalf("%+v, %v, want a peer with 32 sessions", in.Peers, err)
	}
	sessions := in.Peers[0].Sessions
	for _, s := range sessions {
		if len(s.Receiving) != 1 || s.Receiving[0].Skipped != skippedKeys {
			t.Errorf("%s has the chains %+v, want one with %d skipped keys", s.ID, s.Receiving, skippedKeys)
		}
	}
	got, err := m.Decrypt(t.Context(), l.From, l.incoming().Message)
	if newest := sessions[31].ID; err != nil || got.Session != newest {
		t.Errorf("the first letter is of session %s, %v, want the newest, %s", got.Session, err, newest)
	}
}

// TestFiller: a store has as many sessions as it is to have, whether there are
// messages for them or not.
func TestFiller(t *testing.T) {
	_, engine := prepared(t, Decrypt, result.Params{Sessions: 400})
	snap := engine.Snapshot()
	defer snap.Close()
	kinds := map[string]int{}
	var sizes []int
	for e, err := range snap.Scan(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		kind, _, _ := bytes.Cut([]byte(e.Key[bytes.IndexByte([]byte(e.Key), '/')+1:]), []byte("/"))
		kinds[string(kind)]++
		if string(kind) == "session" {
			sizes = append(sizes, len(e.Value))
		}
	}
	if kinds["session"] != 400 || kinds["peer"] != 400 {
		t.Errorf("there are %v, want 400 sessions and peers", kinds)
	}
	if least, most := slices.Min(sizes), slices.Max(sizes); most-least > 8 {
		t.Errorf("sessions have %d to %d bytes: those that nobody writes in are of another size", least, most)
	}
}

// TestSameMessages: a seed makes the same messages again, another makes others.
func TestSameMessages(t *testing.T) {
	bodies := func(seed uint64) []letter {
		c := tiny(t, Decrypt, result.Params{Sessions: 5}, on([]string{Memory}, ours))
		c.Seed = seed
		w, err := c.check()
		if err != nil {
			t.Fatal(err)
		}
		p, err := prepare(t.Context(), c, w)
		if err != nil {
			t.Fatal(err)
		}
		var all []letter
		for _, b := range p.blocks {
			for _, c := range b.scripts[0] {
				all = append(all, c.Letters...)
			}
		}
		return all
	}
	same := func(a, b letter) bool { return a.From == b.From && bytes.Equal(a.Body, b.Body) }
	first := bodies(1)
	if !slices.EqualFunc(first, bodies(1), same) {
		t.Error("a seed makes other messages the second time")
	}
	if slices.EqualFunc(first, bodies(2), same) {
		t.Error("two seeds make the same messages")
	}
}

// TestEntries: what is written is read again, and a file that was cut is an
// error.
func TestEntries(t *testing.T) {
	path := filepath.Join(t.TempDir(), "entries")
	w, err := createEntries(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.add("a", []byte("one")), w.add("b/c", nil), w.close()); err != nil {
		t.Fatal(err)
	}
	store := memkv.New()
	defer store.Close()
	if err := fill(t.Context(), store, path); err != nil {
		t.Fatal(err)
	}
	snap := store.Snapshot()
	defer snap.Close()
	got, err := snap.Get(t.Context(), "a", "b/c")
	if err != nil || string(got[0].Value) != "one" || !got[1].Exists() || len(got[1].Value) != 0 {
		t.Errorf("the entries are %v, %v", got, err)
	}
	for _, cut := range [][]byte{{1}, {1, 3, 'a'}, {1, 3, 'a', 'o', 'n'}} {
		if _, err := readEntry(bufio.NewReader(bytes.NewReader(cut))); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%v: %v, want %v", cut, err, io.ErrUnexpectedEOF)
		}
	}
}
