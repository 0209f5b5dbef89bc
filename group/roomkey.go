package group

import "github.com/pawlkv/pawl/matrix"

// RoomKey is the key of a session with what is known beside it, as it is exported
// and imported.
type RoomKey struct {
	Room   matrix.RoomID
	Key    Key
	Source Source
}
