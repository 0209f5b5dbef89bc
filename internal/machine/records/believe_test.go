package records

import (
	"testing"
	"time"

	"github.com/pawlkv/pawl/internal/record"
)

// TestBelieve: which times of events are believed, and from when those count
// that are not. Times are hours of one day; -1 stands for 1970, 99 for 2046.
func TestBelieve(t *testing.T) {
	day := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
	hour := func(h int) time.Time {
		switch h {
		case -1:
			return time.Unix(1, 0)
		case 99:
			return day.AddDate(20, 0, 0)
		}
		return day.Add(time.Duration(h) * time.Hour)
	}
	for name, test := range map[string]struct {
		since event // the last sweep
		now   int
		at    []int // the times of events, in their order
		want  []int
	}{
		"all right":                             {event{}, 9, []int{1, 2, 2, 5}, []int{1, 2, 2, 5}},
		"nothing":                               {event{}, 9, nil, nil},
		"one ahead counts from the next":        {event{}, 9, []int{1, 99, 3, 4}, []int{1, 3, 3, 4}},
		"the last ahead counts from the sweep":  {event{}, 9, []int{1, 99}, []int{1, 9}},
		"one behind all clocks":                 {event{}, 9, []int{1, -1, 3}, []int{1, 3, 3}},
		"either ahead or behind is behind":      {event{}, 9, []int{4, 1}, []int{4, 9}},
		"and counts from the next":              {event{}, 9, []int{4, 1, 5, 2, 6}, []int{4, 5, 5, 6, 6}},
		"behind from the beginning":             {event{}, 9, []int{-1, -1, 3}, []int{3, 3, 3}},
		"all behind":                            {event{}, 9, []int{-1, -1}, []int{9, 9}},
		"ahead, but not of the sweep":           {event{}, 9, []int{1, 2, 8, 3, 4}, []int{1, 2, 3, 3, 4}},
		"behind, but not of all clocks":         {event{}, 9, []int{5, 6, 1, 7, 8}, []int{5, 6, 7, 7, 8}},
		"behind the last sweep":                 {event{2 * record.Places, hour(4)}, 9, []int{1, 3, 3, 5}, []int{1, 5, 5, 5}},
		"ahead of the last sweep when it was":   {event{2 * record.Places, hour(4)}, 9, []int{8, 5, 6}, []int{5, 5, 6}},
		"judged by the last sweep":              {event{3 * record.Places, hour(4)}, 9, []int{3, 1, 5}, []int{3, 1, 5}},
		"the last sweep was given another time": {event{2 * record.Places, hour(99)}, 9, []int{1, 2, 3}, []int{1, 2, 3}},
	} {
		var events []event
		for i, h := range test.at {
			events = append(events, event{record.Order(i+1) * record.Places, hour(h)})
		}
		truth := learn(time.Time{}, events, test.since, hour(test.now))
		for i, want := range test.want {
			if got := truth.of(events[i]); !got.Equal(hour(want)) {
				t.Errorf("%s: event %d of %v counts from %v, want %v", name, i, test.at, got, hour(want))
			}
		}
	}
}

// TestBelieveCountsViewsOnce: a large batch under a wrong clock has no more
// weight than a message.
func TestBelieveCountsViewsOnce(t *testing.T) {
	day := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
	var events []event
	for i := range 100 { // ahead
		events = append(events, event{record.Places + record.Order(i), day.Add(8*time.Hour + time.Duration(i))})
	}
	events = append(events, event{2 * record.Places, day}, event{3 * record.Places, day.Add(time.Hour)})
	truth := learn(time.Time{}, events, event{}, day.Add(24*time.Hour))
	for _, e := range events[:100] {
		if got := truth.of(e); !got.Equal(day) {
			t.Fatalf("event %d counts from %v, want %v", e.order, got, day)
		}
	}
	// Of format 1 there is no order: what may be right is.
	if got := truth.of(event{0, day.Add(time.Minute)}); !got.Equal(day.Add(time.Minute)) {
		t.Errorf("of format 1: %v", got)
	}
	if got := truth.of(event{0, day.AddDate(20, 0, 0)}); !got.Equal(day) {
		t.Errorf("of format 1, ahead: %v", got)
	}
}
