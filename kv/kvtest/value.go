package kvtest

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/pawlkv/pawl/kv"
)

var valueChecks = []check{
	{"value/sizes", valueSizes},
	{"value/belongs-to-caller", valueCallers},
	{"value/stays", valueStays},
	{"value/any-bytes-in-keys", valueAnyKey},
}

// valueSizes: from 0 bytes, which are a value, to the most that a commit takes.
func valueSizes(e *env) {
	s := e.store()
	random := rand.NewChaCha8([32]byte{})
	largest := s.Limits().Bytes - len("k")
	for _, size := range []int{0, 1, 31, 32, 33, 127, 128, 4096, 65535, 65536, largest / 2, largest} {
		value := make([]byte, size)
		random.Read(value)
		version := e.write(s, put("k", string(value)))
		if entry := e.get(s, "k"); !entry.Exists() || !bytes.Equal(entry.Value, value) || entry.Version != version {
			e.Errorf("%d bytes: read back %d at version %d, want version %d", size, len(entry.Value), entry.Version, version)
		}
		if all := e.content(s); len(all) != 1 || !bytes.Equal(all[0].Value, value) {
			e.Errorf("%d bytes: a scan yields other bytes", size)
		}
	}
	version := e.write(s, kv.Write{Key: "nil", Value: nil})
	e.wantValue(s, "nil", "", version)
	if entry := e.get(s, "nil"); !entry.Exists() {
		e.Errorf("a value of 0 bytes reads as absent")
	}
}

// valueCallers: a batch is the caller's again after the commit, and unchanged.
func valueCallers(e *env) {
	s := e.store()
	v := e.write(s, put("r", "1"))
	b := batch(v, put("k", "before"), put("a", "2"))
	b.Reads = []kv.Read{{Key: "r", Version: v}, {Key: "b"}}
	b.Scans = []kv.ScanRead{{Prefix: "r", Entries: []kv.Read{{Key: "r", Version: v}}}}
	version := e.commit(s, b)
	if b.Writes[0].Key != "k" || string(b.Writes[0].Value) != "before" || b.Reads[1].Key != "b" {
		e.Errorf("the engine changed the batch: %+v", b)
	}
	copy(b.Writes[0].Value, "AFTER!")
	b.Writes[1].Key = "z"
	e.wantValue(s, "k", "before", version)
	e.wantValue(s, "a", "2", version)
}

// valueStays: the bytes of an entry stay as they are, whatever is read and
// written later and whether the view is open.
func valueStays(e *env) {
	s := e.store()
	e.write(s, put("k", "first"), put("l", "other"))
	snap := s.Snapshot()
	got, scanned := e.read(snap, "k")[0], e.scan(snap, "k")[0]
	snap.Close()
	e.write(s, put("k", "FIRST"), del("l"))
	later := s.Snapshot()
	defer later.Close()
	e.read(later, "l", "k")
	if string(got.Value) != "first" || string(scanned.Value) != "first" {
		e.Errorf("entries read before: %q and %q, want %q", got.Value, scanned.Value, "first")
	}
}

// anyKeys returns keys of every byte alone and at borders of prefixes.
func anyKeys() []string {
	var keys []string
	for c := range 256 {
		keys = append(keys, string([]byte{byte(c)}), string([]byte{'p', byte(c)}), string([]byte{0xff, byte(c)}))
	}
	for _, end := range []string{"", "\x00", "\x01", "\xfe", "\xff"} {
		keys = append(keys, "p\xff"+end+"x", "p\x00"+end+"x", "\xff\xff"+end+"x", "\x00\x00"+end+"x", "!"+end+"!x")
	}
	keys = append(keys, strings.Repeat("\xff", 40), strings.Repeat("\x00", 40), "käse/日本", "a/b/../c", "%s %d\n")
	slices.Sort(keys)
	return slices.Compact(keys)
}

// valueAnyKey: keys are bytes, in the order of bytes.
func valueAnyKey(e *env) {
	s := e.store()
	keys := anyKeys()
	var writes []kv.Write
	for _, i := range rand.New(rand.NewPCG(4, 0)).Perm(len(keys)) {
		writes = append(writes, put(keys[i], "v"+keys[i]))
	}
	last := e.fill(s, writes...)
	snap := s.Snapshot()
	defer snap.Close()
	for _, entry := range e.read(snap, keys...) {
		if string(entry.Value) != "v"+entry.Key || !entry.Exists() || entry.Version > last {
			e.Errorf("key %q: %q at version %d", entry.Key, entry.Value, entry.Version)
		}
	}
	for _, prefix := range []string{"", "p", "q", "\x00", "\x00\x00", "\xff", "\xff\xff", "\xff\xff\xff", "\xfe", "p\xff", "p\x00", "kä", "!"} {
		e.checkScan(snap, prefix, keys)
	}
}

// checkScan compares a scan with the sorted keys that have the prefix.
func (e *env) checkScan(snap kv.Snapshot, prefix string, keys []string) {
	e.Helper()
	var want, got []string
	for _, key := range keys {
		if strings.HasPrefix(key, prefix) {
			want = append(want, key)
		}
	}
	for _, entry := range e.scan(snap, prefix) {
		got = append(got, entry.Key)
		if string(entry.Value) != "v"+entry.Key {
			e.Errorf("scan %q: key %q has value %q", prefix, entry.Key, entry.Value)
		}
	}
	if !slices.Equal(got, want) {
		e.Errorf("scan %q: %d keys %q, want %d %q", prefix, len(got), got, len(want), want)
	}
}
