package machine

import (
	"strings"
	"testing"
)

// TestFindField in a file like those of /proc.
func TestFindField(t *testing.T) {
	const text = "processor\t: 0\nmodel name\t: A CPU: fast\nmodel name\t: another\nflags:\n"
	for name, want := range map[string]string{"model name": "A CPU: fast", "processor": "0", "flags": "", "model": ""} {
		if got := findField(strings.NewReader(text), name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}
