package otk

import (
	"crypto/rand"
	"errors"
	"slices"
	"testing"
	"time"
)

// rotated returns the pool with a new fallback key, which must fit in, and its id.
func rotated(t *testing.T, p Pool, now time.Time) (Pool, ID) {
	t.Helper()
	next, key, dropped, err := p.RotateFallback(rand.Reader, now)
	if err != nil || len(dropped) > 0 {
		t.Fatalf("dropped %v, %v", dropped, err)
	}
	return next, key.ID()
}

func published(t *testing.T, p Pool, now time.Time, id ID) Pool {
	t.Helper()
	next, err := p.PublishFallback(now, id)
	if err != nil {
		t.Fatal(err)
	}
	return next
}

func fallbackIDs(p Pool) (out []ID) {
	for f := range p.AllFallbacks() {
		out = append(out, f.ID)
	}
	return out
}

// dropsAt wants a key to go at a time and not before.
func dropsAt(t *testing.T, p Pool, at time.Time, want ...ID) {
	t.Helper()
	if _, early := p.DropFallbacks(at.Add(-time.Millisecond)); len(early) > 0 {
		t.Errorf("%v are dropped early", early)
	}
	next, dropped := p.DropFallbacks(at)
	var got []ID
	for _, f := range dropped {
		got = append(got, f.ID)
	}
	if !slices.Equal(got, want) || next.indexOf(want[0]) >= 0 {
		t.Errorf("dropped are %v, want %v", got, want)
	}
}

func TestFallbackGoesAWeekAfterANewerOneWasPublished(t *testing.T) {
	p, first := rotated(t, NewPool(), noon)
	p = published(t, p, noon, first)
	p, second := rotated(t, p, noon.Add(FallbackLife))
	if _, dropped := p.DropFallbacks(noon.Add(100 * FallbackLife)); len(dropped) > 0 {
		t.Errorf("%v are dropped, and nothing newer was published", dropped)
	}
	later := noon.Add(9 * day)
	p = published(t, p, later, second)
	dropsAt(t, published(t, p, later.Add(day), second), later.Add(FallbackLife), first)
}

// A body whose outcome is told after that of a newer one may have come after it.
func TestLateBodyPutsAFallbackKeyBack(t *testing.T) {
	p, first := rotated(t, NewPool(), noon)
	p = published(t, p, noon, first)
	p, second := rotated(t, p, noon.Add(FallbackLife))
	p = published(t, p, noon.Add(8*day), second)
	for name, tell := range map[string]func(Pool, time.Time, ID) (Pool, error){"published": Pool.PublishFallback, "abandoned": Pool.AbandonFallback} {
		late, err := tell(p, noon.Add(9*day), first)
		if err != nil {
			t.Fatal(err)
		}
		if _, dropped := late.DropFallbacks(noon.Add(100 * day)); len(dropped) > 0 {
			t.Errorf("%s late: %v are dropped", name, dropped)
		}
		dropsAt(t, published(t, late, noon.Add(10*day), second), noon.Add(17*day), first)
	}
	if _, err := p.AbandonFallback(noon, second+1); !errors.Is(err, ErrUnknownID) {
		t.Errorf("abandoning an id not given out: %v, want ErrUnknownID", err)
	}
}

// Nine keys that may all be used are one upload a day for a week, and one more.
func TestFullOfFallbacks(t *testing.T) {
	p := NewPool()
	var all []ID
	for i := range MaxFallbacks {
		var id ID
		p, id = rotated(t, p, noon.Add(time.Duration(i)*day))
		p = published(t, p, noon.Add(time.Duration(i)*day), id)
		all = append([]ID{id}, all...)
	}
	first := noon.Add(day) // a newer one than the oldest was published
	before, after := first.Add(FallbackLife-time.Millisecond), first.Add(FallbackLife)
	full := p
	if full.FallbackDue(full.Next(), before) {
		t.Error("a key is due, and there is no place for it")
	}
	if _, _, _, err := full.RotateFallback(rand.Reader, before); !errors.Is(err, ErrFull) {
		t.Errorf("one key too many: %v, want ErrFull", err)
	}
	if !full.FallbackDue(full.Next(), after) {
		t.Error("no key is due, and the oldest has had its time")
	}
	next, key, dropped, err := full.RotateFallback(rand.Reader, after)
	if err != nil || len(dropped) != 1 || dropped[0].ID != all[MaxFallbacks-1] {
		t.Fatalf("dropped %v, %v; want %v", dropped, err, all[MaxFallbacks-1])
	}
	if want := append([]ID{key.ID()}, all[:MaxFallbacks-1]...); !slices.Equal(fallbackIDs(next), want) {
		t.Errorf("kept are %v, want %v", fallbackIDs(next), want)
	}
}

func TestFallbackOfBeforeARecoveryIsDue(t *testing.T) {
	p, first := rotated(t, NewPool(), noon)
	p = published(t, p, noon, first)
	p, second := rotated(t, p, noon.Add(FallbackLife))
	p = published(t, p, noon.Add(FallbackLife), second)
	p, err := p.Recover(1000, noon.Add(8*day))
	if err != nil {
		t.Fatal(err)
	}
	if !p.FallbackDue(p.Next(), noon.Add(8*day)) || p.FallbackDue(second, noon.Add(8*day)) {
		t.Error("a key of before the recovery is to be replaced, and no other")
	}
	if _, dropped := p.DropFallbacks(noon.Add(100 * day)); len(dropped) > 0 {
		t.Errorf("%v are dropped: the time that was lost may have brought the older one back", dropped)
	}
}

// What a clock that ran ahead has written counts from the first right time on.
func TestSetBack(t *testing.T) {
	ahead := noon.Add(20 * 365 * day)
	p, _, err := NewPool().Generate(rand.Reader, 2, ahead)
	if err != nil {
		t.Fatal(err)
	}
	p, _ = p.Offer(1, ahead)
	p, first := rotated(t, p, ahead)
	p, second := rotated(t, published(t, p, ahead, first), ahead)
	p = published(t, p, ahead, second)
	set := p.SetBack(noon)
	dropsAt(t, set, noon.Add(FallbackLife), first)
	if e := set.entries[0]; !e.InBody.Equal(noon) || !set.entries[1].InBody.IsZero() {
		t.Errorf("in a body at %v and %v, want now and never", e.InBody, set.entries[1].InBody)
	}
	if !p.Ahead(noon) || set.Ahead(noon) || !p.entries[0].InBody.Equal(ahead) {
		t.Error("what is of the future is not told, or was changed in place")
	}
}

// A key that is withheld is one that was given up, and in format 2 since when.
func TestWithhold(t *testing.T) {
	for name, p := range map[string]Pool{"format 1": {}, "format 2": NewPool()} {
		p, keys, err := p.Generate(rand.Reader, 2, noon)
		if err != nil {
			t.Fatal(err)
		}
		back, err := DecodePool(encodePool(t, p.Withhold(noon, keys[0].Public())))
		if err != nil || back.Count(Abandoned) != 1 || back.Count(Generated) != 1 || back.entries[0].InBody.IsZero() == back.raised {
			t.Errorf("%s: %v, %v", name, back.entries, err)
		}
	}
}
