package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// prefixes are what the errors of packages begin with. They help who reads Go.
var prefixes = []string{
	"account", "badgerkv", "canonicaljson", "conform", "copykv", "device", "etcdkv", "group", "grouping", "keyfile", "kv", "matrix", "message", "otk", "pawl", "pgkv", "pickle", "ratchet",
	"record", "roomkeyfile", "seal", "secret", "session", "sharekv", "sqlitekv", "syncresponse", "txn", "wire", "witness",
}

// prefixed finds a prefix at the beginning of an error, or of one within it.
var prefixed = regexp.MustCompile(`(^|: |; |\()(?:` + strings.Join(prefixes, "|") + `): `)

// ofTheLibrary are calls that errors of the library name, and that a command
// has no use for: it gives advice of its own.
var ofTheLibrary = strings.NewReplacer(
	" ('pawl recover', Machine.Recover)", "",
	" (Store.Erase)", "",
	": give Open a passphrase or a key", "",
	": pass one of its one-time keys", "",
)

// plain returns an error as one line for people: without the packages that it
// came from, and each cause once.
func plain(err error) string { return plainText(err.Error()) }

// plainText is plain for the text of an error.
func plainText(text string) string {
	lines := strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == '\r' })
	for i, line := range lines {
		line = strings.TrimSpace(line)
		for prefixed.MatchString(line) {
			line = prefixed.ReplaceAllString(line, "$1")
		}
		lines[i] = once(ofTheLibrary.Replace(line))
	}
	kept := lines[:0]
	for i, line := range lines {
		// Of several errors one may be the end of another, which says more.
		if line != "" && !slices.ContainsFunc(lines[:i], func(l string) bool { return strings.HasSuffix(l, line) }) {
			kept = append(kept, line)
		}
	}
	return joined(kept)
}

// joined makes one line of several. One that ends with a colon goes on in the next.
func joined(lines []string) string {
	var text strings.Builder
	for i, line := range lines {
		switch before := text.String(); {
		case i == 0:
		case strings.HasSuffix(before, ":"):
			text.WriteString(" ")
		default:
			text.WriteString("; ")
		}
		text.WriteString(line)
	}
	return text.String()
}

// once leaves out what an error says a second time.
func once(line string) string {
	var said []string
	for _, cause := range strings.Split(line, ": ") {
		if !slices.Contains(said, cause) {
			said = append(said, cause)
		}
	}
	return strings.Join(said, ": ")
}

// said is an error in other words.
type said struct {
	text string
	err  error
}

// instead returns an error of the same kind that says something else.
func instead(err error, format string, args ...any) error {
	return &said{fmt.Sprintf(format, args...), err}
}

// Error implements error.
func (s *said) Error() string { return s.text }

// Unwrap returns the error that was meant.
func (s *said) Unwrap() error { return s.err }
