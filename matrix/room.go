package matrix

import (
	"fmt"
)

// RoomID names a room: !opaque:example.org, or since room version 12 without
// a server.
type RoomID string

// EventID names an event of a room: $opaque, in room versions 1 and 2 with a
// server.
type EventID string

// ParseRoomID returns the text as a room id, or fails as Check does.
func ParseRoomID(s string) (RoomID, error) {
	id := RoomID(s)
	if err := id.Check(); err != nil {
		return "", err
	}
	return id, nil
}

// ParseEventID returns the text as an event id, or fails as Check does.
func ParseEventID(s string) (EventID, error) {
	id := EventID(s)
	if err := id.Check(); err != nil {
		return "", err
	}
	return id, nil
}

// Check accepts ! and an opaque text (Matrix specification, appendices, "Room
// IDs") and fails with [ErrRoomID], saying what is wrong.
func (id RoomID) Check() error { return checkOpaque(string(id), '!', ErrRoomID) }

// Check accepts $ and an opaque text (Matrix specification, appendices, "Event
// IDs") and fails with [ErrEventID], saying what is wrong.
func (id EventID) Check() error { return checkOpaque(string(id), '$', ErrEventID) }

// checkOpaque knows nothing of what follows the sigil: that depends on the
// version of the room, and newer ones change it.
func checkOpaque(id string, sigil byte, kind error) error {
	switch {
	case len(id) < 2 || id[0] != sigil:
		return fmt.Errorf("%w: %.60q must begin with %c and go on", kind, id, sigil)
	case len(id) > MaxLength:
		return fmt.Errorf("%w: %d bytes long, at most %d", kind, len(id), MaxLength)
	case !isText(id):
		return fmt.Errorf("%w: %.60q has a NUL or invalid UTF-8", kind, id)
	}
	return nil
}
