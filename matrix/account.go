package matrix

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// UserID names a user: @alice:example.org.
type UserID string

// DeviceID names one device among those of its user: JLAFKJWSCS.
type DeviceID string

// ParseUserID returns the text as a user id, or fails as Check does.
func ParseUserID(s string) (UserID, error) {
	id := UserID(s)
	if err := id.Check(); err != nil {
		return "", err
	}
	return id, nil
}

// ParseDeviceID returns the text as a device id, or fails as Check does.
func ParseDeviceID(s string) (DeviceID, error) {
	id := DeviceID(s)
	if err := id.Check(); err != nil {
		return "", err
	}
	return id, nil
}

// Check accepts @localpart:server (Matrix specification, appendices, "User
// Identifiers") and fails with [ErrUserID], saying what is wrong. A localpart may
// be historical: empty, or with any characters but a colon and NUL, control
// characters too. Who shows a name to people or writes it into a text must be
// ready for that.
func (id UserID) Check() error {
	local, server, ok := strings.Cut(string(id), ":")
	switch {
	case !strings.HasPrefix(local, "@"):
		return fmt.Errorf("%w: %.60q must begin with @, as in @alice:example.org", ErrUserID, string(id))
	case !ok || server == "":
		return fmt.Errorf("%w: %.60q has no server name, as in @alice:example.org", ErrUserID, string(id))
	case len(id) > MaxLength:
		return fmt.Errorf("%w: %d bytes long, at most %d", ErrUserID, len(id), MaxLength)
	case !isText(local):
		return fmt.Errorf("%w: %.60q has a NUL or invalid UTF-8", ErrUserID, string(id))
	case strings.ContainsFunc(server, isNotServer):
		return fmt.Errorf("%w: %.60q has a server name with characters other than letters, digits and .-:[]", ErrUserID, string(id))
	}
	return nil
}

// Check accepts any text but the empty one and fails with [ErrDeviceID], saying
// what is wrong: device ids are opaque, as in "My Laptop".
func (id DeviceID) Check() error {
	switch {
	case id == "":
		return fmt.Errorf("%w: it is empty", ErrDeviceID)
	case len(id) > MaxLength:
		return fmt.Errorf("%w: %d bytes long, at most %d", ErrDeviceID, len(id), MaxLength)
	case !isText(string(id)):
		return fmt.Errorf("%w: %.60q has a NUL or invalid UTF-8", ErrDeviceID, string(id))
	}
	return nil
}

// isText reports UTF-8 without NUL, which ends texts elsewhere.
func isText(s string) bool { return utf8.ValidString(s) && !strings.ContainsRune(s, 0) }

func isNotServer(r rune) bool {
	isLetter := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
	return !isLetter && !('0' <= r && r <= '9') && !strings.ContainsRune(".-:[]", r)
}
