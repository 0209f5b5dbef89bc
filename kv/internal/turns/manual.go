package turns

import (
	"sync"
	"time"
)

// Manual is a clock that moves only when told to, for tests and simulation.
// The zero value is ready. Its methods may be called from any number of
// goroutines.
type Manual struct {
	mu     sync.Mutex
	now    time.Duration
	alarms map[*alarm]struct{}
}

type alarm struct {
	due  time.Duration
	ring func()
}

// After is an [After] of this clock.
func (m *Manual) After(d time.Duration, f func()) func() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.alarms == nil {
		m.alarms = make(map[*alarm]struct{})
	}
	set := &alarm{due: m.now + d, ring: f}
	m.alarms[set] = struct{}{}
	return func() bool { return m.drop(set) }
}

// Advance moves the clock, and calls everything that is due by then in order
// of time before it returns. What is set meanwhile counts from the time of the
// alarm that set it.
func (m *Manual) Advance(d time.Duration) {
	m.mu.Lock()
	end := m.now + d
	m.mu.Unlock()
	for ring := m.step(end); ring != nil; ring = m.step(end) {
		ring()
	}
}

// Pending returns the number of alarms that are set.
func (m *Manual) Pending() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.alarms)
}

// step moves to the next alarm until end and returns it, or moves to end.
func (m *Manual) step(end time.Duration) func() {
	m.mu.Lock()
	defer m.mu.Unlock()
	var first *alarm
	for set := range m.alarms {
		if set.due <= end && (first == nil || set.due < first.due) {
			first = set
		}
	}
	if first == nil {
		m.now = end
		return nil
	}
	m.now = first.due
	delete(m.alarms, first)
	return first.ring
}

func (m *Manual) drop(set *alarm) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, pending := m.alarms[set]
	delete(m.alarms, set)
	return pending
}
