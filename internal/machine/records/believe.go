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
	since    event     // the last time that was known before, with its order; the zero one if there was none
	now      time.Time // of the sweep
	believed []event   // in their order, and so in that of their times
}

// learn finds out which of the events have times that can be right. Those from
// before the last known time were judged then. Of the others, what is not
// between it and now is wrong; and where times contradict the order, the most
// that do not contradict each other are right. What one transaction did counts
// once: its times are of one clock.
func learn(events []event, since event, now time.Time) truth {
	if since.at.After(now) { // that sweep was given a time too late, or this one is too early
		since = event{}
	}
	t := truth{since: since, now: now}
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
	return !e.at.Before(olm) && !e.at.After(t.now) && !e.at.Before(t.since.at)
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
// several such choices it takes the one whose times are the lowest.
func longestRise(events []event) []event {
	var tails []int // of the rises of each length, the end with the lowest time
	before := make([]int, len(events))
	for i, e := range events {
		at := sort.Search(len(tails), func(n int) bool { return events[tails[n]].at.After(e.at) })
		before[i] = -1
		if at > 0 {
			before[i] = tails[at-1]
		}
		if at == len(tails) {
			tails = append(tails, i)
		} else {
			tails[at] = i
		}
	}
	if len(tails) == 0 {
		return nil
	}
	rise := make([]event, len(tails))
	for n, i := len(rise)-1, tails[len(tails)-1]; n >= 0; n, i = n-1, before[i] {
		rise[n] = events[i]
	}
	return rise
}
