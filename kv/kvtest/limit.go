package kvtest

import (
	"fmt"
	"strings"

	"github.com/pawlkv/pawl/kv"
)

var limitChecks = []check{
	{"limit/writes", limitWrites},
	{"limit/bytes", limitBytes},
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

// limitWrites: the largest number of writes is taken, with as many bytes as a
// batch may have, and one write more is not.
func limitWrites(e *env) {
	s := e.store()
	writes := manyWrites(kv.MaxBatchWrites, kv.MaxBatchBytes/kv.MaxBatchWrites)
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
	keys := make([]string, len(writes))
	for i := range writes {
		writes[i].Delete, keys[i] = true, writes[i].Key
	}
	e.refused(s, append(writes, put("one-more", "")), kv.ErrTooLarge)
	snap := s.Snapshot()
	defer snap.Close()
	if got := e.read(snap, keys...); !got[len(got)-1].Exists() {
		e.Errorf("a batch that was too large deleted a key")
	}
	e.write(s, writes...)
	if left := e.content(s); len(left) != 0 {
		e.Errorf("%d entries left after all were deleted", len(left))
	}
}

// limitBytes: the largest number of bytes is taken, in few writes, and one
// byte more is not. Deletions count by their keys alone.
func limitBytes(e *env) {
	s := e.store()
	big := strings.Repeat("x", kv.MaxBatchBytes-len("big"))
	version := e.write(s, put("big", big))
	e.wantValue(s, "big", big, version)
	e.refused(s, []kv.Write{put("big", big+"x")}, kv.ErrTooLarge)
	e.refused(s, []kv.Write{put("big", big), del("z")}, kv.ErrTooLarge)
	e.wantValue(s, "big", big, version)

	deletion := del("big")
	deletion.Value = []byte(big) // ignored
	e.write(s, deletion, put("small", ""))
	e.wantAbsent(s, "big")
}

// refused checks that writes are refused and nothing of them applied.
func (e *env) refused(s kv.Store, writes []kv.Write, want error) {
	e.Helper()
	head := e.head(s)
	b := batch(head, writes...)
	_, err := s.Commit(e.ctx, b)
	e.wantError(fmt.Sprintf("a batch of %d writes and %d bytes", len(writes), b.Size()), err, want)
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
		e.refused(s, []kv.Write{put("fine", ""), put(key, "v")}, kv.ErrInvalid)
		e.refused(s, []kv.Write{put("fine", ""), del(key)}, kv.ErrInvalid)
		_, err := snap.Get(e.ctx, "k", key)
		e.wantError(fmt.Sprintf("get of a key of %d bytes", len(key)), err, kv.ErrInvalid)
		_, err = s.Commit(e.ctx, &kv.Batch{Reads: []kv.Read{{Key: key}}})
		e.wantError(fmt.Sprintf("a read of a key of %d bytes", len(key)), err, kv.ErrInvalid)
	}
	e.refused(s, []kv.Write{put("twice", "1"), put("fine", ""), put("twice", "1")}, kv.ErrInvalid)
	e.refused(s, []kv.Write{put("twice", "1"), del("twice")}, kv.ErrInvalid)
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
