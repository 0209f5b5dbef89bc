package otk

import (
	"crypto/rand"
	"fmt"
	"maps"
	"testing"
	"time"

	"pgregory.net/rapid"
)

const day = 24 * time.Hour

// life is the life of a device's fallback keys beside a server that hands them
// out: bodies arrive when they like before their outcome is told, or never, the
// device is recovered, also because its store was put back to an earlier one.
type life struct {
	backup    *life // of what is stored: the pool, and what follows from it
	recovered uint32
	now       time.Time
	pool      Pool
	from      ID               // keys below are of before the last recovery
	held      ID               // by the server
	bodies    []body           // whose outcome was not told
	kept      map[ID]bool      // keys that have their private part
	claims    map[ID]time.Time // when the server last gave out a key
	// known is since when it is known that a newer key was published, and that
	// no body with this key may have come after.
	known  map[ID]time.Time
	newest ID // that arrived
}

// body is an upload of a fallback key.
type body struct {
	key     ID
	arrived bool
}

func newLife() *life {
	return &life{now: noon, pool: NewPool(), kept: map[ID]bool{}, claims: map[ID]time.Time{}, known: map[ID]time.Time{}}
}

func (l *life) upload(t *rapid.T) {
	if len(l.bodies) > 2 {
		return
	}
	if l.pool.FallbackDue(l.from, l.now) {
		next, key, dropped, err := l.pool.RotateFallback(rand.Reader, l.now)
		if err != nil {
			t.Fatal(err)
		}
		l.pool = next
		l.kept[key.ID()] = true
		l.drop(t, dropped)
	}
	l.pool = l.pool.SendFallback(l.now)
	current, _ := l.pool.Fallbacks()
	l.bodies = append(l.bodies, body{key: current.ID})
}

// any takes one of the bodies away.
func (l *life) any(t *rapid.T) (b body, ok bool) {
	if len(l.bodies) == 0 {
		return b, false
	}
	i := rapid.IntRange(0, len(l.bodies)-1).Draw(t, "body")
	b = l.bodies[i]
	l.bodies = append(l.bodies[:i:i], l.bodies[i+1:]...)
	return b, true
}

// overtaken: a body with a newer key arrived while this one was under way. It does
// not arrive after that: a pool knows nothing of bodies whose outcome nobody told,
// and would drop the key a week after the newer one was published.
func (l *life) overtaken(b body) bool {
	return b.key < l.newest && !b.arrived
}

func (l *life) arrive(t *rapid.T) {
	b, ok := l.any(t)
	switch {
	case !ok || l.overtaken(b):
		return
	case !b.arrived: // once
		l.held, b.arrived = b.key, true
		l.newest = max(l.newest, b.key)
	}
	l.bodies = append(l.bodies, b)
}

func (l *life) publish(t *rapid.T) {
	b, ok := l.any(t)
	if !ok || l.overtaken(b) {
		return
	}
	if !b.arrived {
		l.held = b.key
	}
	var err error
	if l.pool, err = l.pool.PublishFallback(l.now, b.key); err != nil {
		t.Fatal(err)
	}
	l.newest = max(l.newest, b.key)
	delete(l.known, b.key)
	for id := range l.kept {
		if _, ok := l.known[id]; id < b.key && !ok {
			l.known[id] = l.now
		}
	}
}

func (l *life) abandon(t *rapid.T) {
	if b, ok := l.any(t); ok {
		var err error
		if l.pool, err = l.pool.AbandonFallback(l.now, b.key); err != nil {
			t.Fatal(err)
		}
		delete(l.known, b.key)
	}
}

func (l *life) claim(*rapid.T) {
	if l.held != 0 {
		l.claims[l.held] = l.now
	}
}

func (l *life) recover(t *rapid.T) {
	l.recovered++ // or two recoveries of one backup would give out the same ids
	next, err := l.pool.Recover(l.recovered<<20, l.now)
	if err != nil {
		t.Fatal(err)
	}
	l.pool, l.from = next, next.Next()
	clear(l.known)
}

func (l *life) save(*rapid.T) {
	l.backup = &life{pool: l.pool, from: l.from, kept: maps.Clone(l.kept), known: maps.Clone(l.known)}
}

// restore puts the store back and recovers it. What was made in the time that is
// lost is lost, and the ids that it had are not given out again.
func (l *life) restore(t *rapid.T) {
	if l.backup == nil {
		return
	}
	for range rapid.IntRange(0, len(l.bodies)).Draw(t, "arriving") {
		l.arrive(t)
	}
	l.pool, l.from, l.kept, l.known, l.bodies = l.backup.pool, l.backup.from, l.backup.kept, l.backup.known, nil
	l.save(t)
	l.recover(t)
	if !l.kept[l.held] {
		l.held = 0 // nothing that is kept can help
	}
}

func (l *life) sweep(t *rapid.T) {
	next, dropped := l.pool.SetBack(l.now).DropFallbacks(l.now)
	l.pool = next
	l.drop(t, dropped)
	for id, at := range l.known {
		if l.kept[id] && l.now.Sub(at) >= FallbackLife {
			t.Fatalf("key %v is kept, and that a newer one was published is known for %v", id, l.now.Sub(at))
		}
	}
}

func (l *life) wait(t *rapid.T) {
	l.now = l.now.Add(time.Duration(rapid.Int64Range(0, int64(8*day)).Draw(t, "while")))
}

// drop holds what is dropped against what was claimed.
func (l *life) drop(t *rapid.T, dropped []Fallback) {
	for _, f := range dropped {
		if !l.kept[f.ID] {
			t.Fatalf("key %v is dropped twice", f.ID)
		}
		delete(l.kept, f.ID)
		if at, claimed := l.claims[f.ID]; claimed && l.now.Sub(at) < FallbackLife {
			t.Fatalf("key %v is dropped, and was claimed %v ago", f.ID, l.now.Sub(at))
		}
		if at, known := l.known[f.ID]; !known || l.now.Sub(at) < FallbackLife {
			t.Fatalf("key %v is dropped, and that a newer one was published is known (%v) for %v", f.ID, known, l.now.Sub(at))
		}
	}
}

// check: the server's key is kept, no two have one id, and there are not too
// many.
func (l *life) check(t *rapid.T) {
	if l.held != 0 && !l.kept[l.held] {
		t.Fatalf("the server hands out key %v, which is dropped", l.held)
	}
	if n := len(l.pool.fallbacks); n > MaxFallbacks || n != len(l.kept) {
		t.Fatalf("%d fallback keys, kept are %v", n, l.kept)
	}
	if back, err := DecodePool(encodePool(t, l.pool)); err != nil || fmt.Sprint(back.fallbacks) != fmt.Sprint(l.pool.fallbacks) {
		t.Fatalf("%v comes back as %v, %v", l.pool.fallbacks, back.fallbacks, err)
	}
}

// No fallback key goes while the server may hand it out, nor within a week of
// when it last did, however often the device is recovered and whatever becomes
// of its uploads.
func TestLivesOfFallbackKeys(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := newLife()
		often := []func(*rapid.T){l.upload, l.upload, l.publish, l.publish, l.arrive, l.abandon, l.claim, l.sweep, l.wait, l.wait}
		rarely := []func(*rapid.T){l.recover, l.save, l.restore}
		for range rapid.IntRange(1, 150).Draw(t, "steps") {
			from := often
			if rapid.IntRange(0, 19).Draw(t, "rarely") == 0 {
				from = rarely
			}
			rapid.SampledFrom(from).Draw(t, "step")(t)
			l.check(t)
		}
	})
}

// A pool that is full of keys of any stage and age drops exactly as many as it
// must, of the rested ones the lowest ids first, then those that were in a body
// first.
func TestLivesOfOneTimeKeys(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		count := rapid.IntRange(MaxKeys-20, MaxKeys).Draw(t, "count")
		r := rapid.Uint64().Draw(t, "seed")
		draw := func(n int64) int64 { // a small generator: five thousand draws of rapid's are slow
			r = r*6364136223846793005 + 1442695040888963407
			return int64(r>>33) % n
		}
		young := rapid.IntRange(0, 100).Draw(t, "young of 100")
		p := filled(count, func(int) Stage { return Stage(draw(4) + 1) })
		p.raised = true
		for i := range p.entries {
			if e := &p.entries[i]; e.Stage != Generated {
				e.InBody = noon.Add(-KeyRest - time.Duration(draw(int64(KeyRest/time.Millisecond)))*time.Millisecond)
				if draw(100) < int64(young) {
					e.InBody = e.InBody.Add(KeyRest + time.Millisecond)
				}
			}
		}
		n := rapid.IntRange(0, MaxKeys).Draw(t, "n")
		next, dropped := p.Evict(n, noon)
		holdEviction(t, p, next, dropped, n)
	})
}

func holdEviction(t *rapid.T, p, next Pool, dropped []Entry, n int) {
	evictable := p.Len() - p.Count(Generated)
	if want := max(0, min(p.Len()+n-MaxKeys, evictable)); len(dropped) != want || next.Len() != p.Len()-want {
		t.Fatalf("%d dropped, %d left; want %d dropped", len(dropped), next.Len(), want)
	}
	var last ID            // the highest rested one that was dropped
	var youngest time.Time // of the dropped
	for _, e := range dropped {
		if e.Stage == Generated {
			t.Fatalf("key %v is dropped and was never in a body", e.ID)
		}
		if noon.Sub(e.InBody) >= KeyRest {
			last = max(last, e.ID)
		} else if e.InBody.After(youngest) {
			youngest = e.InBody
		}
	}
	for e := range next.Entries() {
		switch {
		case e.Stage == Generated:
		case noon.Sub(e.InBody) >= KeyRest && e.ID < last:
			t.Fatalf("key %v is kept and key %v dropped, both rested", e.ID, last)
		case e.InBody.Before(youngest):
			t.Fatalf("key %v, in a body at %v, is kept, and one of %v dropped", e.ID, e.InBody, youngest)
		}
	}
}
