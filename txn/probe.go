package txn

import (
	"sync/atomic"
	"time"
)

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
