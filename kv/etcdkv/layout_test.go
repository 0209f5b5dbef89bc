package etcdkv

import (
	"errors"
	"strings"
	"testing"

	"github.com/pawlkv/pawl/kv"
)

func TestPlaces(t *testing.T) {
	for _, name := range []string{"", "a\x00b", strings.Repeat("x", maxSpace+1)} {
		if _, err := placeOf(name); !errors.Is(err, kv.ErrInvalid) {
			t.Errorf("%q: %v, want %v", name, err, kv.ErrInvalid)
		}
	}
	names := []string{"a", "a/d", "ad", "a\x01", "\xff", "\xff\xff", strings.Repeat("\xff", maxSpace)}
	for _, one := range names {
		p, err := placeOf(one)
		if err != nil {
			t.Fatalf("%q: %v", one, err)
		}
		from, end := p.whole()
		for _, other := range names {
			q, _ := placeOf(other)
			for _, key := range [][]byte{q.meta(), q.entry(""), q.entry("\xff\xff"), q.idsFrom(1 << 63)} {
				if within := string(key) >= string(from) && string(key) < string(end); within != (one == other) {
					t.Errorf("%q is within the store %q: %v", key, one, within)
				}
			}
		}
		for _, prefix := range []string{"", "p", "\xff", "\xff\xff"} {
			from, end := p.entries(prefix)
			for key, want := range map[string]bool{prefix: true, prefix + "\x00": true, prefix + "\xff\xff": true, "o": prefix == ""} {
				at := string(p.entry(key))
				if within := at >= string(from) && at < string(end); within != want {
					t.Errorf("%q is within prefix %q: %v", key, prefix, within)
				}
			}
		}
	}
}

// TestChecksAreCounted: a batch has as many compares as Batch.Checks counts, so that what is
// within the limits is within etcd's.
func TestChecksAreCounted(t *testing.T) {
	p := place("s\x00")
	b := &kv.Batch{
		Reads: []kv.Read{{Key: "a", Version: 3}, {Key: "b"}},
		Scans: []kv.ScanRead{
			{Prefix: "e/"},
			{Prefix: "o/", Entries: []kv.Read{{Key: "o/1", Version: 4}}},
			{Prefix: "t/", Entries: []kv.Read{{Key: "t/1", Version: 4}, {Key: "t/2", Version: 9}, {Key: "t/7", Version: 5}}},
		},
	}
	if n := len(p.checks(b)); n != b.Checks() {
		t.Errorf("%d compares for %d checks", n, b.Checks())
	}
}
