package demo

import (
	"fmt"
	"io"
	"strings"

	"github.com/pawlkv/pawl/bench/design"
)

const (
	shown  = 4 // rounds before the first loss
	faults = 2 // of each kind that are told
	losses = 3 // that are told, and one while a process was stopped
)

// story tells what happens. It stops at the first error of its writer.
type story struct {
	w      io.Writer
	err    error
	before []string // the rounds since the last that was told, the last of them
	told   map[fate]int
	lost   int  // rounds with losses
	silent bool // of the last loss nothing was told
}

func (s *story) say(format string, args ...any) {
	if s.err == nil {
		_, s.err = fmt.Fprintln(s.w, strings.TrimRight(fmt.Sprintf(format, args...), " "))
	}
}

func (s *story) begin(c Config) {
	s.say("Bob's phone runs two processes on one %s store: the app, and its notification", c.Engine)
	s.say("extension (NSE). Alice writes to Bob; he answers from either, at any time. They are")
	s.say("restarted, killed and stopped while they work: %d rounds as seed %d has them.", c.Rounds, c.Seed)
}

func (s *story) chapter(n int, d design.Design) {
	s.before, s.told, s.lost, s.silent = nil, map[fate]int{}, 0, false
	s.say("\n%d. %s", n, d.Title)
	for _, line := range d.How {
		s.say("   %s", line)
	}
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
	s.silent = s.lost > losses && (f != stop || s.told[stop] > 0)
	if s.silent {
		return
	}
	s.told[f]++
	if s.lost == 1 {
		for _, before := range s.before {
			s.say("   %s", before)
		}
	}
	s.before = nil
	s.say("   %s: LOST", line)
	for _, l := range lost {
		s.say("              the %s's: %s", l.Process, l.Error)
		for _, why := range l.Why {
			s.say("              %s", why)
		}
	}
	if s.lost == 1 {
		for _, because := range d.Because {
			s.say("              %s", because)
		}
	}
}

// mended tells what a restart of both processes was good for.
func (s *story) mended(works bool) {
	switch {
	case s.silent:
	case works:
		s.say("              Both processes are restarted, and the session works again.")
	default:
		s.say("              Both processes are restarted, and the session still does not work: it is")
		s.say("              WEDGED. Alice opens another.")
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
	s.say("   %d restarts, %d kills, %d stops.", o.Restarts, o.Kills, o.Stops)
	switch {
	case o.Lost == 0 && o.holds:
		s.say("   All %d messages were read.", o.Messages)
	case o.Lost == 0:
		s.say("   All %d messages were read: so few rounds show nothing, give more --rounds.", o.Messages)
	default:
		s.say("   In all %d of %d messages were lost.", o.Lost, o.Messages)
	}
	if o.Wedged > 0 {
		s.say("   Sessions that were wedged: %d.", o.Wedged)
	}
	if o.Reused > 0 {
		s.say("   Ciphertexts that left under a message key used before: %d.", o.Reused)
	}
	for _, b := range o.Broken {
		s.say("   broken: %s", b)
	}
}
