package kvtest

import (
	"errors"
	"fmt"

	"github.com/pawlkv/pawl/kv"
)

var commitIDChecks = []check{
	{"commit-id/at-once", idAtOnce},
	{"commit-id/newest-kept", idKept},
}

func isConflict(err error) bool { return errors.Is(err, kv.ErrConflict) }

// repeat commits b, which was applied at a version, once more.
func (e *env) repeat(s kv.Store, what string, b *kv.Batch, first kv.Version) {
	e.Helper()
	version, err := s.Commit(e.ctx, b)
	if err != nil || version != first {
		e.Errorf("%s: version %d, %v, want that of the first time, %d", what, version, err, first)
	}
}

// racers is how many goroutines commit one batch at the same time.
const racers = 8

// idAtOnce: one batch committed by many at a time is applied once.
func idAtOnce(e *env) {
	s := e.store()
	for round := range 5 {
		key := fmt.Sprintf("k%d", round)
		b := batch(e.head(s), put(key, "1"))
		b.Reads = []kv.Read{{Key: key}}
		var calls []*call[kv.Version]
		for range racers {
			calls = append(calls, start(e, "commit", func() (kv.Version, error) { return s.Commit(e.ctx, b) }))
		}
		first, err := calls[0].wait()
		for _, c := range calls {
			if version, other := c.wait(); version != first || err != nil || other != nil {
				e.Errorf("one batch by many: versions %d and %d, %v and %v", first, version, err, other)
			}
		}
		e.wantValue(s, key, "1", first)
	}
}

// idKept: of many IDs the newest are known, each with its version.
func idKept(e *env) {
	s := e.store()
	kept := e.manyCommits(s, 2*e.kept(s)+1)
	for i, k := range kept {
		e.repeat(s, fmt.Sprintf("the ID of %d commits ago", len(kept)-i), k.batch, k.version)
	}
}

// applied is a batch and the version it got.
type applied struct {
	batch   *kv.Batch
	version kv.Version
}

// manyCommits makes n commits to a few keys and returns the last that an engine
// has to know. They need not reach the disk.
func (e *env) manyCommits(s kv.Store, n int) []applied {
	e.Helper()
	var kept []applied
	began := e.head(s)
	for i := range n {
		b := batch(began, put(fmt.Sprintf("many/%d", i%8), fmt.Sprint(i)))
		b.Sync = false
		began = e.commit(s, b)
		if n-i <= e.kept(s) {
			kept = append(kept, applied{b, began})
		}
	}
	return kept
}
