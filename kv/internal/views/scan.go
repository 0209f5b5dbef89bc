package views

import (
	"cmp"
	"iter"
	"slices"
	"strings"

	"github.com/pawlkv/pawl/kv"
)

// Scan is one that is under way. What it has read ahead counts as long as the view has
// not moved on.
type Scan struct {
	Prefix  string
	Yielded []kv.Read // in the order of their keys
	Whole   bool      // it came to its end

	begun bool
	ahead []kv.Entry
	at    kv.Version // of the view when they were read
	rest  bool       // there may be more behind them
}

// Part is what was read ahead at once.
type Part struct {
	Entries []kv.Entry
	More    bool       // there may be more behind them
	At      kv.Version // of the view that they were read in
}

// Entries is what kv.Snapshot.Scan returns: a scan from its beginning each time, whose
// entries next returns one after the other until there are no more.
func Entries(prefix string, next func(*Scan) (entry kv.Entry, more bool, err error)) iter.Seq2[kv.Entry, error] {
	return func(yield func(kv.Entry, error) bool) {
		s := &Scan{Prefix: prefix}
		for {
			entry, more, err := next(s)
			if err != nil {
				yield(kv.Entry{}, err)
				return
			}
			if !more || !yield(entry, nil) {
				return
			}
		}
	}
}

// Next returns the next entry, if there is one, and notes it in what a view has returned,
// which was last at a version. It reads a part from a key on if it has none of now.
func (s *Scan) Next(r *Returned, version kv.Version, read func(from string) (Part, error)) (entry kv.Entry, more bool, err error) {
	if !s.begun || len(s.ahead) == 0 && s.rest || len(s.ahead) > 0 && s.at != version {
		part, err := read(s.end())
		if err != nil {
			return entry, false, err
		}
		if !s.begun {
			s.begun = true
			r.scans = append(r.scans, s)
		}
		s.ahead, s.rest, s.at = part.Entries, part.More, part.At
	}
	if len(s.ahead) == 0 {
		s.Whole = true
		return entry, false, nil
	}
	entry, s.ahead = s.ahead[0], s.ahead[1:]
	s.Yielded = append(s.Yielded, kv.Read{Key: entry.Key, Version: entry.Version})
	return entry, true, nil
}

// end is the first key that the scan has not passed over.
func (s *Scan) end() string {
	if len(s.Yielded) == 0 {
		return s.Prefix
	}
	return s.Yielded[len(s.Yielded)-1].Key + "\x00"
}

// passed reports whether the scan has yielded a key or passed over it, and the
// version it had, 0 for one that was absent.
func (s *Scan) passed(key string) (version kv.Version, passed bool) {
	if !strings.HasPrefix(key, s.Prefix) || !s.Whole && key >= s.end() {
		return 0, false
	}
	i, found := slices.BinarySearchFunc(s.Yielded, key, func(r kv.Read, key string) int { return cmp.Compare(r.Key, key) })
	if !found {
		return 0, true
	}
	return s.Yielded[i].Version, true
}
