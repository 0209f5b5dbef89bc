package group

import "github.com/pawlkv/pawl/matrix"

// RoomKey is the key of a session with what is known beside it, as it is exported
// and imported.
type RoomKey struct {
	Room   matrix.RoomID
	Key    Key
	Source Source
}

// RoomKey returns what is exported of a session: the key that reaches furthest back,
// with what the best copy says of whose it is. It fails with [ErrNoKey] where none is
// left.
func (in Inbound) RoomKey() (RoomKey, error) {
	earliest, err := in.Earliest()
	if err != nil {
		return RoomKey{}, err
	}
	return RoomKey{Room: in.room, Key: earliest.Key, Source: in.copies[0].Source}, nil
}
