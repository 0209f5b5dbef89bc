package otk

import (
	"bytes"
	"crypto/rand"
	"errors"
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/pawlkv/pawl/ratchet"
)

var noon = time.Date(2030, 1, 2, 12, 0, 0, 0, time.UTC)

// model is what a pool must be after the operations so far.
type model struct {
	pool    Pool
	stages  map[ID]Stage // of keys that are there
	publics map[ID]ratchet.PublicKey
	offered map[ID]int // how often ever
	last    ID
}

func newModel() *model {
	return &model{stages: map[ID]Stage{}, publics: map[ID]ratchet.PublicKey{}, offered: map[ID]int{}}
}

func encodePool(t interface{ Fatal(...any) }, p Pool) []byte {
	b, err := p.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (m *model) generate(t *rapid.T) {
	n := rapid.IntRange(0, 5).Draw(t, "n")
	next, keys, err := m.pool.Generate(rand.Reader, n, noon)
	if err != nil || len(keys) != n {
		t.Fatalf("%d keys, %v; want %d", len(keys), err, n)
	}
	for _, k := range keys {
		m.last++
		if k.ID() != m.last || k.Fallback() || k.Check() != nil {
			t.Fatalf("key %v, fallback %v; want id %v", k.ID(), k.Fallback(), m.last)
		}
		m.stages[k.ID()], m.publics[k.ID()] = Generated, k.Public()
	}
	m.pool = next
}

func (m *model) offer(t *rapid.T) {
	n := rapid.IntRange(0, 6).Draw(t, "n")
	next, offered := m.pool.Offer(n, noon)
	generated := m.at(Generated)
	want := generated[:min(n, len(generated))]
	if len(offered) != len(want) {
		t.Fatalf("%d offered, want %d", len(offered), len(want))
	}
	for i, e := range offered {
		m.offered[e.ID]++
		if e.ID != want[i] || e.Stage != Offered || m.offered[e.ID] != 1 {
			t.Fatalf("offered %v (%v), %d times; want %v once", e.ID, e.Stage, m.offered[e.ID], want[i])
		}
		m.stages[e.ID] = Offered
	}
	m.pool = next
}

// at returns the ids at a stage in order.
func (m *model) at(s Stage) (ids []ID) {
	for id := ID(1); id <= m.last; id++ {
		if m.stages[id] == s {
			ids = append(ids, id)
		}
	}
	return ids
}

func (m *model) publish(t *rapid.T) { m.outcome(t, Published, Pool.Publish) }
func (m *model) abandon(t *rapid.T) { m.outcome(t, Abandoned, Pool.Abandon) }

func (m *model) outcome(t *rapid.T, to Stage, do func(Pool, time.Time, ...ID) (Pool, error)) {
	ids := rapid.SliceOfN(rapid.Uint32Range(0, uint32(m.last)+1), 1, 3).Draw(t, "ids")
	var want error
	var args []ID
	for _, n := range ids {
		id := ID(n)
		args = append(args, id)
		switch stage, there := m.stages[id]; {
		case want != nil:
		case id == 0 || id > m.last:
			want = ErrUnknownID
		case there && stage != Offered && stage != to:
			want = ErrStage
		}
	}
	next, err := do(m.pool, noon, args...)
	if !errors.Is(err, want) {
		t.Fatalf("%v of %v: %v, want %v", to, args, err, want)
	}
	if want == nil {
		for _, id := range args {
			if _, there := m.stages[id]; there {
				m.stages[id] = to
			}
		}
	}
	m.pool = next
}

func (m *model) forget(t *rapid.T) {
	id := ID(rapid.Uint32Range(0, uint32(m.last)).Draw(t, "id"))
	m.pool = m.pool.Forget(m.publics[id])
	delete(m.stages, id)
}

func (m *model) recover(t *rapid.T) {
	jump := rapid.Uint32Range(0, 9).Draw(t, "jump")
	next, err := m.pool.Recover(jump, noon)
	if err != nil {
		t.Fatal(err)
	}
	m.last += ID(jump)
	for id, s := range m.stages {
		if s != Published {
			m.stages[id] = Abandoned
		}
	}
	m.pool = next
}

func (m *model) rotate(t *rapid.T) {
	before := m.pool.fallbacks
	next, key, dropped, err := m.pool.RotateFallback(rand.Reader, noon)
	if m.pool.raised && len(before) == MaxFallbacks {
		if !errors.Is(err, ErrFull) {
			t.Fatalf("one fallback key more than %d: %v, want ErrFull", MaxFallbacks, err)
		}
		return
	}
	m.last++
	want := append([]Fallback{next.fallbacks[0]}, before...)
	var gone []Fallback
	if !m.pool.raised && len(want) > maxFallbacks1 {
		want, gone = want[:maxFallbacks1], want[maxFallbacks1:]
	}
	if err != nil || key.ID() != m.last || !key.Fallback() || !slices.Equal(dropped, gone) {
		t.Fatalf("key %v (fallback %v), dropped %v, %v; want key %v, dropped %v", key.ID(), key.Fallback(), dropped, err, m.last, gone)
	}
	if current := next.fallbacks[0]; current.ID != m.last || current.Public != key.Public() || current.Published || !slices.Equal(next.fallbacks, want) {
		t.Fatalf("fallback keys %v, want %v", next.fallbacks, want)
	}
	m.pool = next
}

func (m *model) store(t *rapid.T) {
	back, err := DecodePool(encodePool(t, m.pool))
	if err != nil {
		t.Fatal(err)
	}
	m.pool = back
}

// check compares the pool with the model.
func (m *model) check(t *rapid.T) {
	if m.pool.Next() != m.last+1 || m.pool.Len() != len(m.stages) {
		t.Fatalf("next %v of %d keys, want %v of %d", m.pool.Next(), m.pool.Len(), m.last+1, len(m.stages))
	}
	before := ID(0)
	for e := range m.pool.Entries() {
		if e.ID <= before || m.stages[e.ID] != e.Stage || m.publics[e.ID] != e.Public {
			t.Fatalf("entry %v after %v, want stage %v", e, before, m.stages[e.ID])
		}
		before = e.ID
	}
}

// Over any sequence of operations ids are given out once, keys are offered
// once, no stage goes back, and no operation changes the pool it starts from.
func TestPoolModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newModel()
		if rapid.Bool().Draw(t, "raised") {
			m.pool = NewPool()
		}
		operations := map[string]func(*rapid.T){"": m.check}
		for name, op := range map[string]func(*rapid.T){
			"generate": m.generate, "offer": m.offer, "publish": m.publish, "abandon": m.abandon,
			"forget": m.forget, "recover": m.recover, "rotate": m.rotate, "store": m.store,
		} {
			operations[name] = func(t *rapid.T) {
				old := m.pool
				before := encodePool(t, old)
				op(t)
				if !bytes.Equal(encodePool(t, old), before) {
					t.Fatalf("%s changed the pool it started from", name)
				}
			}
		}
		t.Repeat(operations)
	})
}

// filled returns a pool of n keys made from few key pairs, for tests of limits.
func filled(n int, stage func(i int) Stage) Pool {
	p := Pool{last: ID(n)}
	for i := range n {
		p.entries = append(p.entries, Entry{ID: ID(i + 1), Public: ratchet.PublicKey{byte(i), byte(i >> 8)}, Stage: stage(i)})
	}
	return p
}

func ids(entries []Entry) (out []ID) {
	for _, e := range entries {
		out = append(out, e.ID)
	}
	return out
}

func TestGenerateStopsAtTheLimit(t *testing.T) {
	p := filled(MaxKeys-1, func(int) Stage { return Published })
	if _, _, err := p.Generate(rand.Reader, 2, noon); !errors.Is(err, ErrFull) {
		t.Errorf("one above the limit: %v, want ErrFull", err)
	}
	if _, _, err := p.Generate(rand.Reader, -1, noon); !errors.Is(err, ErrFull) {
		t.Errorf("-1 keys: %v, want ErrFull", err)
	}
	full, keys, err := p.Generate(rand.Reader, 1, noon)
	if err != nil || full.Len() != MaxKeys || len(keys) != 1 {
		t.Fatalf("at the limit: %d keys, %v", full.Len(), err)
	}
	if back, err := DecodePool(encodePool(t, full)); err != nil || back.Len() != MaxKeys {
		t.Errorf("full pool comes back with %d keys, %v", back.Len(), err)
	}
}

func TestEvictTheLowestIDsWhateverTheirStage(t *testing.T) {
	// Ids 1, 5, 9 ... generated, 2, 6 ... offered, 3, 7 ... published, 4, 8 ... abandoned.
	p := filled(MaxKeys, func(i int) Stage { return Stage(i%4 + 1) })
	next, dropped := p.Evict(4, noon)
	if got := ids(dropped); !slices.Equal(got, []ID{2, 3, 4, 6}) || next.Len() != MaxKeys-4 {
		t.Errorf("evicted %v, want 2, 3, 4 and 6", got)
	}
	quarter := MaxKeys / 4
	next, dropped = p.Evict(MaxKeys, noon)
	if len(dropped) != 3*quarter || next.Len() != quarter || next.Count(Generated) != quarter {
		t.Errorf("evicted %d, left %d, %d of them generated; want all but the %d generated ones", len(dropped), next.Len(), next.Count(Generated), quarter)
	}
	next, dropped = filled(7, func(int) Stage { return Abandoned }).Evict(MaxKeys-7, noon)
	if len(dropped) != 0 || next.Len() != 7 {
		t.Errorf("evicted %v although there was place", dropped)
	}
}

func TestIDsAreNeverReused(t *testing.T) {
	p := Pool{last: math.MaxUint32 - 1}
	if _, _, err := p.Generate(rand.Reader, 2, noon); !errors.Is(err, ErrExhausted) {
		t.Errorf("two keys with one id left: %v, want ErrExhausted", err)
	}
	if _, err := p.Recover(2, noon); !errors.Is(err, ErrExhausted) {
		t.Errorf("jump past the end: %v, want ErrExhausted", err)
	}
	p, keys, err := p.Generate(rand.Reader, 1, noon)
	if err != nil || keys[0].ID() != math.MaxUint32 {
		t.Fatalf("the last id: %v, %v", keys, err)
	}
	if _, _, _, err := p.RotateFallback(rand.Reader, noon); !errors.Is(err, ErrExhausted) {
		t.Errorf("fallback key without an id: %v, want ErrExhausted", err)
	}
	if back, err := DecodePool(encodePool(t, p)); err != nil || back.last != math.MaxUint32 {
		t.Errorf("exhausted pool: %v", err)
	}
}

// TestFirstAfter: a pool tells where it was recovered last, whatever was made
// before and after.
func TestFirstAfter(t *testing.T) {
	const jump = 1000
	p := Pool{}
	if first := p.FirstAfter(jump); first != 0 {
		t.Errorf("an empty pool was recovered at %v", first)
	}
	more := func() {
		t.Helper()
		var err error
		if p, _, err = p.Generate(rand.Reader, 3, noon); err != nil {
			t.Fatal(err)
		}
	}
	more()
	if first := p.FirstAfter(jump); first != 0 {
		t.Errorf("a pool that was never recovered was so at %v", first)
	}
	for range 3 {
		recovered, err := p.Recover(jump, noon)
		if err != nil {
			t.Fatal(err)
		}
		p = recovered
		want := p.Next()
		for _, made := range []string{"nothing", "one-time keys", "a fallback key"} {
			if first := p.FirstAfter(jump); first != want {
				t.Errorf("recovered, and %s made: the first id is %v, want %v", made, first, want)
			}
			if more(); made == "one-time keys" {
				if p, _, _, err = p.RotateFallback(rand.Reader, noon); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

var errEmpty = errors.New("no randomness")

type noRandomness struct{}

func (noRandomness) Read([]byte) (int, error) { return 0, errEmpty }

func TestFailingRandomnessChangesNothing(t *testing.T) {
	p, _, _ := Pool{}.Generate(rand.Reader, 2, noon)
	before := encodePool(t, p)
	next, keys, err := p.Generate(noRandomness{}, 3, noon)
	if !errors.Is(err, errEmpty) || keys != nil || !bytes.Equal(encodePool(t, next), before) {
		t.Errorf("Generate: %v, %v", keys, err)
	}
	next, _, _, err = p.RotateFallback(noRandomness{}, noon)
	if !errors.Is(err, errEmpty) || !bytes.Equal(encodePool(t, next), before) {
		t.Errorf("RotateFallback: %v", err)
	}
}

func TestFallbackDue(t *testing.T) {
	p := Pool{}
	if !p.FallbackDue(0, noon) {
		t.Error("no fallback key, and none is due")
	}
	p, key, _, err := p.RotateFallback(rand.Reader, noon)
	if err != nil {
		t.Fatal(err)
	}
	if p.FallbackDue(0, noon.Add(2*FallbackLife)) {
		t.Error("a key that was never published is replaced")
	}
	if p, err = p.PublishFallback(noon, key.ID()); err != nil {
		t.Fatal(err)
	}
	for after, want := range map[time.Duration]bool{
		0: false, FallbackLife - time.Millisecond: false, FallbackLife: true,
		-1000 * FallbackLife: false, 1000 * FallbackLife: true,
	} {
		if got := p.FallbackDue(0, noon.Add(after)); got != want {
			t.Errorf("due after %v: %v, want %v", after, got, want)
		}
	}
	past := noon.Add(-1000 * FallbackLife)
	if set := p.SetBack(past); set.FallbackDue(0, past) || !set.FallbackDue(0, past.Add(FallbackLife)) {
		t.Error("a key made by a clock that ran ahead is not replaced a life after the clock was set right")
	}
	if set := p.SetBack(noon.Add(time.Hour)); set.FallbackDue(0, noon.Add(FallbackLife-1)) || !set.FallbackDue(0, noon.Add(FallbackLife)) {
		t.Error("setting back moves a key that is not of the future")
	}
	if _, err := p.PublishFallback(noon, key.ID()+1); !errors.Is(err, ErrUnknownID) {
		t.Errorf("publishing an id not given out: %v, want ErrUnknownID", err)
	}
	p, second, _, _ := p.RotateFallback(rand.Reader, noon)
	p, _, _, _ = p.RotateFallback(rand.Reader, noon)
	if p, err = p.PublishFallback(noon, key.ID()); err != nil {
		t.Errorf("publishing a dropped key: %v", err)
	}
	p, _ = p.PublishFallback(noon, second.ID())
	if current, previous := p.Fallbacks(); current.Published || !previous.Published {
		t.Errorf("published the previous one, have %v and %v", current, previous)
	}
}

// TestEvictAfterAClockBehind: keys that were in a body by a clock behind are no
// older than what was in one before, and go after it.
func TestEvictAfterAClockBehind(t *testing.T) {
	const few = 3
	p := Pool{}.Raise(noon)
	var err error
	upload := func(n int, now time.Time, outcome func(Pool, time.Time, ...ID) (Pool, error)) {
		t.Helper()
		if p, _, err = p.Generate(rand.Reader, n, now); err != nil {
			t.Fatal(err)
		}
		var offered []Entry
		p, offered = p.Offer(n, now)
		if p, err = outcome(p, now, ids(offered)...); err != nil {
			t.Fatal(err)
		}
	}
	publish := func(p Pool, now time.Time, all ...ID) (Pool, error) { return p.Publish(now, all...) }
	abandon := func(p Pool, now time.Time, all ...ID) (Pool, error) { return p.Abandon(now, all...) }
	upload(MaxKeys-2*few, noon, publish)
	upload(few, time.Unix(1, 0), publish)
	upload(few, time.Time{}, abandon)
	lowest := []ID{1, 2, 3, 4, 5, 6}
	for _, now := range []time.Time{noon.Add(time.Hour), noon.Add(KeyRest), time.Unix(1, 0)} {
		if _, dropped := p.Evict(2*few, now); !slices.Equal(ids(dropped), lowest) {
			t.Errorf("at %v %v are evicted, want %v", now, ids(dropped), lowest)
		}
	}
}

// TestRebuildOffersNothing: nobody knows how far the keys of a lost pool had come.
func TestRebuildOffersNothing(t *testing.T) {
	for _, raised := range []bool{false, true} {
		var keys []Key
		for id := range ID(3) {
			keys = append(keys, NewKey(id+1, ratchet.KeyPair{}, false, time.Time{}))
		}
		pool := Rebuild(keys, raised, time.UnixMilli(1))
		if _, offered := pool.Offer(10, time.UnixMilli(2)); len(offered) > 0 || pool.Count(Abandoned) != 3 {
			t.Errorf("raised %v: %d are offered, %d abandoned of 3", raised, len(offered), pool.Count(Abandoned))
		}
	}
}
