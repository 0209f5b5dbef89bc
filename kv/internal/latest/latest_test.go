package latest

import (
	"bytes"
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/pawlkv/pawl/kv"
)

// store is a history of states, of which some were made by others.
type store struct {
	states []map[string]kv.Entry // by version
}

func (s *store) head() kv.Version { return kv.Version(len(s.states) - 1) }

func (s *store) entry(at kv.Version, key string) kv.Entry {
	if e, ok := s.states[at][key]; ok {
		return e
	}
	return kv.Entry{Key: key}
}

func (s *store) commit(writes []kv.Write) {
	next := map[string]kv.Entry{}
	for key, e := range s.states[s.head()] {
		next[key] = e
	}
	for _, w := range writes {
		delete(next, w.Key)
		if !w.Delete {
			next[w.Key] = kv.Entry{Key: w.Key, Value: bytes.Clone(w.Value), Version: s.head() + 1}
		}
	}
	s.states = append(s.states, next)
}

var keys = []string{"a", "b", "c", "d"}

func drawWrites(t *rapid.T) (writes []kv.Write) {
	for _, key := range rapid.SliceOfNDistinct(rapid.SampledFrom(keys), 0, 3, rapid.ID).Draw(t, "writes") {
		w := kv.Write{Key: key, Delete: rapid.Bool().Draw(t, "delete")}
		if !w.Delete {
			w.Value = []byte(rapid.StringN(0, 3, -1).Draw(t, "value"))
		}
		writes = append(writes, w)
	}
	return writes
}

// TestWhatIsRememberedIsSo: whatever was committed here and elsewhere, and whoever
// reads how old a state, an answer is that of the store at this version.
func TestWhatIsRememberedIsSo(t *testing.T) {
	hits := 0
	rapid.Check(t, func(t *rapid.T) {
		s, l := &store{states: []map[string]kv.Entry{{}}}, New(0)
		check := func(at kv.Version, e kv.Entry) {
			want := s.entry(at, e.Key)
			if e.Version != want.Version || !bytes.Equal(e.Value, want.Value) || (e.Value == nil) != (want.Value == nil) {
				t.Fatalf("at %d of %d: %+v, want %+v", at, s.head(), e, want)
			}
			hits++
		}
		t.Repeat(map[string]func(*rapid.T){
			"commit": func(t *rapid.T) {
				writes := drawWrites(t)
				if rapid.Bool().Draw(t, "it looks first") {
					l.Newest(s.head())
				}
				for _, key := range keys { // as a commit has its reads checked
					if version, known := l.VersionAt(s.head(), key); known && version != s.entry(s.head(), key).Version {
						t.Fatalf("%s has version %d, want %d", key, version, s.entry(s.head(), key).Version)
					}
				}
				s.commit(writes)
				if rapid.Bool().Draw(t, "a reader is faster") {
					l.Saw(s.head())
				}
				l.Wrote(s.head(), writes...)
				for i := range writes {
					clear(writes[i].Value) // they are the writer's again
				}
			},
			"commit of a process that looks later": func(t *rapid.T) { s.commit(drawWrites(t)) },
			"read": func(t *rapid.T) {
				// A state that was the newest when it was fixed, and what is not remembered.
				at := kv.Version(rapid.IntRange(int(max(s.head(), 3)-3), int(s.head())).Draw(t, "at"))
				l.Saw(at)
				entries := make([]kv.Entry, len(keys))
				missing := map[int]bool{}
				for _, i := range l.At(at, keys, entries) {
					missing[i] = true
					l.Read(at, s.entry(at, keys[i]))
				}
				for i, e := range entries {
					if !missing[i] {
						check(at, e)
					}
				}
			},
		})
	})
	if hits == 0 {
		t.Fatal("nothing was remembered")
	}
}

func TestItIsBounded(t *testing.T) {
	l := New(1)
	at := func(key string) bool {
		_, known := l.VersionAt(1, key)
		return known
	}
	for i := range 2 * maxEntries {
		l.Read(1, kv.Entry{Key: fmt.Sprint(i)})
	}
	if at("0") || !at(fmt.Sprint(2*maxEntries-1)) || l.known.Len() != maxEntries {
		t.Errorf("%d entries are remembered, at most %d", l.known.Len(), maxEntries)
	}
	for i := range 200 {
		l.Read(1, kv.Entry{Key: fmt.Sprint("large", i), Value: make([]byte, maxValue), Version: 1})
	}
	size := 0
	for _, key := range l.known.Keys() {
		r, _ := l.known.Peek(key)
		size += r.size()
	}
	if size != l.bytes || size > maxBytes || !at("large199") {
		t.Errorf("%d bytes are remembered (counted as %d), at most %d", size, l.bytes, maxBytes)
	}
	l.Read(1, kv.Entry{Key: "large199", Value: make([]byte, maxValue+1), Version: 1})
	if at("large199") {
		t.Error("a value above the bound is remembered, or the one that it replaced")
	}
	l.Newest(2)
	if l.bytes != 0 || l.known.Len() != 0 {
		t.Errorf("%d entries of %d bytes are left of another state", l.known.Len(), l.bytes)
	}
}
