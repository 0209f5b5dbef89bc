package pgkv

import (
	"cmp"
	"slices"
	"strings"

	"github.com/pawlkv/pawl/kv"
)

// returned is what a view has returned so far.
type returned struct {
	reads map[string]kv.Version // 0 for those that are absent
	scans []*scanned
}

func (r *returned) add(entries []kv.Entry) {
	if r.reads == nil {
		r.reads = make(map[string]kv.Version)
	}
	for _, e := range entries {
		r.reads[e.Key] = e.Version
	}
}

func (r *returned) nothing() bool { return len(r.reads) == 0 && len(r.scans) == 0 }

// stands reports whether all of it stands although a key was written, which has a
// version now, 0 if it was deleted.
func (r *returned) stands(key string, version kv.Version) bool {
	if was, seen := r.reads[key]; seen && was != version {
		return false
	}
	for _, s := range r.scans {
		if was, seen := s.passed(key); seen && was != version {
			return false
		}
	}
	return true
}

// scanned is what a scan has yielded so far.
type scanned struct {
	prefix  string
	yielded []kv.Read // in the order of their keys
	whole   bool      // it came to its end
}

// end is the first key that the scan has not passed over.
func (s *scanned) end() string {
	if len(s.yielded) == 0 {
		return s.prefix
	}
	return s.yielded[len(s.yielded)-1].Key + "\x00"
}

// passed reports whether the scan has yielded a key or passed over it, and the
// version it had, 0 for one that was absent.
func (s *scanned) passed(key string) (version kv.Version, passed bool) {
	if !strings.HasPrefix(key, s.prefix) || !s.whole && key >= s.end() {
		return 0, false
	}
	i, found := slices.BinarySearchFunc(s.yielded, key, func(r kv.Read, key string) int { return cmp.Compare(r.Key, key) })
	if !found {
		return 0, true
	}
	return s.yielded[i].Version, true
}
