package kvtest

import (
	"sync/atomic"
	"testing"

	"github.com/pawlkv/pawl/kv"
)

// RunShared tests that several stores of the data in one directory, open at the
// same time as they are in several processes, are one. Through which of them a
// step of a script goes stands behind a name: T1@2.
func RunShared(t *testing.T, open Reopen, options ...Option) {
	runAll(t, sharedChecks(t), &env{reopen: open}, options)
}

// sharedChecks returns everything that RunShared does.
func sharedChecks(t testing.TB) []check {
	t.Helper()
	return append(scripted(t, "shared"), check{"shared/turns-pass-few", turnsPassFew})
}

// mostPassed is how many turns of another store may pass one that waits: there
// are two stores and one who waits, and it counts as waiting as soon as its caller
// does, though it may be on its way to another process for as long as many turns
// take in memory. One that starves is passed by thousands.
const mostPassed = 100

// turnsPassFew: where others ask for turns all the time, so that there is always
// one who waits, a turn asked for in another store is granted soon.
func turnsPassFew(e *env) {
	dir := e.dir()
	stores := [2]kv.Store{e.stored(dir), e.stored(dir)}
	for i, waits := range stores {
		var granted atomic.Int64
		var over atomic.Bool
		var others []*call[int]
		for range 3 {
			others = append(others, start(e, "turns", func() (int, error) { return takeTurns(e, stores[1-i], &granted, &over) }))
		}
		for granted.Load() < 3 && e.ctx.Err() == nil {
			e.head(waits)
		}
		asked := start(e, "turn", func() (kv.Turn, error) { return waits.Turn(e.ctx, "k") })
		asked.park()
		before := granted.Load()
		turn, err := asked.wait()
		passed := granted.Load() - before
		over.Store(true)
		if err != nil {
			e.Fatal(err)
		}
		turn.Release()
		for _, other := range others {
			if _, err := other.wait(); err != nil {
				e.Fatal(err)
			}
		}
		e.Logf("%d turns of another store passed one that waited", passed)
		if passed > mostPassed {
			e.Errorf("%d turns of another store passed one that waited, want at most %d", passed, mostPassed)
		}
	}
}

// takeTurns takes one turn after the other, and commits in each, until it is over.
func takeTurns(e *env, s kv.Store, granted *atomic.Int64, over *atomic.Bool) (int, error) {
	for !over.Load() {
		turn, err := s.Turn(e.ctx, "k")
		if err != nil {
			return 0, err
		}
		granted.Add(1)
		b := batch(e.latest(s), put("k", ""))
		b.Turn = turn.ID
		_, err = s.Commit(e.ctx, b)
		turn.Release()
		if err != nil {
			return 0, err
		}
	}
	return 0, nil
}
