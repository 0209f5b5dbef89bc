package kvtest

import (
	"context"
	"fmt"
	"iter"
	"math/rand/v2"
	"runtime"

	"github.com/pawlkv/pawl/kv"
)

var watchChecks = []check{
	{"watch/latest-state", watchLatest},
	{"watch/last-byte", watchLastByte},
	{"watch/without-a-gap", watchNoGap},
	{"watch/goes-on-after-loss", watchResumes},
	{"watch/slow-reader", watchSlow},
}

// lastError ranges over a sequence to its end and returns the error that ended
// it.
func lastError[T any](seq iter.Seq2[T, error]) (last error) {
	for _, err := range seq {
		last = err
	}
	return last
}

// watchLatest: what changed often before the watch is told as it is now.
func watchLatest(e *env) {
	s := e.store()
	after := e.write(s, put("k", "0"), put("gone", "0"))
	for i := range 50 {
		b := batch(e.head(s), put("k", fmt.Sprint(i)), put("gone", "1"))
		b.Sync = false
		e.commit(s, b)
	}
	last := e.write(s, put("k", "last"), del("gone"))
	ctx, cancel := context.WithTimeout(e.ctx, e.patience)
	defer cancel()
	want := map[string]kv.Version{"k": last, "gone": 0}
	for c, err := range s.Watch(ctx, "", after) {
		if err != nil {
			e.Fatal(err)
		}
		if c.Resync {
			return
		}
		if c.Version != want[c.Key] {
			e.Fatalf("key %q: told of version %d, want the latest state only, %d", c.Key, c.Version, want[c.Key])
		}
		if c.Head > last {
			e.Errorf("key %q: head %d, the store is at %d", c.Key, c.Head, last)
		}
		delete(want, c.Key)
		if len(want) == 0 {
			return
		}
	}
}

// watchLastByte: a prefix may end with the last byte there is.
func watchLastByte(e *env) {
	s := e.store()
	after := e.write(s, put("p", "0"))
	v := e.write(s, put("p/x", "1"), put("\xff", "1"))
	e.watchUntil(s, newWatched("\xff", after), map[string]change{"\xff": {v, v}})
	e.watchWhile(s, newWatched("\xff\xff", v), func() map[string]change {
		e.write(s, put("\xff", "2"), put("\xfe\xff", "2"), put("p/x", "2"))
		v := e.write(s, put("\xff\xff\x00", "2"))
		return map[string]change{"\xff\xff\x00": {v, v}}
	})
}

// gapCommits is how many commits a watcher races with.
const gapCommits = 150

// writeRandomly commits puts and deletions of a few keys and tells the last
// change of each.
func (e *env) writeRandomly(s kv.Store, rng *rand.Rand) (map[string]change, error) {
	last := make(map[string]change)
	began := kv.Version(0)
	for range gapCommits {
		key := fmt.Sprintf("p/%d", rng.IntN(6))
		b := batch(began, put(key, fmt.Sprint(rng.Uint64())))
		b.Sync = false
		b.Writes[0].Delete = rng.IntN(4) == 0
		v, err := s.Commit(e.ctx, b)
		if err != nil {
			return nil, err
		}
		last[key], began = change{v, v}, v
		if b.Writes[0].Delete {
			last[key] = change{0, v}
		}
	}
	return last, nil
}

// gapRounds is how many watches begin at some moment of the writing.
const gapRounds = 10

// watchNoGap: a watch that begins while others write misses no change between
// its version and its beginning.
func watchNoGap(e *env) {
	for round := range gapRounds {
		s := e.store()
		writer := start(e, "writing", func() (map[string]change, error) { return e.writeOnce(s) })
		for e.head(s) == 0 && e.ctx.Err() == nil {
			runtime.Gosched()
		}
		b := newWatched("p/", 0)
		if round%2 == 0 {
			b.after = e.head(s)
		}
		ctx, cancel := context.WithTimeout(e.ctx, e.patience)
		e.watchUntilQuiet(ctx, s, b, writer)
		cancel()
	}
}

// writeOnce changes many keys, each for the last time, some by deleting them.
func (e *env) writeOnce(s kv.Store) (map[string]change, error) {
	last := make(map[string]change)
	var v kv.Version
	for i := range gapCommits {
		key := fmt.Sprintf("p/%d", i)
		writes := []kv.Write{put(key, ""), del(key)}
		if i%4 != 0 {
			writes = writes[:1]
		}
		for _, w := range writes {
			b := batch(v, w)
			b.Sync = false
			var err error
			if v, err = s.Commit(e.ctx, b); err != nil {
				return nil, err
			}
			last[key] = change{v, v}
			if w.Delete {
				last[key] = change{0, v}
			}
		}
	}
	return last, nil
}

// watchUntilQuiet watches until the writer is done and all it did is known.
func (e *env) watchUntilQuiet(ctx context.Context, s kv.Store, b *watched, writer *call[map[string]change]) {
	e.Helper()
	heard := make(chan struct{})
	go func() { // a last ring, in case everything was told before the writer returned
		<-writer.done
		defer close(heard)
		_, _ = s.Commit(e.ctx, batch(e.latest(s), put(b.prefix+"last", "")))
	}()
	defer func() { <-heard }()
	for c, err := range s.Watch(ctx, b.prefix, b.after) {
		if err != nil {
			last, _ := writer.wait()
			e.Fatalf("watch after %d: %v; not told of %q", b.after, err, b.missing(last))
		}
		if err := b.note(c); err != nil {
			e.Fatal(err)
		}
		if !writer.finished() {
			continue
		}
		last, err := writer.wait()
		if err != nil {
			e.Fatal(err)
		}
		if b.missing(last) == "" {
			return
		}
	}
}

// watchResumes: a reader who loses the watch after any change goes on from its
// Head and misses nothing.
func watchResumes(e *env) {
	s := e.store()
	after := e.head(s)
	last, err := e.writeRandomly(s, rand.New(rand.NewPCG(2, 0)))
	if err != nil {
		e.Fatal(err)
	}
	more := e.write(s, put("p/x", ""), put("p/y", ""), put("q/z", ""), put("p/z", ""))
	for _, key := range []string{"p/x", "p/y", "p/z"} {
		last[key] = change{more, more}
	}
	b := newWatched("p/", after)
	for b.missing(last) != "" {
		ctx, cancel := context.WithTimeout(e.ctx, e.patience)
		for c, err := range s.Watch(ctx, "p/", b.after) {
			if err != nil {
				e.Fatalf("watch after %d: %v; not told of %q", b.after, err, b.missing(last))
			}
			if err := b.note(c); err != nil {
				e.Fatal(err)
			}
			if c.Head < b.after || c.Head > more {
				e.Fatalf("%+v: head should be from %d to %d", c, b.after, more)
			}
			if c.Head > b.after {
				e.checkHead(b, last, c.Head)
				b.after = c.Head
				break
			}
		}
		cancel()
	}
}

// checkHead fails if some change up to head is unknown to a reader who is told
// to go on from there.
func (e *env) checkHead(b *watched, last map[string]change, head kv.Version) {
	e.Helper()
	for key, c := range last {
		if c.commit > b.after && c.commit <= head && !b.knows(key, c.version, c.commit) {
			e.Fatalf("told to go on from %d, but not of key %q, last changed at %d", head, key, c.commit)
		}
	}
}

// watchSlow: a reader who does not read while more changes than any engine
// should remember is told of all or to resync.
func watchSlow(e *env) {
	s := e.store()
	after := e.write(s, put("p/first", ""))
	last := make(map[string]change)
	slow := false
	ctx, cancel := context.WithTimeout(e.ctx, e.patience)
	defer cancel()
	b := newWatched("p/", after-1)
	for c, err := range s.Watch(ctx, "p/", b.after) {
		if err != nil {
			e.Fatalf("watch: %v; not told of %q", err, b.missing(last))
		}
		if err := b.note(c); err != nil {
			e.Fatal(err)
		}
		if !slow {
			slow = true
			e.writeMuch(s, last)
		}
		if b.missing(last) == "" {
			return
		}
	}
}

// muchChanges is more than any engine should remember.
const muchChanges = 40_000

func (e *env) writeMuch(s kv.Store, last map[string]change) {
	most := s.Limits().Writes
	var v kv.Version
	for i := range muchChanges / most {
		writes := make([]kv.Write, most)
		for j := range writes {
			writes[j] = put(fmt.Sprintf("p/%d/%d", i, j), "")
		}
		b := batch(v, writes...)
		b.Sync = false
		v = e.commit(s, b)
		for _, w := range writes {
			last[w.Key] = change{v, v}
		}
	}
}
