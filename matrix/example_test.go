package matrix_test

import (
	"errors"
	"fmt"

	"github.com/pawlkv/pawl/matrix"
)

// Names from outside are parsed once, where they come in; from there on their
// types say that it was done.
func Example() {
	const alice matrix.UserID = "@alice:example.org" // a constant needs no parsing
	sender, err := matrix.ParseUserID("@alice:example.org")
	fmt.Println(sender == alice, err)

	_, err = matrix.ParseUserID("alice")
	fmt.Println(errors.Is(err, matrix.ErrUserID))
	fmt.Println(err)

	_, err = matrix.ParseRoomID("@alice:example.org")
	fmt.Println(err)
	// Output:
	// true <nil>
	// true
	// matrix: not a user id: "alice" must begin with @, as in @alice:example.org
	// matrix: not a room id: "@alice:example.org" must begin with ! and go on
}
