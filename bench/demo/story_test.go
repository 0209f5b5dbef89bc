package demo

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/pawlkv/pawl/bench/design"
)

func TestWrap(t *testing.T) {
	long := strings.Repeat("word ", 30)
	for _, text := range []string{"", "short", long, "   " + long, "   round 151  " + long, strings.Repeat("x", 100), strings.Repeat("µ", 60) + " " + strings.Repeat("µ", 19), "   " + strings.Repeat("x", 100)} {
		lines := wrap(text)
		if got := strings.Join(strings.Fields(strings.Join(lines, " ")), " "); got != strings.Join(strings.Fields(text), " ") {
			t.Errorf("%q has become %q", text, lines)
		}
		for i, line := range lines {
			indent := len(line) - len(strings.TrimLeft(line, " "))
			switch {
			case utf8.RuneCountInString(line) > width && strings.Contains(strings.TrimSpace(line), " "):
				t.Errorf("too long: %q", line)
			case i > 0 && strings.HasPrefix(text, "   round") && indent != toEvents:
				t.Errorf("it goes on at %d: %q", indent, line)
			case i > 0 && !strings.HasPrefix(text, "   round") && !strings.HasPrefix(text, line[:indent]):
				t.Errorf("it goes on at %d: %q", indent, line)
			}
		}
	}
}

// TestFirstWedgeIsTold: as it happens, however many losses were told before it;
// of the next one only the number.
func TestFirstWedgeIsTold(t *testing.T) {
	var b strings.Builder
	s := story{w: &b}
	stale, _ := design.Find(design.NameStale)
	s.chapter(1, stale)
	rounds := inTurn("app< app> app< app> app< app> app<")
	for i, r := range rounds {
		s.round(r, []Loss{{Process: "app", Error: "an error", Why: []string{"why"}}}, stale)
		s.mended(i < 5)
	}
	told := b.String()
	for _, want := range []string{"round   1 ", "round   3 ", "round   6 "} {
		if strings.Count(told, want) != 1 {
			t.Errorf("%q is told %d times", want, strings.Count(told, want))
		}
	}
	if strings.Contains(told, "round   5 ") || strings.Contains(told, "round   7 ") || strings.Count(told, wedgedWord) != 1 || strings.Count(told, lostWord) != 4 {
		t.Error("of the others nothing is to be told")
	}
	if i := strings.Index(told, "round   6 "); !strings.Contains(told[i:], wedgedWord) || !strings.Contains(told[i:], "why") {
		t.Error("the wedge is not told with its loss")
	}
	if t.Failed() {
		t.Log(told)
	}
}

// TestStrong: on a terminal what matters stands out, and nothing else changes.
func TestStrong(t *testing.T) {
	var plain, colored strings.Builder
	for _, s := range []*story{{w: &plain}, {w: &colored, strong: true}} {
		s.summary(Outcome{Messages: 1, Lost: 1, Wedged: 1, Reused: 2})
		s.table(Report{Designs: []Outcome{{title: "one", Messages: 1}}})
	}
	if want := "   0 restarts, 0 kills, 0 stops.\n   LOST: 1 of 1 message.\n   WEDGED: 1 session.\n   REUSED: 2 message keys for a second ciphertext.\n"; !strings.HasPrefix(plain.String(), want) {
		t.Errorf("it says %s, want %s", plain.String(), want)
	}
	bare := strings.NewReplacer("\x1b[1;31m", "", "\x1b[0m", "").Replace(colored.String())
	if bare != plain.String() || strings.Count(colored.String(), "\x1b[1;31m") != 5 {
		t.Errorf("colored: %q", colored.String())
	}
}

// TestDesignsAreTold: how each design works is one paragraph, of which no line is
// shorter than it has to be.
func TestDesignsAreTold(t *testing.T) {
	for _, d := range design.All() {
		var b strings.Builder
		s := story{w: &b}
		s.chapter(1, d)
		lines := strings.Split(strings.TrimSpace(b.String()), "\n")[1:]
		if got := strings.Join(strings.Fields(strings.Join(lines, " ")), " "); got != strings.Join(d.How, " ") {
			t.Errorf("%s is told as %q", d.Name, lines)
		}
		for i, line := range lines[1:] {
			next, _, _ := strings.Cut(strings.TrimSpace(line), " ")
			if utf8.RuneCountInString(lines[i]+" "+next) <= width {
				t.Errorf("%s: %q has room for %q", d.Name, lines[i], next)
			}
		}
	}
}
