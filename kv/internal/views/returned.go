package views

import (
	"iter"
	"maps"

	"github.com/pawlkv/pawl/kv"
)

// Returned is what a view has returned so far. Its methods are called by one goroutine at
// a time.
type Returned struct {
	reads map[string]kv.Version // 0 for those that are absent
	scans []*Scan
}

// Add notes what was read.
func (r *Returned) Add(entries []kv.Entry) {
	if r.reads == nil {
		r.reads = make(map[string]kv.Version)
	}
	for _, e := range entries {
		r.reads[e.Key] = e.Version
	}
}

// Begin notes how a scan begins.
func (r *Returned) Begin(prefix string, begun kv.Begun) {
	s := &Scan{Prefix: prefix, Whole: begun.Whole, begun: true}
	for _, e := range begun.Entries {
		s.Yielded = append(s.Yielded, kv.Read{Key: e.Key, Version: e.Version})
	}
	r.scans = append(r.scans, s)
}

// Nothing reports whether nothing was returned that could have changed.
func (r *Returned) Nothing() bool { return len(r.reads) == 0 && len(r.scans) == 0 }

// Reads returns the keys that were read with their versions, 0 for those that are absent.
func (r *Returned) Reads() iter.Seq2[string, kv.Version] { return maps.All(r.reads) }

// Scans returns the scans that have yielded something, or come to their end.
func (r *Returned) Scans() []*Scan { return r.scans }

// Saw reports whether a key was read, or a scan has yielded it or passed over it.
func (r *Returned) Saw(key string) bool {
	for range r.versions(key) {
		return true
	}
	return false
}

// Stands reports whether all of it stands although a key was written, which has a
// version now, 0 if it was deleted.
func (r *Returned) Stands(key string, version kv.Version) bool {
	for was := range r.versions(key) {
		if was != version {
			return false
		}
	}
	return true
}

// versions yields the version that a key had for each who has seen it.
func (r *Returned) versions(key string) iter.Seq[kv.Version] {
	return func(yield func(kv.Version) bool) {
		if was, seen := r.reads[key]; seen && !yield(was) {
			return
		}
		for _, s := range r.scans {
			if was, seen := s.passed(key); seen && !yield(was) {
				return
			}
		}
	}
}
