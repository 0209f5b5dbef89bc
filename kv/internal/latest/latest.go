// Package latest remembers entries as they are in the newest state of a store. A
// look-up in an engine costs a dozen allocations or a statement, and calls read the
// same few records again and again, and have them checked again when they commit.
//
// Nothing here is ever old: a state is known by its version, and an engine says at
// which one it reads before it asks. What is remembered is the engine's own answer,
// and no decision follows from it that would not follow from the engine.
package latest

import (
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/pawlkv/pawl/kv"
)

// Bounds of what is remembered of one store.
const (
	maxEntries = 4096
	maxBytes   = 1 << 20  // of keys and values
	maxValue   = 16 << 10 // larger ones are not worth the place of many
)

// Entries are those that are remembered. Its methods may be called from any number of
// goroutines.
type Entries struct {
	mu    sync.Mutex
	head  kv.Version // of the state that they are of
	known simplelru.LRUCache[string, remembered]
	bytes int
}

// remembered is an entry, and the first version at which it is known to be so: that
// of the entry itself, or where there is none, that at which somebody looked.
type remembered struct {
	kv.Entry
	since kv.Version
}

func remember(e kv.Entry, at kv.Version) remembered {
	if e.Exists() {
		at = e.Version
	}
	return remembered{e, at}
}

func (r remembered) size() int { return len(r.Key) + len(r.Value) }

// New returns Entries that know nothing of a state.
func New(head kv.Version) *Entries {
	l := &Entries{head: head}
	known, err := simplelru.NewLRU(maxEntries, func(_ string, r remembered) { l.bytes -= r.size() })
	if err != nil {
		panic(err) // maxEntries is a constant above 0
	}
	l.known = known
	return l
}

// Saw says that a state was seen, perhaps one that somebody else made. What was
// remembered of an earlier one is forgotten: it need not be so any more.
func (l *Entries) Saw(version kv.Version) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if version > l.head {
		l.forget(version)
	}
}

// Newest says that a state is the newest, from one who keeps others from making any.
// A later one that was seen never was, or is gone.
func (l *Entries) Newest(version kv.Version) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if version != l.head {
		l.forget(version)
	}
}

func (l *Entries) forget(version kv.Version) {
	l.known.Purge()
	l.head = version
}

// At puts the entries of keys in a state into their places, as far as they are
// remembered, and returns the places of the others. What was not replaced since is
// the same in all states from its own version on.
func (l *Entries) At(version kv.Version, keys []string, entries []kv.Entry) (missing []int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, key := range keys {
		if r, known := l.at(version, key); known {
			entries[i] = r.Entry
		} else {
			missing = append(missing, i)
		}
	}
	return missing
}

// VersionAt returns the version of a key's entry in a state, 0 for none, if it is
// remembered.
func (l *Entries) VersionAt(version kv.Version, key string) (of kv.Version, known bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r, known := l.at(version, key)
	return r.Version, known
}

// at requires l.mu.
func (l *Entries) at(version kv.Version, key string) (remembered, bool) {
	r, known := l.known.Get(key)
	return r, known && r.since <= version && version <= l.head
}

// Read notes an entry that was read in a state. If that is not the newest any more,
// the entry need not be either.
func (l *Entries) Read(version kv.Version, e kv.Entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if version == l.head {
		l.add(remember(e, version))
	}
}

// Wrote notes what was written at a version, by one who knows that nothing came
// between the version before it and this. Of keys that nobody has read it remembers
// nothing: most are written once.
//
// It is called before anybody who asks for the new state can have been told of it, or
// by whoever made it: who was faster has seen all of it.
func (l *Entries) Wrote(version kv.Version, writes ...kv.Write) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if version <= l.head {
		return
	}
	if version > l.head+1 {
		l.forget(version)
		return
	}
	l.head = version
	for _, w := range writes {
		if l.known.Contains(w.Key) {
			l.add(remember(written(version, w), version))
		}
	}
}

// written copies the value, which is the writer's.
func written(version kv.Version, w kv.Write) kv.Entry {
	if w.Delete {
		return kv.Entry{Key: w.Key}
	}
	return kv.Entry{Key: w.Key, Value: append([]byte{}, w.Value...), Version: version}
}

// add remembers an entry in the place of what was remembered of its key. It requires
// l.mu.
func (l *Entries) add(r remembered) {
	l.known.Remove(r.Key)
	if len(r.Value) > maxValue {
		return
	}
	l.known.Add(r.Key, r)
	l.bytes += r.size()
	for l.bytes > maxBytes {
		l.known.RemoveOldest()
	}
}
