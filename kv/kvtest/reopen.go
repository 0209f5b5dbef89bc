package kvtest

import (
	"strings"

	"github.com/pawlkv/pawl/kv"
)

var reopenChecks = []check{
	{"reopen/content", reopenContent},
	{"reopen/version", reopenVersion},
	{"reopen/close-racing-commits", reopenRacing},
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
	dir := e.dir()
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
	dir := e.dir()
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

// reopenRacing: of the commits that raced with Close those acknowledged are
// there, and those refused are not.
func reopenRacing(e *env) {
	dir := e.dir()
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
