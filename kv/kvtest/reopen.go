package kvtest

import (
	"fmt"
	"strings"

	"github.com/pawlkv/pawl/kv"
)

var reopenChecks = []check{
	{"reopen/content", reopenContent},
	{"reopen/version", reopenVersion},
	{"reopen/commit-ids", reopenIDs},
	{"reopen/expired-id", reopenExpired},
	{"reopen/unsynced", reopenUnsynced},
	{"reopen/close-racing-commits", reopenRacing},
	{"reopen/close-outstanding", reopenOutstanding},
	{"reopen/watch", reopenWatch},
}

var reopenRefusalChecks = []check{
	{"reopen/refused-ids", reopenRefused},
}

// reopened closes a store and opens its directory.
func (e *env) reopened(s kv.Store, dir string) kv.Store {
	e.Helper()
	e.closeNow(s)
	return e.stored(dir)
}

// reopenContent: keys, values and versions are as they were; the deleted stay
// deleted.
func reopenContent(e *env) {
	dir := e.TempDir()
	s := e.stored(dir)
	var writes []kv.Write
	for _, key := range anyKeys() {
		writes = append(writes, put(key, "v"+key))
	}
	e.fill(s, writes...)
	e.write(s, put("empty", ""), put("large", strings.Repeat("x", s.Limits().Bytes/2)), del("p\x00"))
	want := e.content(s)
	for range 2 {
		s = e.reopened(s, dir)
		got := e.content(s)
		if len(got) != len(want) {
			e.Fatalf("%d entries after opening again, want %d", len(got), len(want))
		}
		for i := range want {
			if got[i].Key != want[i].Key || got[i].Version != want[i].Version || string(got[i].Value) != string(want[i].Value) {
				e.Errorf("%q at version %d reads as %q at version %d", want[i].Key, want[i].Version, got[i].Key, got[i].Version)
			}
		}
		e.wantAbsent(s, "p\x00")
	}
}

// reopenVersion: versions go on rising, also after the newest entries went, so
// that what was read before is never taken for current.
func reopenVersion(e *env) {
	dir := e.TempDir()
	s := e.stored(dir)
	old := e.write(s, put("k", "old"))
	s = e.reopened(s, dir)
	last := e.write(s, del("k"))
	s = e.reopened(s, dir)
	if head := e.head(s); head != last {
		e.Errorf("the store is at version %d, want %d as before", head, last)
	}
	again := e.write(s, put("k", "again"))
	if again <= last {
		e.Errorf("a commit after opening again got version %d, want more than %d", again, last)
	}
	b := batch(old, put("l", "1"))
	b.Reads = []kv.Read{{Key: "k", Version: old}}
	_, err := s.Commit(e.ctx, b)
	e.wantConflict("a read from before", err, "k")
}

// reopenIDs: a commit whose answer was lost is resolved by whoever opens the
// store next.
func reopenIDs(e *env) {
	dir := e.TempDir()
	s := e.stored(dir)
	b := batch(0, put("a", "1"))
	b.Reads = []kv.Read{{Key: "a"}}
	first := e.commit(s, b)
	s = e.reopened(s, dir)
	e.again(s, "the batch after opening again", b, first)
	second := e.write(s, put("a", "2"))
	s = e.reopened(s, dir)
	e.again(s, "the batch after opening twice", b, first)
	e.wantValue(s, "a", "2", second)
}

// reopenExpired: what was refused as too old stays refused.
func reopenExpired(e *env) {
	dir := e.TempDir()
	s := e.stored(dir)
	old := batch(0, put("old", "1"))
	e.commit(s, old)
	e.write(s, del("old"))
	kept := e.manyCommits(s, 2*e.kept(s)+1)
	_, err := s.Commit(e.ctx, old)
	e.wantError("a dropped ID", err, kv.ErrExpired)
	s = e.reopened(s, dir)
	_, err = s.Commit(e.ctx, old)
	e.wantError("a dropped ID after opening again", err, kv.ErrExpired)
	e.wantAbsent(s, "old")
	for i, k := range kept {
		e.again(s, fmt.Sprintf("the ID of %d commits ago, after opening again", len(kept)-i), k.batch, k.version)
	}
}

// reopenRefused: what was refused for good stays refused.
func reopenRefused(e *env) {
	dir := e.TempDir()
	s := e.stored(dir)
	e.write(s, put("k", "1"))
	b := readsAbsent(e.head(s), "k", "l")
	b.Sync = false // a refusal is durable all the same
	e.refuse(s, b)
	s = e.reopened(s, dir)
	e.write(s, del("k"))
	e.wantRefused(s, b, "after opening again")
	s = e.reopened(s, dir)
	e.wantRefused(s, b, "after opening twice")
	e.wantAbsent(s, "l")
}

// reopenUnsynced: only power failure may lose commits that were not synced.
func reopenUnsynced(e *env) {
	dir := e.TempDir()
	s := e.stored(dir)
	b := batch(0, put("k", "1"))
	b.Sync = false
	version := e.commit(s, b)
	s = e.reopened(s, dir)
	e.wantValue(s, "k", "1", version)
}

// reopenRacing: of the commits that raced with Close those acknowledged are
// there, and those refused are not.
func reopenRacing(e *env) {
	dir := e.TempDir()
	s := e.stored(dir)
	raced := e.raceClose(s)
	s = e.stored(dir)
	there := make(map[string]bool)
	for _, entry := range e.content(s) {
		there[entry.Key] = true
	}
	for _, key := range raced.acknowledged {
		if !there[key] {
			e.Errorf("key %q was acknowledged before close and is gone", key)
		}
	}
	for _, key := range raced.refused {
		if there[key] {
			e.Errorf("key %q was refused and is there", key)
		}
	}
}

// reopenOutstanding: a commit that waited for a turn when the store closed was
// not applied.
func reopenOutstanding(e *env) {
	dir := e.TempDir()
	e.inTime("close with a commit outstanding", func() bool {
		s := e.stored(dir)
		defer e.closeNow(s)
		turn := e.turn(s, "k")
		defer turn.Release()
		c := start(e, "commit", func() (kv.Version, error) { return s.Commit(e.ctx, batch(0, put("k", "late"))) })
		c.park()
		if c.finished() {
			e.write(s, del("k"))
			return false
		}
		e.closeNow(s)
		_, err := c.wait()
		e.wantError("a commit that was outstanding", err, kv.ErrClosed)
		s = e.stored(dir)
		e.wantAbsent(s, "k")
		return true
	})
}

// reopenWatch: a watch from a version before the store was closed has no gap.
func reopenWatch(e *env) {
	dir := e.TempDir()
	s := e.stored(dir)
	v1 := e.write(s, put("a", "1"), put("b", "1"))
	v2 := e.write(s, put("a", "2"), del("b"))
	s = e.reopened(s, dir)
	last := map[string]change{"a": {v2, v2}, "b": {0, v2}}
	e.listen(s, newBell("", v1), last)
	v3 := e.write(s, put("c", "3"))
	last["c"] = change{v3, v3}
	e.listen(s, newBell("", v1), last)
	e.listen(s, newBell("", v2), last)
}
