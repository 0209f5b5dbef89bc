package kvtest

import (
	"fmt"
	"slices"
	"sync"

	"github.com/pawlkv/pawl/kv"
)

var snapshotChecks = []check{
	{"snapshot/begins-with-first-call", snapBegins},
	{"snapshot/version-stood", snapVersion},
	{"snapshot/sees-what-returned", snapFresh},
	{"snapshot/many-open", snapManyOpen},
	{"snapshot/closed", snapClosed},
	{"snapshot/get-order", snapGetOrder},
	{"snapshot/scan-breaks-off", snapScanBreaks},
	{"snapshot/shared", snapShared},
	{"snapshot/look", snapLook},
}

// snapBegins: whichever call comes first begins the view, and nothing before it.
// What comes later is seen as a whole or not at all.
func snapBegins(e *env) {
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
		later := e.write(s, put("k", "later"), del("l"), put("m/"+name, "later"))
		got := e.read(snap, "k", "l", "m/"+name)
		exact := got[0].Version == seen && got[1].Version == seen && !got[2].Exists()
		moved := got[0].Version == later && !got[1].Exists() && got[2].Version == later
		if !exact && !moved {
			e.Errorf("begun by %s: read versions %d, %d and %d, want those of version %d or %d (%d is too old)",
				name, got[0].Version, got[1].Version, got[2].Version, seen, later, before)
		}
		version, err := snap.Version(e.ctx)
		if want := map[bool]kv.Version{true: seen, false: later}[exact]; version != want || err != nil {
			e.Errorf("begun by %s: version %d, %v, want %d", name, version, err, want)
		}
		snap.Close()
	}
}

// snapVersion: the version of a view is one at which all stood that it has
// returned. It is told again and again while others commit.
func snapVersion(e *env) {
	s := e.store()
	first := e.write(s, put("k", "1"), put("p/1", "1"))
	for name, look := range map[string]func(kv.Snapshot){
		"a value":        func(snap kv.Snapshot) { e.read(snap, "k") },
		"an absence":     func(snap kv.Snapshot) { e.read(snap, "l") },
		"a scan":         func(snap kv.Snapshot) { e.scan(snap, "p/") },
		"an empty scan":  func(snap kv.Snapshot) { e.scan(snap, "q/") },
		"nothing at all": func(kv.Snapshot) {},
	} {
		snap := s.Snapshot()
		look(snap)
		other := e.write(s, put("other", name))
		if version, err := snap.Version(e.ctx); err != nil || version < first || version > other {
			e.Errorf("after %s: version %d, %v, want one from %d to %d", name, version, err, first, other)
		}
		stood := e.head(s)
		first = e.write(s, put("k", "1"), put("p/1", "1"), put("l", "1"), put("q/1", "1"))
		version, err := snap.Version(e.ctx)
		if !isConflict(err) && (err != nil || version > stood) && name != "nothing at all" {
			e.Errorf("%s is no more since version %d: version %d, %v", name, first, version, err)
		}
		snap.Close()
		first = e.write(s, del("l"), del("q/1"))
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

// snapManyOpen: each of many views stays as it was, or is gone if it does not keep
// old states. The last one, since which nothing changed, is there.
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
		got, err := snap.Get(e.ctx, "k")
		if isConflict(err) && i < openSnapshots-1 {
			_, err := snap.Get(e.ctx, "elsewhere")
			e.wantError("a view that is gone", err, kv.ErrConflict)
			e.wantError("a view that is gone", lastError(snap.Scan(e.ctx, "p/")), kv.ErrConflict)
			continue
		}
		if err != nil || string(got[0].Value) != fmt.Sprint(i) || got[0].Version != versions[i] {
			e.Fatalf("view %d reads %+v, %v, want version %d", i, got, err, versions[i])
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
// What has not been yielded yet may be as it is by then.
func snapScanBreaks(e *env) {
	s := e.store()
	e.write(s, put("p/1", ""), put("p/2", ""), put("p/3", ""))
	snap := s.Snapshot()
	defer snap.Close()
	want := [][]string{{"p/1", "p/2"}, {"p/1", "p/3"}}
	for range 2 {
		got, err := e.firstTwo(s, snap)
		gone := isConflict(err) && len(want) == 1 && slices.Equal(want[0], []string{"p/1", "p/2"})
		if gone { // the second time, since p/2 was deleted meanwhile
			return
		}
		if err != nil || !slices.ContainsFunc(want, func(one []string) bool { return slices.Equal(one, got) }) {
			e.Fatalf("scan until the second: %q, %v, want one of %q", got, err, want)
		}
		want = [][]string{got}
	}
}

// firstTwo reads two keys of a scan, and changes the second when it has the first.
func (e *env) firstTwo(s kv.Store, snap kv.Snapshot) (keys []string, err error) {
	e.Helper()
	for entry, err := range snap.Scan(e.ctx, "p/") {
		if err != nil {
			return keys, err
		}
		keys = append(keys, entry.Key)
		e.write(s, del("p/2"), put("p/4", ""))
		if len(keys) == 2 {
			break
		}
	}
	return keys, nil
}

// snapShared: many goroutines may make the first call on one view, and all read
// the same.
func snapShared(e *env) {
	s := e.store()
	versions := []kv.Version{e.write(s, put("k", "0"))}
	snap := s.Snapshot()
	defer snap.Close()
	var first sync.WaitGroup
	first.Add(1)
	read := func(i int) (kv.Version, error) {
		first.Wait()
		if i%2 == 0 {
			return snap.Version(e.ctx)
		}
		entries, err := snap.Get(e.ctx, "k")
		if err != nil {
			return 0, err
		}
		return entries[0].Version, nil
	}
	var calls []*call[kv.Version]
	for i := range racers {
		calls = append(calls, start(e, "read", func() (kv.Version, error) { return read(i) }))
	}
	first.Done()
	versions = append(versions, e.write(s, put("k", "1")))
	for _, c := range calls {
		c.wait()
	}
	versions = append(versions, e.write(s, put("k", "2")))
	for i := range 2 {
		c := start(e, "read", func() (kv.Version, error) { return read(i) })
		c.wait()
		calls = append(calls, c)
	}
	e.checkShared(versions, calls)
}

// checkShared checks that all who read a key through one view saw it at the same
// version, and that the view's versions are ones at which it was there.
func (e *env) checkShared(versions []kv.Version, calls []*call[kv.Version]) {
	e.Helper()
	var seen []kv.Version
	for i, c := range calls {
		switch {
		case isConflict(c.err): // it was read, and has changed
		case c.err != nil:
			e.Errorf("read: %v", c.err)
		case i%2 == 1 && !slices.Contains(seen, c.value):
			seen = append(seen, c.value)
		}
	}
	if len(seen) != 1 || !slices.Contains(versions, seen[0]) {
		e.Fatalf("one view has key k at versions %d, want it at one of %d", seen, versions)
	}
	changed := kv.MaxVersion
	if i := slices.Index(versions, seen[0]); i+1 < len(versions) {
		changed = versions[i+1]
	}
	for i, c := range calls {
		if i%2 == 0 && c.err == nil && c.value >= changed {
			e.Errorf("one view has key k as of version %d, and is of version %d, when it was another since %d", seen[0], c.value, changed)
		}
	}
}
