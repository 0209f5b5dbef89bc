package kvtest

import (
	"fmt"
	"strings"

	"github.com/pawlkv/pawl/kv"
)

var limitChecks = []check{
	{"limit/largest", limitLargest},
	{"limit/floor", limitFloor},
	{"limit/keys", limitKeys},
	{"limit/no-id", limitNoID},
}

// manyWrites returns n puts of size bytes each, key and value together.
func manyWrites(n, size int) []kv.Write {
	writes := make([]kv.Write, n)
	for i := range writes {
		key := fmt.Sprintf("many/%06d", i)
		writes[i] = put(key, strings.Repeat("v", size-len(key)))
	}
	return writes
}

// limitLargest: the largest batch, in writes and bytes at once, reads back whole,
// and all of it can be deleted at once.
func limitLargest(e *env) {
	s := e.store()
	limits := s.Limits()
	writes := manyWrites(limits.Writes, limits.Bytes/limits.Writes)
	version := e.write(s, writes...)
	entries := e.content(s)
	if len(entries) != len(writes) {
		e.Fatalf("%d entries after %d writes", len(entries), len(writes))
	}
	for i, entry := range entries {
		if entry.Key != writes[i].Key || entry.Version != version || string(entry.Value) != string(writes[i].Value) {
			e.Fatalf("entry %d: %q at version %d, want %q at %d", i, entry.Key, entry.Version, writes[i].Key, version)
		}
	}
	for i := range writes {
		writes[i].Delete = true
	}
	e.write(s, writes...)
	if left := e.content(s); len(left) != 0 {
		e.Errorf("%d entries left after all were deleted", len(left))
	}
}

// limitFloor: an engine takes no less than every engine does, and says the same
// also when it is closed. Stores are tested that keep fewer commit IDs than the
// engine would by itself.
func limitFloor(e *env) {
	s := e.store()
	got, floor := s.Limits(), kv.Floor()
	if got.Bytes < floor.Bytes || got.Writes < floor.Writes || got.Checks < floor.Checks || got.TurnLife < floor.TurnLife {
		e.Errorf("limits %+v, want at least %+v", got, floor)
	}
	e.closeNow(s)
	if after := s.Limits(); after != got {
		e.Errorf("limits %+v before close, %+v after it", got, after)
	}
}

// refused checks that a batch is refused and nothing of it applied.
func (e *env) refused(s kv.Store, b *kv.Batch, want error) {
	e.Helper()
	head := e.head(s)
	b.ID = kv.NewCommitID(head)
	_, err := s.Commit(e.ctx, b)
	e.wantError(fmt.Sprintf("a batch of %d writes, %d bytes and %d checks", len(b.Writes), b.Size(), b.Checks()), err, want)
	if now := e.head(s); now != head {
		e.Errorf("a refused batch moved the store from version %d to %d", head, now)
	}
}

// limitKeys: keys of 1 to MaxKey bytes, each written once.
func limitKeys(e *env) {
	s := e.store()
	longest := strings.Repeat("k", kv.MaxKey)
	e.wantValue(s, longest, "v", e.write(s, put(longest, "v"), put("k", "v")))

	snap := s.Snapshot()
	defer snap.Close()
	for _, key := range []string{"", longest + "k"} {
		e.refused(s, batch(0, put("fine", ""), put(key, "v")), kv.ErrInvalid)
		e.refused(s, batch(0, put("fine", ""), del(key)), kv.ErrInvalid)
		_, err := snap.Get(e.ctx, "k", key)
		e.wantError(fmt.Sprintf("get of a key of %d bytes", len(key)), err, kv.ErrInvalid)
		_, err = s.Commit(e.ctx, &kv.Batch{Reads: []kv.Read{{Key: key}}})
		e.wantError(fmt.Sprintf("a read of a key of %d bytes", len(key)), err, kv.ErrInvalid)
	}
	e.refused(s, batch(0, put("twice", "1"), put("fine", ""), put("twice", "1")), kv.ErrInvalid)
	e.refused(s, batch(0, put("twice", "1"), del("twice")), kv.ErrInvalid)
	e.wantAbsent(s, "fine")
	if got := e.scan(snap, longest+"k"); len(got) != 0 {
		e.Errorf("a scan beyond the longest key yields %d entries", len(got))
	}
}

// limitNoID: writes without an ID would look applied the second time.
func limitNoID(e *env) {
	s := e.store()
	_, err := s.Commit(e.ctx, &kv.Batch{Writes: []kv.Write{put("k", "1")}})
	e.wantError("writes without an ID", err, kv.ErrInvalid)
	e.wantAbsent(s, "k")
}
