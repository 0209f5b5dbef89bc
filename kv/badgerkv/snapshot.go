package badgerkv

import (
	"context"
	"iter"
	"sync"

	"github.com/pawlkv/pawl/kv"
)

// Snapshot implements sharekv.LocalEngine.
func (d *database) Snapshot() kv.Snapshot { return &snapshot{database: d} }

// snapshot is a version that is held on to from the first call on.
type snapshot struct {
	database *database

	// mu is held for the time of a read and taken to fix and to close: a
	// version that is let go of may lose entries at once.
	mu      sync.RWMutex
	fixed   bool
	closed  bool
	version kv.Version
}

// Get implements kv.Snapshot.
func (n *snapshot) Get(ctx context.Context, keys ...string) (entries []kv.Entry, err error) {
	for _, key := range keys {
		if err := kv.CheckKey(key); err != nil {
			return nil, err
		}
	}
	err = n.with(ctx, func(version kv.Version) error {
		entries, err = n.database.get(version, keys)
		return err
	})
	return entries, err
}

// Scan implements kv.Snapshot.
func (n *snapshot) Scan(ctx context.Context, prefix string) iter.Seq2[kv.Entry, error] {
	return func(yield func(kv.Entry, error) bool) {
		for from, more := prefix, true; more; more = from != "" {
			var entries []kv.Entry
			err := n.with(ctx, func(version kv.Version) (err error) {
				entries, from, err = n.database.scanFrom(version, prefix, from)
				return err
			})
			if err != nil {
				yield(kv.Entry{}, err)
				return
			}
			if !n.yieldAll(ctx, entries, yield) {
				return
			}
		}
	}
}

// yieldAll yields entries that were read, as long as nothing ends the scan.
func (n *snapshot) yieldAll(ctx context.Context, entries []kv.Entry, yield func(kv.Entry, error) bool) bool {
	for _, entry := range entries {
		if err := n.with(ctx, func(kv.Version) error { return n.database.checkOpen() }); err != nil {
			yield(kv.Entry{}, err)
			return false
		}
		if !yield(entry, nil) {
			return false
		}
	}
	return true
}

// Version implements kv.Snapshot.
func (n *snapshot) Version(ctx context.Context) (version kv.Version, err error) {
	err = n.with(ctx, func(v kv.Version) error {
		version = v
		return n.database.checkOpen()
	})
	return version, err
}

// Close implements kv.Snapshot.
func (n *snapshot) Close() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.fixed && !n.closed {
		n.database.versions.release(n.version)
	}
	n.closed = true
}

// with calls fn with the snapshot's version, which is not let go of meanwhile.
func (n *snapshot) with(ctx context.Context, fn func(version kv.Version) error) error {
	if err := n.fix(ctx); err != nil {
		return err
	}
	n.mu.RLock()
	defer n.mu.RUnlock()
	if n.closed {
		return kv.ErrClosed
	}
	return fn(n.version)
}

// fix chooses the version if nothing has yet.
func (n *snapshot) fix(ctx context.Context) error {
	n.mu.RLock()
	fixed, closed := n.fixed, n.closed
	n.mu.RUnlock()
	switch {
	case closed:
		return kv.ErrClosed
	case ctx.Err() != nil:
		return ctx.Err()
	case fixed:
		return nil
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.fixed && !n.closed {
		n.fixed, n.version = true, n.database.versions.open()
	}
	return nil
}

// versions knows the newest visible version and which ones snapshots look at.
// Compaction drops only what none of them needs.
type versions struct {
	mu     sync.Mutex
	head   kv.Version
	counts map[kv.Version]int // open snapshots at each version
}

func newVersions(head kv.Version) *versions {
	return &versions{head: head, counts: make(map[kv.Version]int)}
}

// open returns the newest version and holds on to it until release.
func (v *versions) open() kv.Version {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.counts[v.head]++
	return v.head
}

func (v *versions) release(version kv.Version) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.counts[version]--; v.counts[version] == 0 {
		delete(v.counts, version)
	}
}

// publish makes a version visible and returns the oldest that is looked at, now
// or by snapshots to come.
func (v *versions) publish(version kv.Version) kv.Version {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.head = version
	oldest := version
	for open := range v.counts {
		oldest = min(oldest, open)
	}
	return oldest
}
