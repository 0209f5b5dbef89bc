package kvtest

import (
	"bytes"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/pawlkv/pawl/kv"
)

var commitChecks = []check{
	{"commit/version-of-every-entry", commitVersions},
	{"commit/versions-rise-after-deletion", commitVersionsRise},
	{"commit/one-step-for-readers", commitOneStep},
	{"commit/conflict-names-keys", commitConflictNames},
	{"commit/empty-returns-head", commitEmpty},
	{"commit/counter", commitCounter},
}

// commitVersions: all that a commit wrote carries the version it returned, and
// the next view is of that version.
func commitVersions(e *env) {
	s := e.store()
	if head := e.head(s); head != 0 {
		e.Errorf("an empty store is at version %d, want 0", head)
	}
	first := e.write(s, put("a", "1"), put("b", "1"), put("c", "1"))
	second := e.write(s, put("b", "2"), put("d", "2"), del("c"))
	if first == 0 || second <= first {
		e.Errorf("versions %d and %d, want them to rise from 1", first, second)
	}
	e.wantValue(s, "a", "1", first)
	e.wantValue(s, "b", "2", second)
	e.wantValue(s, "d", "2", second)
	e.wantAbsent(s, "c")
	for _, entry := range e.content(s) {
		if want := e.get(s, entry.Key); entry.Version != want.Version || !bytes.Equal(entry.Value, want.Value) {
			e.Errorf("scan yields %q at version %d, get at %d", entry.Key, entry.Version, want.Version)
		}
	}
	if head := e.head(s); head != second {
		e.Errorf("the store is at version %d, want %d", head, second)
	}
}

// commitVersionsRise: a key that is made anew never has a version it had.
func commitVersionsRise(e *env) {
	s := e.store()
	var last kv.Version
	for range 5 {
		made := e.write(s, put("k", "v"))
		gone := e.write(s, del("k"))
		if made <= last || gone <= made {
			e.Fatalf("made at version %d, deleted at %d, after %d; want them to rise", made, gone, last)
		}
		last = gone
	}
	again := e.write(s, put("k", "v"))
	e.wantValue(s, "k", "v", again)
}

// tornRounds is how many commits the readers of commitOneStep race with.
const tornRounds = 200

// commitOneStep: readers see all of a commit or nothing of it.
func commitOneStep(e *env) {
	s := e.store()
	began := e.write(s, put("p/a", "0"), put("p/b", "0"))
	var stop atomic.Bool
	var reading sync.WaitGroup
	reading.Add(2)
	readers := []*call[int]{
		start(e, "reading by get", func() (int, error) { return readPairs(e, s, &reading, &stop, getPair) }),
		start(e, "reading by scan", func() (int, error) { return readPairs(e, s, &reading, &stop, scanPair) }),
	}
	reading.Wait()
	for i := range tornRounds {
		value := fmt.Sprint(i)
		b := batch(began, put("p/a", value), put("p/b", value))
		b.Sync = false
		began = e.commit(s, b)
	}
	stop.Store(true)
	for _, reader := range readers {
		if _, err := reader.wait(); err != nil {
			e.Errorf("%s: %v", reader.what, err)
		}
	}
}

// readPairs reads until it is told to stop, and says when it has begun.
func readPairs(e *env, s kv.Store, reading *sync.WaitGroup, stop *atomic.Bool, read func(*env, kv.Snapshot) ([]kv.Entry, error)) (int, error) {
	reading.Done()
	rounds := 0
	for ; !stop.Load(); rounds++ {
		snap := s.Snapshot()
		pair, err := read(e, snap)
		snap.Close()
		if isConflict(err) {
			continue // between the two reads
		}
		if err != nil {
			return rounds, err
		}
		if len(pair) != 2 || pair[0].Version != pair[1].Version || !bytes.Equal(pair[0].Value, pair[1].Value) {
			return rounds, fmt.Errorf("half a commit: %+v", pair)
		}
	}
	return rounds, nil
}

// getPair reads by two calls, so that the view has to hold between them.
func getPair(e *env, snap kv.Snapshot) ([]kv.Entry, error) {
	a, err := snap.Get(e.ctx, "p/a")
	if err != nil {
		return nil, err
	}
	b, err := snap.Get(e.ctx, "p/b")
	return append(a, b...), err
}

func scanPair(e *env, snap kv.Snapshot) ([]kv.Entry, error) {
	var pair []kv.Entry
	for entry, err := range snap.Scan(e.ctx, "p/") {
		if err != nil {
			return nil, err
		}
		pair = append(pair, entry)
	}
	return pair, nil
}

// commitConflictNames: a conflict names what has changed and nothing else, and
// certainly did not apply.
func commitConflictNames(e *env) {
	s := e.store()
	v := e.write(s, put("a", "1"), put("b", "1"), put("p/x", "1"), put("q/x", "1"))
	e.write(s, put("b", "2"), put("q/x", "2"))
	b := batch(v, put("a", "3"), put("new", "3"))
	b.Reads = []kv.Read{{Key: "a", Version: v}, {Key: "b", Version: v}, {Key: "none"}}
	b.Scans = []kv.ScanRead{
		{Prefix: "p/", Entries: []kv.Read{{Key: "p/x", Version: v}}},
		{Prefix: "q/", Entries: []kv.Read{{Key: "q/x", Version: v}}},
	}
	_, err := s.Commit(e.ctx, b)
	e.wantConflict("two stale reads", err, "b", "q/*")
	e.wantValue(s, "a", "1", v)
	e.wantAbsent(s, "new")

	for what, read := range map[string]kv.Read{
		"a read of a later version": {Key: "a", Version: v + 1000},
		"a read of what is absent":  {Key: "none", Version: v},
		"a read of absence":         {Key: "a"},
	} {
		b := batch(v, put("new", "3"))
		b.Reads = []kv.Read{read}
		_, err := s.Commit(e.ctx, b)
		e.wantConflict(what, err, read.Key)
	}
	e.wantAbsent(s, "new")
}

// commitEmpty: a batch without writes tells the version it holds at.
func commitEmpty(e *env) {
	s := e.store()
	if version := e.commit(s, &kv.Batch{}); version != 0 {
		e.Errorf("an empty batch on an empty store: version %d, want 0", version)
	}
	v := e.write(s, put("a", "1"))
	b := &kv.Batch{Reads: []kv.Read{{Key: "a", Version: v}}}
	if version := e.commit(s, b); version != v {
		e.Errorf("an empty batch: version %d, want %d", version, v)
	}
	e.write(s, put("a", "2"))
	_, err := s.Commit(e.ctx, b)
	e.wantConflict("the same batch on a changed store", err, "a")
	if version := e.commit(s, batch(v)); version <= v {
		e.Errorf("a batch that read nothing: version %d, want the latest, above %d", version, v)
	}
}

// Clients and additions of commitCounter.
const (
	counters  = 4
	additions = 10
)

// commitCounter: no addition of competing clients is lost, and none counts
// twice.
func commitCounter(e *env) {
	s := e.store()
	var reading sync.WaitGroup // the first time, when all are to read the same
	reading.Add(counters)
	var clients []*call[int]
	for range counters {
		clients = append(clients, start(e, "counting", func() (int, error) { return count(e, s, &reading) }))
	}
	for _, client := range clients {
		if _, err := client.wait(); err != nil {
			e.Fatalf("counting: %v", err)
		}
	}
	if got := e.get(s, "n"); len(got.Value) != counters*additions {
		e.Errorf("%d clients each added %d: got %d in all", counters, additions, len(got.Value))
	}
}

// count appends a byte to one value until it has succeeded often enough. Nobody
// commits before all have read.
func count(e *env, s kv.Store, reading *sync.WaitGroup) (done int, err error) {
	read := sync.OnceFunc(reading.Done)
	defer read()
	for done < additions {
		snap := s.Snapshot()
		entries, err := snap.Get(e.ctx, "n")
		snap.Close()
		if err != nil {
			return done, err
		}
		read()
		reading.Wait()
		runtime.Gosched() // let the others read the same again
		b := batch(entries[0].Version, kv.Write{Key: "n", Value: append(bytes.Clone(entries[0].Value), '+')})
		b.Reads = []kv.Read{{Key: "n", Version: entries[0].Version}}
		switch _, err := s.Commit(e.ctx, b); {
		case err == nil:
			done++
		case !isConflict(err):
			return done, err
		}
	}
	return done, nil
}
