package kvtest

import (
	"fmt"
	"slices"
	"sync"

	"github.com/pawlkv/pawl/kv"
)

var snapshotChecks = []check{
	{"snapshot/fixed-by-first-call", snapFixed},
	{"snapshot/sees-what-returned", snapFresh},
	{"snapshot/many-open", snapManyOpen},
	{"snapshot/closed", snapClosed},
	{"snapshot/get-order", snapGetOrder},
	{"snapshot/scan-breaks-off", snapScanBreaks},
	{"snapshot/shared", snapShared},
}

// snapFixed: whichever call comes first fixes the view, and nothing before it.
func snapFixed(e *env) {
	s := e.store()
	for name, first := range map[string]func(kv.Snapshot){
		"get":            func(snap kv.Snapshot) { e.read(snap, "elsewhere") },
		"get of nothing": func(snap kv.Snapshot) { e.read(snap) },
		"scan":           func(snap kv.Snapshot) { e.scan(snap, "elsewhere") },
		"version": func(snap kv.Snapshot) {
			if _, err := snap.Version(e.ctx); err != nil {
				e.Fatal(err)
			}
		},
	} {
		before := e.write(s, put("k", "before"))
		snap := s.Snapshot()
		seen := e.write(s, put("k", "seen"), put("l", "seen"))
		first(snap)
		e.write(s, put("k", "later"), del("l"), put("m/"+name, "later"))
		if got := e.read(snap, "k", "l"); got[0].Version != seen || got[1].Version != seen {
			e.Errorf("fixed by %s: read versions %d and %d, want %d (%d is too old)",
				name, got[0].Version, got[1].Version, seen, before)
		}
		if got := e.read(snap, "m/"+name)[0]; got.Exists() {
			e.Errorf("fixed by %s: a later entry is seen", name)
		}
		if version, err := snap.Version(e.ctx); version != seen || err != nil {
			e.Errorf("fixed by %s: version %d, %v, want %d", name, version, err, seen)
		}
		snap.Close()
	}
}

// snapFresh: a view is not older than any commit that returned before its
// first call, whoever made it.
func snapFresh(e *env) {
	s := e.store()
	for i := range 20 {
		value := fmt.Sprint(i)
		b := batch(e.head(s), put("k", value))
		c := start(e, "commit", func() (kv.Version, error) { return s.Commit(e.ctx, b) })
		version, err := c.wait()
		if err != nil {
			e.Fatal(err)
		}
		e.wantValue(s, "k", value, version)
	}
}

// openSnapshots is how many views are held at once.
const openSnapshots = 100

// snapManyOpen: each of many views stays as it was.
func snapManyOpen(e *env) {
	s := e.store()
	var snaps []kv.Snapshot
	var versions []kv.Version
	for i := range openSnapshots {
		b := batch(e.head(s), put("k", fmt.Sprint(i)), put(fmt.Sprintf("p/%03d", i), ""))
		b.Sync = false
		versions = append(versions, e.commit(s, b))
		snap := s.Snapshot()
		defer snap.Close()
		e.read(snap, "k")
		snaps = append(snaps, snap)
	}
	for i, snap := range snaps {
		got := e.read(snap, "k")[0]
		if string(got.Value) != fmt.Sprint(i) || got.Version != versions[i] {
			e.Errorf("view %d reads %q at version %d, want version %d", i, got.Value, got.Version, versions[i])
		}
		if n := len(e.scan(snap, "p/")); n != i+1 {
			e.Errorf("view %d scans %d entries, want %d", i, n, i+1)
		}
	}
}

// snapClosed: a closed view answers nothing; others and the store go on.
func snapClosed(e *env) {
	s := e.store()
	e.write(s, put("k", "1"))
	other := s.Snapshot()
	defer other.Close()
	for name, use := range map[string]func(kv.Snapshot){
		"used":   func(snap kv.Snapshot) { e.read(snap, "k") },
		"unused": func(kv.Snapshot) {},
	} {
		snap := s.Snapshot()
		use(snap)
		snap.Close()
		snap.Close()
		for what, err := range e.readErrors(snap) {
			e.wantError(name+" view, closed: "+what, err, kv.ErrClosed)
		}
	}
	e.read(other, "k")
}

// readErrors calls everything on a view that should fail.
func (e *env) readErrors(snap kv.Snapshot) map[string]error {
	_, get := snap.Get(e.ctx, "k")
	_, version := snap.Version(e.ctx)
	return map[string]error{"get": get, "version": version, "scan": lastError(snap.Scan(e.ctx, ""))}
}

// snapGetOrder: entries come in the order of the keys, repeated ones too.
func snapGetOrder(e *env) {
	s := e.store()
	keys := []string{"b", "none", "a", "b", "c", "none"}
	v := e.write(s, put("a", "A"), put("b", "B"), put("c", "C"))
	snap := s.Snapshot()
	defer snap.Close()
	var got []string
	for _, entry := range e.read(snap, keys...) {
		got = append(got, shown(entry))
	}
	if want := []string{"B", "-", "A", "B", "C", "-"}; !slices.Equal(got, want) {
		e.Errorf("get %q: %q, want %q", keys, got, want)
	}
	if got := e.read(snap); len(got) != 0 {
		e.Errorf("get of no keys: %d entries", len(got))
	}
	if got := e.read(snap, "c")[0].Version; got != v {
		e.Errorf("version %d, want %d", got, v)
	}
}

// snapScanBreaks: a reader who has enough stops a scan, and may write meanwhile.
func snapScanBreaks(e *env) {
	s := e.store()
	e.write(s, put("p/1", ""), put("p/2", ""), put("p/3", ""))
	snap := s.Snapshot()
	defer snap.Close()
	for range 2 {
		var got []string
		for entry, err := range snap.Scan(e.ctx, "p/") {
			if err != nil {
				e.Fatal(err)
			}
			got = append(got, entry.Key)
			e.write(s, del("p/2"), put("p/4", ""))
			if len(got) == 2 {
				break
			}
		}
		if want := []string{"p/1", "p/2"}; !slices.Equal(got, want) {
			e.Errorf("scan until the second: %q, want %q", got, want)
		}
	}
}

// snapShared: many goroutines may make the first call on one view.
func snapShared(e *env) {
	s := e.store()
	e.write(s, put("k", "0"))
	snap := s.Snapshot()
	defer snap.Close()
	var calls []*call[kv.Version]
	var first sync.WaitGroup
	first.Add(1)
	for i := range racers {
		calls = append(calls, start(e, "read", func() (kv.Version, error) {
			first.Wait()
			if i%2 == 0 {
				return snap.Version(e.ctx)
			}
			entries, err := snap.Get(e.ctx, "k")
			if err != nil {
				return 0, err
			}
			return entries[0].Version, nil
		}))
	}
	first.Done()
	e.write(s, put("k", "1"))
	want, err := calls[0].wait()
	if err != nil {
		e.Fatal(err)
	}
	for _, c := range calls {
		c.wait()
	}
	e.write(s, put("k", "2"))
	calls = append(calls, start(e, "read", func() (kv.Version, error) { return snap.Version(e.ctx) }))
	for _, c := range calls {
		if version, err := c.wait(); version != want || err != nil {
			e.Errorf("one view at version %d and at %d, %v", want, version, err)
		}
	}
}
