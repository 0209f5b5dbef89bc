package kvtest

import (
	"errors"

	"github.com/pawlkv/pawl/kv"
)

// refusalChecks are about batches that come with Again: an earlier try had no
// known outcome, and may be held up somewhere.
var refusalChecks = []check{
	{"refusal/expires", refusedExpires},
	{"refusal/many", refusedMany},
}

// commitAgain commits b as one whose earlier try had no known outcome.
func (e *env) commitAgain(s kv.Store, b *kv.Batch) (kv.Version, error) {
	later := *b
	later.Again = true
	return s.Commit(e.ctx, &later)
}

// readsAbsent is a batch that writes a key and has read that another is absent.
func readsAbsent(began kv.Version, absent, key string) *kv.Batch {
	b := batch(began, put(key, "late"))
	b.Reads = []kv.Read{{Key: absent}}
	return b
}

// refusedExpires: refused IDs are kept as long as applied ones, and once they are
// dropped nobody can tell: they are never taken for new.
func refusedExpires(e *env) {
	s := e.store()
	v := e.write(s, put("k", "1"))
	b := readsAbsent(v, "k", "l")
	e.refuse(s, b)
	e.write(s, del("k"))
	expired := false
	for i := 1; i <= 2*e.kept(s)+1; i++ {
		_, err := s.Commit(e.ctx, b)
		switch {
		case errors.Is(err, kv.ErrExpired) && i >= e.kept(s):
			expired = true
		case !isConflict(err) || expired:
			e.Fatalf("a refused batch arrives, after %d commits: %v", i, err)
		}
		e.manyCommits(s, 1)
	}
	_, err := s.Commit(e.ctx, b)
	e.wantError("a refused ID that was dropped", err, kv.ErrExpired)
	e.wantAbsent(s, "l")
}

// refuse has a batch refused for good.
func (e *env) refuse(s kv.Store, b *kv.Batch) {
	e.Helper()
	_, err := e.commitAgain(s, b)
	e.wantError("a batch that comes again, with something in its way", err, kv.ErrConflict)
}

// refusedMany: refusals alone, more than are kept, keep no one from committing.
func refusedMany(e *env) {
	s := e.store()
	e.write(s, put("k", "1"))
	for range 2*e.kept(s) + 1 {
		e.refuse(s, readsAbsent(e.head(s), "k", "l"))
	}
	e.wantValue(s, "fresh", "1", e.write(s, put("fresh", "1")))
	e.wantAbsent(s, "l")
}
