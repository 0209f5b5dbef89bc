package demo

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/pawlkv/pawl/bench/design"
)

const (
	shown  = 4 // rounds before the first loss
	faults = 2 // of each kind that are told
	losses = 3 // that are told, and one while a process was stopped
)

// Words that are to be seen.
const (
	lostWord   = "LOST"
	wedgedWord = "WEDGED"
	reusedWord = "REUSED"
)

// strong makes them stand out on a terminal.
var strong = strings.NewReplacer(
	lostWord, "\x1b[1;31m"+lostWord+"\x1b[0m", wedgedWord, "\x1b[1;31m"+wedgedWord+"\x1b[0m", reusedWord, "\x1b[1;31m"+reusedWord+"\x1b[0m",
)

// story tells what happens. It stops at the first error of its writer.
type story struct {
	w      io.Writer
	strong bool // on a terminal that can
	err    error
	before []string // the rounds since the last that was told, the last of them
	told   map[fate]int
	lost   int    // rounds with losses
	wedged bool   // a wedge was told
	silent func() // tells the last loss, if it was not told
}

// say tells something, in lines that fit a terminal. Where it begins, and for a
// round what happens in it, the next lines begin too.
func (s *story) say(format string, args ...any) {
	if s.err != nil {
		return
	}
	for _, line := range wrap(fmt.Sprintf(format, args...)) {
		if s.strong {
			line = strong.Replace(line)
		}
		if _, s.err = fmt.Fprintln(s.w, line); s.err != nil {
			return
		}
	}
}

const (
	width    = 80
	toEvents = 14 // where it is told what happens in a round, and why
)

// wrap breaks a text into lines of at most width columns, at spaces.
func wrap(text string) (lines []string) {
	text = strings.TrimRight(text, " ")
	indent := len(text) - len(strings.TrimLeft(text, " \n"))
	if strings.HasPrefix(text, "   round ") {
		indent = toEvents
	}
	for utf8.RuneCountInString(text) > width {
		at := strings.LastIndexByte(firstOf(text, width+1), ' ')
		if at <= indent {
			break // one long word
		}
		lines = append(lines, strings.TrimRight(text[:at], " "))
		text = strings.Repeat(" ", indent) + text[at+1:]
	}
	return append(lines, text)
}

// firstOf returns the first n characters of a longer text.
func firstOf(text string, n int) string {
	for i := range text {
		if n == 0 {
			return text[:i]
		}
		n--
	}
	return text
}

// counted is a number of things.
func counted(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

func (s *story) begin(c Config) {
	s.say("Bob's phone runs two processes on one %s store: the app, and its notification extension (NSE). "+
		"Alice writes to Bob; he answers from either, at any time. They are restarted, killed and stopped while they work: "+
		"%s as seed %d has them.", c.Engine, counted(c.Rounds, "round"), c.Seed)
}

func (s *story) chapter(n int, d design.Design) {
	s.before, s.told, s.lost, s.wedged, s.silent = nil, map[fate]int{}, 0, false, nil
	s.say("")
	s.say("%d. %s", n, d.Title)
	s.say("   %s", strings.Join(d.How, " "))
}

// round tells the first rounds in which something happened to a process, and the
// first in which a letter was lost, with those before it.
func (s *story) round(r round, lost []Loss, d design.Design) {
	line := fmt.Sprintf("round %3d  %s", r.number, event(r))
	if len(lost) > 0 {
		s.lose(line, r.fate, lost, d)
		return
	}
	if r.fate != lives && s.told[r.fate] < faults {
		s.told[r.fate]++
		s.before = nil
		s.say("   %s: read", line)
		return
	}
	s.before = append(s.before, line+": read")
	s.before = s.before[max(0, len(s.before)-shown):]
}

func (s *story) lose(line string, f fate, lost []Loss, d design.Design) {
	s.lost++
	first := s.lost == 1
	tell := func() { s.tellLoss(line, first, lost, d) }
	if s.lost > losses && (f != stop || s.told[stop] > 0) {
		s.silent = tell // unless the session turns out to be wedged
		return
	}
	s.silent = nil
	s.told[f]++
	tell()
}

func (s *story) tellLoss(line string, first bool, lost []Loss, d design.Design) {
	if first {
		for _, before := range s.before {
			s.say("   %s", before)
		}
	}
	s.before = nil
	s.say("   %s: %s", line, lostWord)
	for _, l := range lost {
		s.say("              the %s's: %s", l.Process, l.Error)
		for _, why := range l.Why {
			s.say("              %s", why)
		}
	}
	if first {
		for _, because := range d.Because {
			s.say("              %s", because)
		}
	}
}

// mended tells what a restart of both processes was good for. The first session
// that is wedged is told, whatever was told of the loss before.
func (s *story) mended(works bool) {
	switch {
	case s.silent != nil && (works || s.wedged):
	case works:
		s.say("              Both processes are restarted, and the session works again.")
	default:
		if s.silent != nil {
			s.silent()
		}
		s.wedged = true
		s.say("              Both processes are restarted, and the session still does not work: it is %s. Alice opens another.", wedgedWord)
	}
}

// event says what happens in a round.
func event(r round) string {
	var said []string
	victim := processName(r.victim)
	for _, who := range []int{r.victim, 1 - r.victim} {
		switch l := r.letters[who]; {
		case l == nil:
		case l.toBob:
			said = append(said, "Alice writes to the "+processName(who))
		default:
			said = append(said, "the "+processName(who)+" writes to Alice")
		}
	}
	text := strings.Join(said, " while ")
	switch r.fate {
	case restart:
		text = "the " + victim + " is restarted; " + text
	case kill:
		text += "; the " + victim + " is killed"
	case stop:
		text += "; the " + victim + " is stopped for " + stopFor.String()
	}
	return text
}

func processName(who int) string { return [...]string{"app", "NSE"}[who] }

func (s *story) summary(o Outcome) {
	s.say("   %s, %s, %s.", counted(o.Restarts, "restart"), counted(o.Kills, "kill"), counted(o.Stops, "stop"))
	switch {
	case o.Lost == 0 && o.holds:
		s.say("   Read: all of %s.", counted(o.Messages, "message"))
	case o.Lost == 0:
		s.say("   Read: all of %s. So few rounds show nothing: give more --rounds.", counted(o.Messages, "message"))
	default:
		s.say("   %s: %d of %s.", lostWord, o.Lost, counted(o.Messages, "message"))
	}
	if o.Wedged > 0 {
		s.say("   %s: %s.", wedgedWord, counted(o.Wedged, "session"))
	}
	if o.Reused > 0 {
		s.say("   %s: %s for a second ciphertext.", reusedWord, counted(o.Reused, "message key"))
	}
	for _, b := range o.Broken {
		s.say("   broken: %s", b)
	}
}
