package kvtest

import (
	"errors"
	"fmt"

	"github.com/pawlkv/pawl/kv"
)

var commitIDChecks = []check{
	{"commit-id/applied-once", idAppliedOnce},
	{"commit-id/another-batch", idAnotherBatch},
	{"commit-id/at-once", idAtOnce},
	{"commit-id/refused", idRefused},
	{"commit-id/without-writes", idWithoutWrites},
	{"commit-id/expired", idExpired},
}

func isConflict(err error) bool { return errors.Is(err, kv.ErrConflict) }

// again commits b, which was applied at a version, once more.
func (e *env) again(s kv.Store, what string, b *kv.Batch, first kv.Version) {
	e.Helper()
	version, err := s.Commit(e.ctx, b)
	if err != nil || version != first {
		e.Errorf("%s: version %d, %v, want that of the first time, %d", what, version, err, first)
	}
}

// idAppliedOnce: the identical batch is answered with its version, also when
// its own writes or others' have made its reads stale.
func idAppliedOnce(e *env) {
	s := e.store()
	b := batch(0, put("a", "1"), put("b", "1"))
	b.Reads = []kv.Read{{Key: "a"}}
	b.Scans = []kv.ScanRead{{Prefix: "b"}}
	first := e.commit(s, b)
	e.again(s, "at once", b, first)
	second := e.write(s, put("a", "2"), del("b"))
	e.again(s, "after another commit", b, first)
	e.wantValue(s, "a", "2", second)
	e.wantAbsent(s, "b")
	if head := e.head(s); head != second {
		e.Errorf("the store is at version %d, want %d: something was applied twice", head, second)
	}
}

// idAnotherBatch: the ID decides, whatever else the batch holds.
func idAnotherBatch(e *env) {
	s := e.store()
	b := batch(0, put("a", "1"))
	first := e.commit(s, b)
	other := &kv.Batch{ID: b.ID, Writes: []kv.Write{put("a", "2"), put("c", "2")}}
	e.again(s, "another batch with the ID", other, first)
	e.wantValue(s, "a", "1", first)
	e.wantAbsent(s, "c")

	sameRandom := batch(first, put("d", "4"))
	sameRandom.ID.Random = b.ID.Random
	sameRandom.ID.Random[15]++
	if version := e.commit(s, sameRandom); version == first {
		e.Errorf("an ID that differs in its last byte got version %d of the other", first)
	}
	e.wantValue(s, "d", "4", e.head(s))
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

// idRefused: a batch that was refused is not remembered as applied.
func idRefused(e *env) {
	s := e.store()
	v := e.write(s, put("a", "1"))
	e.write(s, put("a", "2"))
	b := batch(v, put("b", "1"))
	b.Reads = []kv.Read{{Key: "a", Version: v}}
	for range 3 {
		_, err := s.Commit(e.ctx, b)
		e.wantConflict("a batch whose read is stale for good", err, "a")
	}
	e.wantAbsent(s, "b")
}

// idWithoutWrites: a batch without writes leaves no trace of its ID, and does
// not look for one.
func idWithoutWrites(e *env) {
	s := e.store()
	v := e.write(s, put("a", "1"))
	b := batch(v)
	e.commit(s, b)
	b.Writes = []kv.Write{put("b", "1")}
	second := e.commit(s, b)
	e.wantValue(s, "b", "1", second)
	last := e.write(s, put("a", "2"))
	b.Writes = nil
	if version := e.commit(s, b); version != last {
		e.Errorf("a batch without writes: version %d, want the latest, %d", version, last)
	}
	b.Reads = []kv.Read{{Key: "a", Version: v}}
	_, err := s.Commit(e.ctx, b)
	e.wantConflict("a batch without writes and a known ID", err, "a")
}

// idExpired: the newest IDs are known, older ones are refused for good, and an
// ID that began late enough is neither.
func idExpired(e *env) {
	s := e.store()
	never := batch(0, put("never", "1"))
	old := batch(0, put("old", "1"))
	e.commit(s, old)
	e.write(s, del("old"))
	kept := e.manyCommits(s, 2*e.kept(s)+1)

	for range 2 {
		for what, b := range map[string]*kv.Batch{"dropped": old, "too old to tell": never} {
			_, err := s.Commit(e.ctx, b)
			e.wantError("an ID that is "+what, err, kv.ErrExpired)
			e.wantError("an ID that is "+what, err, kv.ErrUnknown)
		}
		e.write(s, put("other", "1"))
	}
	e.wantAbsent(s, "old")
	e.wantAbsent(s, "never")

	for i, k := range kept {
		if i < 2 { // two commits came since
			continue
		}
		e.again(s, fmt.Sprintf("the ID of %d commits ago", len(kept)-i+2), k.batch, k.version)
	}
	fresh := batch(e.head(s), put("fresh", "1"))
	fresh.Reads = []kv.Read{{Key: "fresh"}}
	version := e.commit(s, fresh)
	e.wantValue(s, "fresh", "1", version)
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
