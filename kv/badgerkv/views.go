package badgerkv

import (
	"sync"

	"github.com/pawlkv/pawl/kv"
)

// views knows the newest visible version and which versions snapshots look at.
// Compaction drops only what none of them needs.
type views struct {
	mu     sync.Mutex
	head   kv.Version
	counts map[kv.Version]int // open snapshots at each version
}

func newViews(head kv.Version) *views {
	return &views{head: head, counts: make(map[kv.Version]int)}
}

// open returns the newest version and holds on to it until release.
func (v *views) open() kv.Version {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.counts[v.head]++
	return v.head
}

func (v *views) release(version kv.Version) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.counts[version]--; v.counts[version] == 0 {
		delete(v.counts, version)
	}
}

// publish makes a version visible and returns the oldest that is looked at, now
// or by snapshots to come.
func (v *views) publish(version kv.Version) kv.Version {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.head = version
	oldest := version
	for open := range v.counts {
		oldest = min(oldest, open)
	}
	return oldest
}
