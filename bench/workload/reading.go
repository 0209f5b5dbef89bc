package workload

import (
	"runtime/metrics"
	"time"

	"github.com/pawlkv/pawl/txn"
)

// reading is what a process has used since it began. What cannot be told is
// negative.
type reading struct {
	CPU       time.Duration
	Allocs    int64
	Allocated int64 // bytes
	Written   int64 // bytes that go to the disk
	Resident  int64 // bytes, at most so far; of no use in a difference

	Syncs   int64
	Syncing time.Duration

	Transactions, Attempts, Conflicts int64
	Refused                           int64 // by what the design holds
	Time                              time.Duration
	Reading, Committing               time.Duration
	Steps                             [5]time.Duration // by txn.Step
}

// since returns what was used between two readings.
func (r reading) since(began reading) reading { return r.combine(began, -1) }

// plus adds what another process used.
func (r reading) plus(other reading) reading { return r.combine(other, 1) }

func (r reading) combine(o reading, sign int64) reading {
	d := time.Duration(sign)
	r.CPU += d * o.CPU
	r.Allocs += sign * o.Allocs
	r.Allocated += sign * o.Allocated
	r.Written = combineKnown(r.Written, o.Written, sign)
	r.Syncs += sign * o.Syncs
	r.Syncing += d * o.Syncing
	r.Transactions += sign * o.Transactions
	r.Attempts += sign * o.Attempts
	r.Conflicts += sign * o.Conflicts
	r.Refused += sign * o.Refused
	r.Time += d * o.Time
	r.Reading += d * o.Reading
	r.Committing += d * o.Committing
	for i := range r.Steps {
		r.Steps[i] += d * o.Steps[i]
	}
	return r
}

func combineKnown(a, b, sign int64) int64 {
	if a < 0 || b < 0 {
		return -1
	}
	return a + sign*b
}

// readSystem reads what the system knows of this process.
func (r *reading) readSystem() {
	samples := []metrics.Sample{{Name: "/gc/heap/allocs:objects"}, {Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(samples)
	r.Allocs, r.Allocated = int64(samples[0].Value.Uint64()), int64(samples[1].Value.Uint64())
	r.CPU = cpuTime()
	r.Written, r.Resident = bytesWritten(), maxResident()
}

// readTransactions reads what the transactions of a store did.
func (r *reading) readTransactions(s txn.Stats, p *txn.Probe) {
	r.Transactions, r.Attempts, r.Conflicts = int64(s.Transactions), int64(s.Attempts), int64(s.Conflicts)
	r.Time, r.Reading, r.Committing = s.Time, s.Reading, s.Committing
	for i := range r.Steps {
		r.Steps[i] = p.Took(txn.Step(i))
	}
}
