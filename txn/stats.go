package txn

import (
	"maps"
	"sync"
	"sync/atomic"
	"time"
)

// Report is what one transaction did.
type Report struct {
	Attempts   int            // runs of fn
	Committed  bool           // fn's result was released
	Conflicts  int            // attempts and joins that were lost
	Kinds      map[string]int // conflicts by kind of record; nil if none
	Stale      int            // failures of fn dropped because their reads no longer held
	Joins      int            // joins made again without fn
	Turns      int            // turns taken
	Unknown    int            // commits whose outcome was unknown at first
	RoundTrips int            // gets, scans and commits sent to the store
	Hits       int            // reads served from the cache
	Misses     int            // reads that the cache did not have
	Reading    time.Duration  // waiting for gets and scans
	Committing time.Duration  // waiting for commits
	Time       time.Duration  // from the call to its return, all attempts
}

// Stats cumulates the Reports of a DB, its accounts included.
type Stats struct {
	Transactions int
	Released     int // transactions whose result was released
	Report           // sums; Committed is not used
}

// Stats returns what all transactions that ended so far did.
func (db *DB) Stats() Stats { return db.totals.get() }

type totals struct {
	mu  sync.Mutex
	sum Stats
}

func (t *totals) get() Stats {
	t.mu.Lock()
	defer t.mu.Unlock()
	sum := t.sum
	sum.Kinds = maps.Clone(sum.Kinds)
	return sum
}

func (t *totals) add(r *Report) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := &t.sum
	s.Transactions++
	if r.Committed {
		s.Released++
	}
	s.Attempts += r.Attempts
	s.Conflicts += r.Conflicts
	s.Stale += r.Stale
	s.Joins += r.Joins
	s.Turns += r.Turns
	s.Unknown += r.Unknown
	s.RoundTrips += r.RoundTrips
	s.Hits += r.Hits
	s.Misses += r.Misses
	s.Reading += r.Reading
	s.Committing += r.Committing
	s.Time += r.Time
	for kind, n := range r.Kinds {
		if s.Kinds == nil {
			s.Kinds = map[string]int{}
		}
		s.Kinds[kind] += n
	}
}

func (r *Report) countKinds(keys, prefixes []string) {
	if r.Kinds == nil {
		r.Kinds = map[string]int{}
	}
	for _, key := range keys {
		r.Kinds[kindOf(key)]++
	}
	for _, prefix := range prefixes {
		r.Kinds[kindOf(prefix)]++
	}
}

func (r *Report) countRead(start time.Time) {
	r.RoundTrips++
	r.Reading += time.Since(start)
}

func (r *Report) countCommit(start time.Time) {
	r.RoundTrips++
	r.Committing += time.Since(start)
}

func (r *Report) countCache(hit bool) {
	if hit {
		r.Hits++
	} else {
		r.Misses++
	}
}

// Step is a part of a transaction's own work, for [Probe].
type Step int

// The steps. Waiting for the store is in [Report].
const (
	Opening   Step = iota // sealed values
	Decoding              // records
	Computing             // what fn measures of itself
	Encoding
	Sealing
	steps
)

// Probe adds up how long transactions spend in each step, for measuring. A nil
// Probe measures nothing and costs nothing. Its methods may be called from any
// number of goroutines.
type Probe struct{ took [steps]atomic.Int64 }

// WithProbe makes transactions measure their steps, which costs them about a
// tenth of a microsecond each.
func WithProbe(p *Probe) Option { return func(o *options) { o.probe = p } }

// Took returns how long a step took in all transactions together.
func (p *Probe) Took(s Step) time.Duration { return time.Duration(p.took[s].Load()) }

// Begin begins a step; End ends it.
func (p *Probe) Begin() time.Time {
	if p == nil {
		return time.Time{}
	}
	return time.Now()
}

// End adds the time since a step began.
func (p *Probe) End(s Step, began time.Time) {
	if p != nil {
		p.took[s].Add(int64(time.Since(began)))
	}
}

// Probe returns what measures this transaction, for fn to measure what it
// computes; nil, which may be used, if nothing does.
func (tx *Tx) Probe() *Probe { return tx.db.opts.probe }
