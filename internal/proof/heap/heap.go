// Package heap measures, in tests, how much memory a piece of work holds.
package heap

import "runtime"

// A Meter knows how much was in use when it was started, and how much more at most
// since, in bytes, when it was asked to look. It is for one goroutine at a time.
type Meter struct{ began, peak uint64 }

// Start returns a meter of what will be held from now on.
func Start() *Meter { return &Meter{began: inUse()} }

// Look collects garbage and returns how many bytes more are in use than at the start;
// none if there are fewer, as there are when what was made before is dropped meanwhile.
func (m *Meter) Look() uint64 {
	held := over(inUse(), m.began)
	m.peak = max(m.peak, held)
	return held
}

// Peak is the most that any look has seen.
func (m *Meter) Peak() uint64 { return m.peak }

func over(now, began uint64) uint64 { return now - min(now, began) }

func inUse() uint64 {
	runtime.GC()
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return s.HeapAlloc
}
