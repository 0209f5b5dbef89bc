package interop_test

import (
	"testing"

	"github.com/pawlkv/pawl/internal/proof/interop"
	"pgregory.net/rapid"
)

// eachPair runs f for every ordered pair of implementations: who opens, who accepts.
func eachPair(t *testing.T, f func(t *testing.T, a, b interop.Implementation)) {
	for _, a := range interop.All() {
		for _, b := range interop.All() {
			t.Run(a.Name()+" opens to "+b.Name(), func(t *testing.T) { f(t, a, b) })
		}
	}
}

// TestSchedules lets chance decide who sends, what arrives, in which order and
// how often, and compares every answer with the model and with the other
// implementations in the same state. rapid prints how to replay a failure; the
// keys follow from the drawn seed.
func TestSchedules(t *testing.T) {
	reached := map[string]int{}
	eachPair(t, func(t *testing.T, a, b interop.Implementation) {
		rapid.Check(t, func(t *rapid.T) {
			defer interop.Seed(rapid.Uint64().Draw(t, "seed"))()
			s := scheduler{T: t, pair: newPair(t, a, b)}
			s.reached = reached
			s.send(s.alice)
			t.Repeat(map[string]func(*rapid.T){
				"send":      s.doSend,
				"burst":     s.doBurst,
				"jump":      s.doJump,
				"deliver":   s.doDeliver,
				"newest":    s.doNewest,
				"turns":     s.doTurns,
				"duplicate": s.doDuplicate,
				"tamper":    s.doTamper,
				"lose":      s.doLose,
			})
		})
	})
	if testing.Short() {
		return // rapid makes a fifth of the schedules then: too few to ask for all
	}
	for _, outcome := range []string{
		interop.Accepted.String(), interop.WrongMAC.String(), interop.KeyGone.String(),
		interop.Gap.String(), interop.UnknownChain.String(), onlyPawl,
	} {
		if reached[outcome] == 0 {
			t.Errorf("no schedule came to %q: %v", outcome, reached)
		}
	}
	t.Logf("outcomes: %v", reached)
}

// scheduler performs drawn actions on a pair. An action that is not possible
// does nothing.
type scheduler struct {
	*rapid.T
	*pair
}

// who draws a side that has a session.
func (s scheduler) who(t *rapid.T) *side {
	if s.bob.session == nil || rapid.Bool().Draw(t, "alice") {
		return s.alice
	}
	return s.bob
}

// to draws a side that something is on its way to, or returns nil.
func (s scheduler) to(t *rapid.T) *side {
	to := s.bob
	if rapid.Bool().Draw(t, "to alice") {
		to = s.alice
	}
	if len(to.pending) == 0 {
		to = s.other(to)
	}
	if len(to.pending) == 0 {
		return nil
	}
	return to
}

func (s scheduler) doSend(t *rapid.T) { s.send(s.who(t)) }

// doBurst sends enough to fill the skipped keys of a chain.
func (s scheduler) doBurst(t *rapid.T) {
	from := s.who(t)
	for range rapid.IntRange(2, 50).Draw(t, "burst") {
		s.send(from)
	}
}

// doJump loses messages up to the gap that is accepted, and one past it.
func (s scheduler) doJump(t *rapid.T) {
	if rapid.IntRange(0, 9).Draw(t, "jump seldom") > 0 {
		return
	}
	from := s.who(t)
	for range rapid.SampledFrom([]int{39, 40, 41, maxGap - 1, maxGap, maxGap + 1}).Draw(t, "jump") {
		s.lose(from)
	}
	s.send(from)
}

func (s scheduler) doDeliver(t *rapid.T) {
	if to := s.to(t); to != nil {
		s.take(to, rapid.IntRange(0, len(to.pending)-1).Draw(t, "message"))
	}
}

// doNewest delivers the newest message, which skips what is before it.
func (s scheduler) doNewest(t *rapid.T) {
	if to := s.to(t); to != nil {
		s.take(to, len(to.pending)-1)
	}
}

// doTurns lets the direction turn a few times, and leaves a message behind in
// every chain.
func (s scheduler) doTurns(t *rapid.T) {
	from := s.who(t)
	for range rapid.IntRange(1, 2*maxChains+3).Draw(t, "turns") {
		to := s.other(from)
		s.send(from)
		s.send(from)
		s.take(to, len(to.pending)-1)
		if to.session == nil {
			return
		}
		from = to
	}
}

// take delivers a message, which is then no longer on its way unless it was refused.
func (s scheduler) take(to *side, i int) {
	m := to.pending[i]
	if s.deliver(to, m) != interop.Gap {
		to.pending = append(append([]sent(nil), to.pending[:i]...), to.pending[i+1:]...)
	}
}

func (s scheduler) doDuplicate(t *rapid.T) {
	to := s.who(t)
	if len(to.seen) > 0 {
		s.deliver(to, to.seen[rapid.IntRange(0, len(to.seen)-1).Draw(t, "seen")])
	}
}

func (s scheduler) doTamper(t *rapid.T) {
	if to := s.to(t); to != nil {
		s.tampered(to, to.pending[rapid.IntRange(0, len(to.pending)-1).Draw(t, "tampered")])
	}
}

func (s scheduler) doLose(t *rapid.T) {
	if to := s.to(t); to != nil {
		i := rapid.IntRange(0, len(to.pending)-1).Draw(t, "lost")
		to.pending = append(append([]sent(nil), to.pending[:i]...), to.pending[i+1:]...)
	}
}
