// Package matrix has the names that Matrix gives to users, devices, rooms and
// events, each as a type of its own, so that the compiler finds a device id
// where a user id belongs.
//
// They are strings: a constant of the right form is one as it stands, and
// JSON, map keys and comparisons are those of the text. Text from outside
// becomes one by a Parse function, which refuses what the name cannot be;
// whoever converts instead has Check.
//
//	user, err := matrix.ParseUserID(flag)
//	machine, err := store.Create(ctx, user, "PHONE")
//
// What is refused is what would make two names one or break the text that
// holds it, and no more: clients are to take names as the servers give them.
// Everything is safe for concurrent use.
package matrix

import "errors"

// One error for each kind of name. Its text says what is wrong.
var (
	// ErrUserID: not a user id such as @alice:example.org.
	ErrUserID = errors.New("matrix: not a user id")
	// ErrDeviceID: empty, too long, or no text.
	ErrDeviceID = errors.New("matrix: not a device id")
	// ErrRoomID: not a room id such as !opaque:example.org.
	ErrRoomID = errors.New("matrix: not a room id")
	// ErrEventID: not an event id such as $opaque.
	ErrEventID = errors.New("matrix: not an event id")
)

// MaxLength is the longest user, room or event id that Matrix allows, in
// bytes. Device ids have no limit there and this one here, because they become
// part of key ids.
const MaxLength = 255
