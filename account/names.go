package account

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxName is the longest user id that Matrix allows, in bytes. Device ids have
// no limit there and this one here, because they become part of key ids.
const maxName = 255

// CheckUserID accepts @localpart:server (Matrix specification, appendices,
// "User Identifiers", with the historical characters) and fails with
// [ErrUserID], saying what is wrong.
func CheckUserID(id string) error {
	local, server, ok := strings.Cut(id, ":")
	switch {
	case !strings.HasPrefix(id, "@"):
		return fmt.Errorf("%w: %.60q must begin with @, as in @alice:example.org", ErrUserID, id)
	case !ok || server == "":
		return fmt.Errorf("%w: %.60q has no server name, as in @alice:example.org", ErrUserID, id)
	case len(id) > maxName:
		return fmt.Errorf("%w: %d bytes long, at most %d", ErrUserID, len(id), maxName)
	case !isPrintable(local):
		return fmt.Errorf("%w: %.60q has spaces, control characters or invalid UTF-8", ErrUserID, id)
	case strings.ContainsFunc(server, isNotServer):
		return fmt.Errorf("%w: %.60q has a server name with characters other than letters, digits and .-:[]", ErrUserID, id)
	}
	return nil
}

// CheckDeviceID accepts any printable text without spaces and fails with
// [ErrDeviceID], saying what is wrong.
func CheckDeviceID(id string) error {
	switch {
	case id == "":
		return fmt.Errorf("%w: it is empty", ErrDeviceID)
	case len(id) > maxName:
		return fmt.Errorf("%w: %d bytes long, at most %d", ErrDeviceID, len(id), maxName)
	case !isPrintable(id):
		return fmt.Errorf("%w: %.60q has spaces, control characters or invalid UTF-8", ErrDeviceID, id)
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
