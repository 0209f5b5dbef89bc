package records

import (
	"cmp"
	"slices"
	"sort"
	"time"

	"github.com/pawlkv/pawl/internal/record"
)

// event is something with a place in the order of an account and a time that a
// clock told, which may have been wrong.
type event struct {
	order record.Order
	at    time.Time
}

// Nobody's clock was right before there was Olm.
var olm = time.Date(2016, 1, 1, 0, 0, 0, 0, time.UTC)

// truth is what the times of an account's events tell of each other, at a time
// that is known.
type truth struct {
	first    time.Time // nothing happened before
	since    event     // the last time that was known before, with its order; the zero one if there was none
	now      time.Time // of the sweep
	believed []event   // in their order, and so in that of their times
}

// learn finds out which of the events of an account that was made at a time have
// times that can be right. Those from before the last known time were judged
// then. Of the others, what is not between it and now is wrong; and where times
// contradict the order, the most that do not contradict each other are right. What
// one transaction did counts once: its times are of one clock.
func learn(made time.Time, events []event, since event, now time.Time) truth {
	if since.at.After(now) { // that sweep was given a time too late, or this one is too early
		since = event{}
	}
	t := truth{first: olm, since: since, now: now}
	if made.After(olm) && !made.After(now) {
		t.first = made
	}
	var possible []event
	for _, e := range events {
		if e.order != 0 && e.order >= since.order && t.inRange(e) {
			possible = append(possible, e)
		}
	}
	slices.SortFunc(possible, func(a, b event) int {
		return cmp.Or(cmp.Compare(a.order.View(), b.order.View()), a.at.Compare(b.at))
	})
	possible = slices.CompactFunc(possible, func(a, b event) bool { return a.order.View() == b.order.View() })
	t.believed = longestRise(possible)
	return t
}

func (t truth) inRange(e event) bool {
	return !e.at.Before(t.first) && !e.at.After(t.now) && !e.at.Before(t.since.at)
}

// of returns the time from which an event counts: its own, or, where that is
// wrong, that of the first event after it whose time is right, and at the latest
// now. Both are when what happened was first seen at a time that was right.
func (t truth) of(e event) time.Time {
	if t.right(e) {
		return e.at
	}
	after := t.search(e.order.View() + 1)
	if after < len(t.believed) {
		return t.believed[after].at
	}
	return t.now
}

func (t truth) right(e event) bool {
	if e.order < t.since.order { // judged by the last sweep, with all of format 1
		return !e.at.After(t.since.at)
	}
	if !t.inRange(e) || e.order == 0 {
		return t.inRange(e)
	}
	i := t.search(e.order.View())
	return i < len(t.believed) && t.believed[i].order.View() == e.order.View()
}

// search returns the first that is believed from a view on.
func (t truth) search(view uint64) int {
	return sort.Search(len(t.believed), func(i int) bool { return t.believed[i].order.View() >= view })
}

// longestRise returns as many of the events as have times that do not fall. Of
// several such choices it takes one whose times are high: that what comes before
// in order was by a clock ahead, and that this time has come to pass since, is
// less likely than that what comes after was by a clock behind; and what is kept
// too long is erased by a later sweep, while what is erased does not come back.
func longestRise(events []event) []event {
	var heads []int // of the rises of each length, the beginning with the highest time
	after := make([]int, len(events))
	for i, e := range slices.Backward(events) {
		at := sort.Search(len(heads), func(n int) bool { return events[heads[n]].at.Before(e.at) })
		after[i] = -1
		if at > 0 {
			after[i] = heads[at-1]
		}
		if at == len(heads) {
			heads = append(heads, i)
		} else {
			heads[at] = i
		}
	}
	if len(heads) == 0 {
		return nil
	}
	rise := make([]event, 0, len(heads))
	for i := heads[len(heads)-1]; i >= 0; i = after[i] {
		rise = append(rise, events[i])
	}
	return rise
}
