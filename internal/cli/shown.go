package cli

import (
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Shown returns a text as a terminal or a log may have it: what is no printable
// character comes as an escape, line ends too. Names in Matrix may have control
// characters, and whoever chooses one shall not write on the screens of others.
func Shown(text string) string {
	if !strings.ContainsFunc(text, hidden) && utf8.ValidString(text) {
		return text
	}
	var b strings.Builder
	for i, r := range text {
		switch {
		case r == utf8.RuneError && !strings.HasPrefix(text[i:], string(utf8.RuneError)):
			fmt.Fprintf(&b, `\x%02x`, text[i])
		case !hidden(r):
			b.WriteRune(r)
		case r > 0xffff:
			fmt.Fprintf(&b, `\U%08x`, r)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

func hidden(r rune) bool { return !unicode.IsPrint(r) } // which takes no space but ' '

// ShownJSON is Shown for JSON: it stays the same value, and line ends between
// tokens stay.
func ShownJSON(text []byte) []byte {
	b := make([]byte, 0, len(text))
	for _, r := range string(text) {
		switch {
		case !hidden(r) || r == '\n' || r == '\t':
			b = utf8.AppendRune(b, r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			b = fmt.Appendf(b, `\u%04x\u%04x`, high, low)
		default:
			b = fmt.Appendf(b, `\u%04x`, r)
		}
	}
	return b
}

// shownWriter writes JSON, whole values at a time, as it may be shown.
type shownWriter struct{ io.Writer }

func (w shownWriter) Write(b []byte) (int, error) {
	if _, err := w.Writer.Write(ShownJSON(b)); err != nil {
		return 0, err
	}
	return len(b), nil
}
