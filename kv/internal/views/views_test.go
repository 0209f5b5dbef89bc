package views

import (
	"errors"
	"slices"
	"testing"

	"github.com/pawlkv/pawl/kv"
)

// TestStands: what was read, found absent, yielded or passed over stands as it was, and
// nothing else matters.
func TestStands(t *testing.T) {
	var r Returned
	if !r.Nothing() || r.Saw("a") || !r.Stands("a", 7) {
		t.Error("a view that has returned nothing remembers something")
	}
	r.Add([]kv.Entry{{Key: "a", Version: 1}, {Key: "b"}})
	s := &Scan{Prefix: "p/"}
	part := Part{Entries: []kv.Entry{{Key: "p/b", Version: 2}, {Key: "p/d", Version: 3}}, At: 5}
	for range 2 {
		if _, _, err := s.Next(&r, 5, func(string) (Part, error) { return part, nil }); err != nil {
			t.Fatal(err)
		}
	}
	for _, one := range []struct {
		key  string
		is   kv.Version
		saw  bool
		then bool // all stands
	}{
		{"a", 1, true, true}, {"a", 2, true, false}, {"a", 0, true, false},
		{"b", 0, true, true}, {"b", 6, true, false},
		{"p/b", 2, true, true}, {"p/b", 6, true, false}, {"p/b", 0, true, false},
		{"p/c", 0, true, true}, {"p/c", 6, true, false},
		{"p/d", 3, true, true}, {"p/e", 6, false, true}, {"q", 6, false, true},
	} {
		if r.Saw(one.key) != one.saw || r.Stands(one.key, one.is) != one.then {
			t.Errorf("%s at %d: seen %v, stands %v; want %v, %v", one.key, one.is, r.Saw(one.key), r.Stands(one.key, one.is), one.saw, one.then)
		}
	}
	if _, more, err := s.Next(&r, 5, nil); more || err != nil {
		t.Fatalf("after the last entry: more %v, error %v", more, err)
	}
	if !r.Saw("p/e") || r.Stands("p/e", 6) {
		t.Error("a scan that came to its end does not know what is behind its last entry")
	}
}

// TestReadsAhead: a part that was read ahead is read again from where the scan has come
// once the view has moved on, and another part behind it where there may be more.
func TestReadsAhead(t *testing.T) {
	var r Returned
	var from []string
	version := kv.Version(5)
	parts := []Part{
		{Entries: []kv.Entry{{Key: "a", Version: 1}, {Key: "b", Version: 1}}, At: 5, More: true},
		{Entries: []kv.Entry{{Key: "b", Version: 6}}, At: 6, More: true},
		{At: 6},
	}
	read := func(key string) (Part, error) {
		from = append(from, key)
		return parts[len(from)-1], nil
	}
	var got []kv.Read
	for entry, err := range Entries("", func(s *Scan) (kv.Entry, bool, error) {
		entry, more, err := s.Next(&r, version, read)
		version = 6
		return entry, more, err
	}) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, kv.Read{Key: entry.Key, Version: entry.Version})
	}
	if want := []kv.Read{{Key: "a", Version: 1}, {Key: "b", Version: 6}}; !slices.Equal(got, want) {
		t.Errorf("yielded %v, want %v", got, want)
	}
	if want := []string{"", "a\x00", "b\x00"}; !slices.Equal(from, want) {
		t.Errorf("read from %q, want %q", from, want)
	}
}

// TestScanFails: an error ends the iteration, and a scan that has read nothing is not
// remembered.
func TestScanFails(t *testing.T) {
	var r Returned
	failure := errors.New("failure")
	var got []error
	for _, err := range Entries("", func(s *Scan) (kv.Entry, bool, error) {
		return s.Next(&r, 0, func(string) (Part, error) { return Part{}, failure })
	}) {
		got = append(got, err)
	}
	if len(got) != 1 || !errors.Is(got[0], failure) || !r.Nothing() {
		t.Errorf("errors %v, nothing returned: %v", got, r.Nothing())
	}
}
