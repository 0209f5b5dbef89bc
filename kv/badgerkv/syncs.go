package badgerkv

import (
	"sync/atomic"
	"time"
)

// syncs counts what the committers of a store have synced.
type syncs struct{ calls, nanos atomic.Int64 }

func (s *syncs) add(began time.Time) {
	s.calls.Add(1)
	s.nanos.Add(int64(time.Since(began)))
}

// Stats is what a Store did as the owner; while another process owns Badger,
// that one does it.
type Stats struct {
	// Syncs of the log that commits waited for, and the time they took. Not
	// counted are those of Badger itself, some for each table of 16 MiB that it
	// writes.
	Syncs   int
	Syncing time.Duration
}

// Stats returns what this Store did since it was opened.
func (s *Store) Stats() Stats {
	return Stats{Syncs: int(s.syncs.calls.Load()), Syncing: time.Duration(s.syncs.nanos.Load())}
}
