package peer

import (
	"os"
	"runtime/metrics"
	"strconv"
	"strings"
	"time"

	"github.com/pawlkv/pawl/bench/result"
)

// Unknown is the cost of what cannot be told.
const Unknown = -1

// Meter measures the part of a repetition that counts.
type Meter struct {
	calls  []time.Duration
	began  time.Time
	before usage
}

// usage is what the process has used so far.
type usage struct {
	cpu           time.Duration
	allocs, bytes uint64
	written       int64 // negative: unknown
}

// NewMeter begins to measure. calls is about how many there will be.
func NewMeter(calls int) *Meter {
	m := &Meter{calls: make([]time.Duration, 0, calls)}
	m.before = used()
	markForTrace()
	m.began = time.Now()
	return m
}

// Call measures one call.
func (m *Meter) Call(f func() error) error {
	began := time.Now()
	err := f()
	m.calls = append(m.calls, time.Since(began))
	return err
}

// Stop ends measuring; that many messages were dealt with.
func (m *Meter) Stop(messages int) Outcome {
	took := time.Since(m.began)
	markForTrace()
	after := used()
	per := 1 / float64(messages)
	cpu := after.cpu - m.before.cpu
	o := Outcome{
		Run:   result.Run{Messages: messages, Took: took, CPU: cpu},
		Calls: m.calls,
		Cost: result.Cost{
			CPU:       cpu / time.Duration(messages),
			Allocs:    float64(after.allocs-m.before.allocs) * per,
			Allocated: float64(after.bytes-m.before.bytes) * per,
			Written:   Unknown,
			Syncs:     Unknown,
			Conflicts: Unknown,
			Retries:   Unknown,
		},
		Resident: resident(),
	}
	if m.before.written >= 0 && after.written >= 0 {
		o.Cost.Written = float64(after.written-m.before.written) * per
	}
	return o
}

func used() usage {
	samples := []metrics.Sample{{Name: "/gc/heap/allocs:objects"}, {Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(samples)
	return usage{
		cpu:     cpuTime(),
		allocs:  samples[0].Value.Uint64(),
		bytes:   samples[1].Value.Uint64(),
		written: written(),
	}
}

// written is how many bytes this process has made the kernel write to storage,
// pages of mapped files among them. Only Linux tells.
func written() int64 {
	b, err := os.ReadFile("/proc/self/io")
	if err != nil {
		return Unknown
	}
	for line := range strings.Lines(string(b)) {
		if value, ok := strings.CutPrefix(line, "write_bytes: "); ok {
			if n, err := strconv.ParseInt(strings.TrimSpace(value), 10, 64); err == nil {
				return n
			}
		}
	}
	return Unknown
}
