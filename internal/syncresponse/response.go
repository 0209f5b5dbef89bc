package syncresponse

import (
	"errors"
	"fmt"

	"github.com/pawlkv/pawl/matrix"
)

// ErrForm: the response is not JSON, or something that is needed of it has another
// type than the specification says.
var ErrForm = errors.New("syncresponse: malformed")

// Form is how a response is laid out.
type Form int

const (
	// Sync is /sync. A count that is missing is zero.
	Sync Form = iota
	// Sliding is simplified sliding sync. What is missing has not changed.
	Sliding
	// Service is a transaction of an application service: of all its devices, and
	// without a token. What is missing has not changed.
	Service
)

// Own is whose response it is: a transaction has more than one device in it.
type Own struct {
	User   matrix.UserID
	Device matrix.DeviceID
}

// Response is what was found.
type Response struct {
	// Next is the token of the next request: next_batch, or pos. A transaction has
	// none.
	Next string
	// NextToDevice is the to-device extension's token of a sliding sync.
	NextToDevice string
	ToDevice     []Span // events, in order
	// Deep: something is nested deeper than package json reads. Otherwise every event is
	// valid JSON as it stands.
	Deep bool
	// Counts are one-time keys on the server by algorithm; nil: they have not
	// changed.
	Counts map[string]int
	// Unused are the algorithms of fallback keys that were given to nobody; nil:
	// that has not changed. None is an empty list.
	Unused []string
	// Changed and Left are users whose devices may have changed, and with whom no
	// room is shared any more.
	Changed, Left []matrix.UserID
	Rooms         []Room
}

// Span is where a JSON value is in the response.
type Span struct{ Start, End int }

// Of returns the value.
func (s Span) Of(response []byte) []byte { return response[s.Start:s.End] }

// Room is what happened in a room.
type Room struct {
	ID matrix.RoomID
	// Limited: events are missing before those of the timeline. What changed in
	// between is known of the state only.
	Limited bool
	// Gone: the own user is not, or no longer, in the room.
	Gone bool
	// Events are the state before the timeline, the timeline and the state after it,
	// in this order.
	Events []RoomEvent
}

// Kind is a type of events that encryption depends on.
type Kind int

// The kinds, by their types.
const (
	Member            Kind = iota + 1 // m.room.member
	Encryption                        // m.room.encryption
	HistoryVisibility                 // m.room.history_visibility
)

// kindOf is 0 for all other events.
func kindOf(name string) Kind {
	switch name {
	case "m.room.member":
		return Member
	case "m.room.encryption":
		return Encryption
	case "m.room.history_visibility":
		return HistoryVisibility
	}
	return 0
}

// RoomEvent is an event of the state of a room.
type RoomEvent struct {
	Kind     Kind
	StateKey string
	Sender   matrix.UserID
	Content  Span // the zero Span: it has none
	// Passed: it happened, and what holds after it is told by later ones. Where servers
	// disagree about a state it may never have held.
	Passed bool
}

// Parse reads a response. Errors: [ErrForm], of the whole: nothing of it is to be
// used then.
func Parse(form Form, own Own, response []byte) (Response, error) {
	r := Response{}
	if form == Sync {
		r.Counts = map[string]int{}
	}
	p := &parser{walker: newWalker(response), own: own, into: &r}
	if err := p.walk(map[Form]members{Sync: p.sync(), Sliding: p.sliding(), Service: p.transaction()}[form]); err != nil {
		return Response{}, err
	}
	r.Deep = p.deep
	if form != Service && r.Next == "" {
		return Response{}, fmt.Errorf("%w: no token of the next request", ErrForm)
	}
	return r, nil
}
