package oracle

import (
	"cmp"
	"encoding/json"
	"slices"
	"time"

	"github.com/pawlkv/pawl/matrix"
)

// Span is some time.
type Span struct{ From, To time.Time }

// Meets reports whether some of the time between two moments is in the span.
func (s Span) Meets(from, to time.Time) bool { return !s.From.After(to) && !s.To.Before(from) }

// within is how much of the time between two moments is in the span.
func (s Span) within(from, to time.Time) time.Duration {
	if s.From.After(from) {
		from = s.From
	}
	if s.To.Before(to) {
		to = s.To
	}
	return max(0, to.Sub(from))
}

// Delay is how long it took until somebody told what another had sent.
type Delay struct {
	Event       matrix.EventID
	Given, Told time.Time
	Took        time.Duration // between these, with the time taken out in which it could not be told
}

// Delays are those of some events, the shortest first: from the moment at which the
// homeserver gave an event to anybody, since then it can be had. Its key is there by
// then, for a client shares it before it sends. What is taken out are the spans, in the
// order in which they begin. Events that were given to nobody or told by nobody have none.
func Delays(l Life, told map[matrix.EventID]time.Time, away []Span) []Delay {
	given := l.given()
	var all []Delay
	for id, at := range told {
		from, known := given[id]
		if !known {
			continue
		}
		d := Delay{Event: id, Given: from, Told: at, Took: max(0, at.Sub(from))}
		for _, s := range away {
			d.Took -= s.within(from, at)
			if s.To.After(from) {
				from = s.To // no time is taken out twice
			}
		}
		all = append(all, d)
	}
	slices.SortFunc(all, func(a, b Delay) int { return cmp.Or(cmp.Compare(a.Took, b.Took), cmp.Compare(a.Event, b.Event)) })
	return all
}

// given is when an answer to a sync had each event first.
func (l Life) given() map[matrix.EventID]time.Time {
	given := map[matrix.EventID]time.Time{}
	for _, e := range l.asked("sync", func(Device) bool { return true }) {
		var a struct {
			Rooms struct {
				Join map[matrix.RoomID]struct {
					Timeline struct {
						Events []struct {
							ID matrix.EventID `json:"event_id"`
						}
					}
				}
			}
		}
		if json.Unmarshal(e.Answer, &a) != nil {
			continue
		}
		for _, room := range a.Rooms.Join {
			for _, event := range room.Timeline.Events {
				if first, known := given[event.ID]; !known || e.At.Before(first) {
					given[event.ID] = e.At
				}
			}
		}
	}
	return given
}
