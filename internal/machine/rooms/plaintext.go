package rooms

import (
	"encoding/json"
	"maps"
	"slices"

	"github.com/pawlkv/pawl/internal/jsonobject"
	"github.com/pawlkv/pawl/internal/machine/roomkeys"
	"github.com/pawlkv/pawl/matrix"
)

// relates is the member of an event's content that servers read: it stays outside of
// what is encrypted.
const relates = "m.relates_to"

// Form is what else an encrypted event is to be; the zero Form is what rooms are sent.
type Form struct {
	Inside    bool            // m.relates_to is encrypted too
	RelatesTo json.RawMessage // then: what stands outside in its place, nil: nothing
	StateKey  *string         // nil: it is none of the room's state
}

// plaintextOf returns what is encrypted of an event, and what it relates to, which may be
// part of its content. Of members with one name the last one counts; what is in them
// stays as it is.
func plaintextOf(room matrix.RoomID, eventType string, content []byte, form Form) (plaintext []byte, outside json.RawMessage, err error) {
	members, ok := jsonobject.Members(content)
	if eventType == "" || !ok {
		return nil, nil, roomkeys.ErrContent
	}
	if outside = members[relates]; outside != nil && !form.Inside {
		delete(members, relates)
	}
	if form.Inside {
		outside = form.RelatesTo
		if len(outside) > 0 && !json.Valid(outside) { // before an index is used for it
			return nil, nil, roomkeys.ErrContent
		}
	}
	return event{eventType, room, members, form.StateKey}.encode(), outside, nil
}

// event is the plaintext of an event.
type event struct {
	kind     string
	room     matrix.RoomID
	content  map[string]json.RawMessage
	stateKey *string
}

// encode writes an event of which nothing is left anywhere but in the answer.
func (e event) encode() []byte {
	b := make([]byte, 0, e.mostBytes())
	b = jsonobject.AppendText(append(b, `{"type":`...), e.kind)
	b = append(b, `,"content":{`...)
	for i, name := range slices.Sorted(maps.Keys(e.content)) {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(jsonobject.AppendText(b, name), ':')
		b = append(b, e.content[name]...)
	}
	b = jsonobject.AppendText(append(b, `},"room_id":`...), string(e.room))
	if e.stateKey != nil {
		b = jsonobject.AppendText(append(b, `,"state_key":`...), *e.stateKey)
	}
	return append(b, '}')
}

// mostBytes is how much encode writes at most.
func (e event) mostBytes() int {
	n := 64 + jsonobject.MostBytes(e.kind) + jsonobject.MostBytes(string(e.room))
	if e.stateKey != nil {
		n += jsonobject.MostBytes(*e.stateKey)
	}
	for name, value := range e.content {
		n += jsonobject.MostBytes(name) + len(value) + 2
	}
	return n
}
