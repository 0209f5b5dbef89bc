package idbkv

import (
	"bytes"
	"errors"
	"reflect"
	"testing"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/internal/turns"
	"github.com/pawlkv/pawl/kv/internal/watch"
)

func TestEntries(t *testing.T) {
	for _, value := range [][]byte{{}, []byte("v"), bytes.Repeat([]byte{0xff}, 3000)} {
		got, err := decodeEntry("k", encodeEntry(kv.MaxVersion, value))
		if want := (kv.Entry{Key: "k", Value: value, Version: kv.MaxVersion}); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%d bytes: %v, %v", len(value), got, err)
		}
	}
	for what, b := range map[string][]byte{
		"nothing": nil, "no version": make([]byte, versionSize-1), "version 0": make([]byte, versionSize), "too high a version": encodeEntry(kv.MaxVersion+1, nil),
	} {
		if _, err := decodeEntry("k", b); !errors.Is(err, kv.ErrCorrupt) {
			t.Errorf("%s: %v, want %v", what, err, kv.ErrCorrupt)
		}
	}
}

// TestIDs: an ID and the same refused are neighbours, and nothing lies between them.
func TestIDs(t *testing.T) {
	id := kv.NewCommitID(7)
	applied, refused := encodeID(id), encodeRefused(id)
	if isRefused(applied) || !isRefused(refused) {
		t.Error("which of the two it is was not told")
	}
	if !bytes.HasPrefix(refused, applied) || len(refused) != len(applied)+1 {
		t.Errorf("%x and %x are no neighbours", applied, refused)
	}
	for range 100 {
		if other := encodeID(kv.NewCommitID(7)); bytes.Compare(applied, other) < 0 && bytes.Compare(other, refused) <= 0 {
			t.Errorf("%x lies between %x and %x", other, applied, refused)
		}
	}
}

func TestChanges(t *testing.T) {
	writes := []kv.Write{{Key: "a", Value: []byte("1")}, {Key: "gone\x00\xff", Delete: true}, {Key: string(bytes.Repeat([]byte("k"), kv.MaxKey))}}
	got, err := watch.DecodeChanges(watch.EncodeChanges(writes))
	writes[0].Value = nil
	if err != nil || !reflect.DeepEqual(got, writes) {
		t.Errorf("%v, %v, want %v", got, err, writes)
	}
	whole := watch.EncodeChanges(writes)
	for n := 1; n < len(whole); n++ {
		if got, err := watch.DecodeChanges(whole[:n]); err == nil && len(got) >= len(writes) {
			t.Errorf("cut after %d of %d bytes: %v", n, len(whole), got)
		} else if err != nil && !errors.Is(err, kv.ErrCorrupt) {
			t.Errorf("cut after %d bytes: %v, want %v", n, err, kv.ErrCorrupt)
		}
	}
}

func TestSuccessor(t *testing.T) {
	for prefix, want := range map[string]string{"": "", "a": "b", "a\xff": "b", "\xff\xff": "", "a\x00": "a\x01", "é": "\xc3\xaa"} {
		if got := successor(prefix); got != want {
			t.Errorf("after %q: %q, want %q", prefix, got, want)
		}
	}
}

// TestRowsKept: whatever a commit brings, at least as many rows are kept as wanted, and at
// most twice as many.
func TestRowsKept(t *testing.T) {
	for _, keep := range []int{1, 3, 64, 300, 4096} {
		for _, group := range []kv.Version{1, 2, 7, 128} {
			oldest := kv.Version(1)
			for head := kv.Version(0); head < 20000; head += group {
				if last := dropUpTo(head, head+group, keep); last > 0 {
					oldest = max(oldest, last+1)
				}
				now := head + group
				if kept := int(now - oldest + 1); kept < min(keep, int(now)) || kept > 2*keep+int(group) {
					t.Fatalf("keep %d, groups of %d: %d rows are kept at version %d", keep, group, kept, now)
				}
			}
		}
	}
}

func TestNotes(t *testing.T) {
	n := note{owner: 1, ticket: 2, until: 1000, keys: turns.Hashes([]string{"a", "b"})}
	got, err := decodeNote(n.encode())
	if err != nil || !reflect.DeepEqual(got, n) {
		t.Errorf("%+v, %v, want %+v", got, err, n)
	}
	whole := note{owner: 1, ticket: 3, until: 1000}
	for what, c := range map[string]struct {
		note  note
		owner uint64
		now   int64
		key   string
		want  bool
	}{
		"its key":           {n, 9, 900, "a", true},
		"another key":       {n, 9, 900, "c", false},
		"our own":           {n, 1, 900, "a", false},
		"over":              {n, 9, 1000, "a", false},
		"of another clock":  {n, 9, 1000 - grantLife.Milliseconds() - 1, "a", false},
		"on all keys":       {whole, 9, 900, "c", true},
		"on all keys, over": {whole, 9, 1001, "c", false},
	} {
		if got := c.note.holdsUp(c.owner, c.now, turns.Hashes([]string{c.key})); got != c.want {
			t.Errorf("%s: holds up: %v, want %v", what, got, c.want)
		}
	}
	for n := range noteHeader {
		if _, err := decodeNote(make([]byte, n)); !errors.Is(err, kv.ErrCorrupt) {
			t.Errorf("%d bytes: %v, want %v", n, err, kv.ErrCorrupt)
		}
	}
}
