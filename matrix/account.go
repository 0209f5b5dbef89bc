package matrix

import (
	"fmt"
	"strings"
	"unicode"
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
// Identifiers", with the historical characters) and fails with [ErrUserID],
// saying what is wrong.
func (id UserID) Check() error {
	local, server, ok := strings.Cut(string(id), ":")
	switch {
	case !strings.HasPrefix(local, "@"):
		return fmt.Errorf("%w: %.60q must begin with @, as in @alice:example.org", ErrUserID, string(id))
	case !ok || server == "":
		return fmt.Errorf("%w: %.60q has no server name, as in @alice:example.org", ErrUserID, string(id))
	case len(id) > MaxLength:
		return fmt.Errorf("%w: %d bytes long, at most %d", ErrUserID, len(id), MaxLength)
	case !isPrintable(local):
		return fmt.Errorf("%w: %.60q has spaces, control characters or invalid UTF-8", ErrUserID, string(id))
	case strings.ContainsFunc(server, isNotServer):
		return fmt.Errorf("%w: %.60q has a server name with characters other than letters, digits and .-:[]", ErrUserID, string(id))
	}
	return nil
}

// Check accepts any printable text without spaces and fails with
// [ErrDeviceID], saying what is wrong.
func (id DeviceID) Check() error {
	switch {
	case id == "":
		return fmt.Errorf("%w: it is empty", ErrDeviceID)
	case len(id) > MaxLength:
		return fmt.Errorf("%w: %d bytes long, at most %d", ErrDeviceID, len(id), MaxLength)
	case !isPrintable(string(id)):
		return fmt.Errorf("%w: %.60q has spaces, control characters or invalid UTF-8", ErrDeviceID, string(id))
	}
	return nil
}

func isPrintable(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return r == ' ' || !unicode.IsPrint(r) })
}

func isNotServer(r rune) bool {
	isLetter := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
	return !isLetter && !('0' <= r && r <= '9') && !strings.ContainsRune(".-:[]", r)
}
