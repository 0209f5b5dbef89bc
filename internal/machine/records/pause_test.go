package records

import (
	"slices"
	"testing"
	"time"

	"github.com/pawlkv/pawl/internal/record"
	"github.com/pawlkv/pawl/ratchet"
)

const year = 365 * 24 * time.Hour

// TestHeldByClocks: how long the pause is by clocks that go back and forth.
func TestHeldByClocks(t *testing.T) {
	at := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	base := Wedge{Key: ratchet.PublicKey{1}, User: "@bob:example.org"}.Seen(record.Moment{Time: at, Order: 1}, "why")
	base = base.Try(record.Moment{Time: at, Order: 2}, RequestID{1})
	later := base
	for range 2 {
		later = later.Try(record.Moment{Time: at, Order: 3}, RequestID{1})
	}
	behind := base.Try(record.Moment{Time: at.Add(-year), Order: 3}, RequestID{1})
	type reading struct {
		at   time.Duration // after the try
		held bool
	}
	const minute, hour = time.Minute, time.Hour
	for name, c := range map[string]struct {
		w        Wedge
		readings []reading
	}{
		"in order":      {base, []reading{{0, true}, {59 * minute, true}, {hour - 1e6, true}, {hour, false}}},
		"after three":   {later, []reading{{hour, true}, {24*hour - 1e6, true}, {24 * hour, false}}},
		"heard since":   {later.Well(at), []reading{{hour - 1e6, true}, {hour, false}}},
		"a little back": {base, []reading{{-20 * minute, true}, {58 * minute, true}, {hour, false}}},
		"back for good": {base, []reading{
			{-year, true}, {-year + 20*minute, true}, {-year + 40*minute, true}, {-year + 60*minute, true},
			{-year + 80*minute, true}, {-year + 100*minute, true}, {-year + 120*minute - 1e6, true}, {-year + 120*minute, false},
		}},
		"back, and seldom seen": {base, []reading{
			{-9 * year, true}, {-8 * year, true}, {-7 * year, true}, {-6 * year, true}, {-5 * year, true}, {-4 * year, true}, {-3 * year, false},
		}},
		"back and right":           {base, []reading{{-year, true}, {minute, true}, {-year, true}, {hour, false}}},
		"back, right, less back":   {base, []reading{{-year, true}, {minute, true}, {-year / 2, true}, {2 * minute, true}, {-year / 4, true}}},
		"back and less back":       {base, []reading{{-year, true}, {-year / 2, true}, {-year / 4, true}, {-year / 8, true}, {hour, false}}},
		"back, and back again":     {base, []reading{{-3 * hour, true}, {-hour, true}, {-3 * hour, true}, {-hour, true}, {-3 * hour, true}, {-hour, true}, {hour, false}}},
		"ahead":                    {base, []reading{{year, false}}},
		"made behind":              {behind, []reading{{-year + hour - 1e6, true}, {-year + hour, false}}},
		"made behind, right since": {behind, []reading{{minute, true}, {-year + 2*hour, true}, {hour, true}, {minute + hour, true}}},
	} {
		w := c.w
		for i, r := range c.readings {
			next, held := w.Held(at.Add(r.at))
			if held != r.held {
				t.Errorf("%s, reading %d: held %v: %v", name, i, held, w.Pause)
			}
			w = next
		}
	}
	if _, held := (Wedge{}).Held(at); held {
		t.Error("the first is held")
	}
}

// TestLearn: what is learnt late began by the clock that it was done by only where that is
// the one that the pause before began by, or the only one that is known.
func TestLearn(t *testing.T) {
	at := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	one := Pause(nil).Begin(at, time.Hour)
	two, _ := one.Look(at.Add(-year), time.Hour)
	for what, c := range map[string]struct {
		p     Pause
		after time.Duration
		want  Pause
	}{
		"nothing is known":          {nil, 0, Pause{{At: at, Began: true}}},
		"the same clock":            {one, time.Minute, Pause{{At: at.Add(time.Minute), Began: true}}},
		"one that is behind":        {one, -year, Pause{{At: at}, {At: at.Add(-year)}}},
		"one that was behind again": {two, -year, Pause{{At: at}, {At: at.Add(-year)}}},
		"one that is right again":   {two, time.Minute, Pause{{At: at.Add(time.Minute), Began: true}}},
	} {
		if got := c.p.Learn(at.Add(c.after), time.Hour); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", what, got, c.want)
		}
	}
}

// TestLookingOften: who looks each second writes no more than eight times a pause, and
// that only by a clock that went back.
func TestLookingOften(t *testing.T) {
	at := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	for behind, want := range map[time.Duration]int{0: 0, year: 12} {
		p, writes := Pause(nil).Begin(at, time.Hour), 0
		for second := range 3 * 3600 {
			next, over := p.Look(at.Add(time.Duration(second)*time.Second-behind), time.Hour)
			if over {
				break
			}
			if !slices.Equal(next, p) {
				writes++
			}
			p = next
		}
		if writes != want {
			t.Errorf("behind by %v: %d writes, want %d", behind, writes, want)
		}
	}
}
