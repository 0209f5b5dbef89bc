package story

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// Decision lets one actor proceed to its next call on the store.
type Decision struct {
	Actor  string
	Action Action
}

// Action is what becomes of the actor, or of the call that it is about to make.
type Action string

// The actions.
const (
	Go          Action = ""            // the call is made
	Crash       Action = "crash"       // the actor's process is gone
	Unavailable Action = "unavailable" // the call is not made: kv.ErrUnavailable
	Lost        Action = "lost"        // the commit is not made: kv.ErrUnknown
	Late        Action = "late"        // the commit is made later: kv.ErrUnknown
	Applied     Action = "applied"     // the commit was made: kv.ErrUnknown
	Expire      Action = "expire"      // the oldest turn ends, the actor goes on
)

func (d Decision) String() string {
	if d.Action == Go {
		return d.Actor
	}
	return d.Actor + "/" + string(d.Action)
}

// moment is where an actor waits.
type moment int

const (
	betweenSteps moment = iota
	beforeRead
	beforeCommit
	afterCommit
	waiting // for a turn, or between attempts
)

// faults are the actions that make sense at a moment, beside Go and Expire.
var faults = map[moment][]Action{
	betweenSteps: {Crash},
	beforeRead:   {Crash, Unavailable},
	beforeCommit: {Crash, Unavailable, Lost, Late},
	afterCommit:  {Crash, Applied, Applied},
	waiting:      {Crash},
}

const (
	mostFaults  = 3  // of one run: with more, little is left to go wrong by itself
	faultOdds   = 25 // one decision in so many is a fault
	expiryOdds  = 50 // one decision in so many ends a turn
	mostStaying = 4  // an actor is left running for so many decisions on average, at most
)

// tape gives the decisions of a run: those it was given, then random ones, or,
// with no randomness, the dullest.
type tape struct {
	given  []Decision
	taken  []Decision
	random *rand.Rand // nil: none
	stay   int        // one decision in so many switches the actor
	faults int
	last   *actor
}

func newTape(p Program) *tape {
	t := &tape{given: p.Decisions}
	if p.Decisions == nil {
		t.random = newChoices(p.Seed, choiceStream)
		t.stay = 1 + t.random.IntN(mostStaying)
	}
	return t
}

// next decides which of the actors, at least one, proceeds and how.
func (t *tape) next(ready []*actor) (*actor, Action) {
	a, action := t.replay(ready)
	if a == nil {
		a, action = t.choose(ready)
	}
	t.last = a
	t.taken = append(t.taken, Decision{a.name, action})
	return a, action
}

// replay returns the next given decision that can be taken, or nil.
func (t *tape) replay(ready []*actor) (*actor, Action) {
	for len(t.given) > 0 {
		d := t.given[0]
		t.given = t.given[1:]
		for _, a := range ready {
			if a.name == d.Actor {
				return a, d.Action
			}
		}
	}
	return nil, Go
}

func (t *tape) choose(ready []*actor) (*actor, Action) {
	stay := slices.Contains(ready, t.last)
	if t.random == nil {
		if stay {
			return t.last, Go
		}
		return ready[0], Go
	}
	a := t.last
	if !stay || t.random.IntN(t.stay) == 0 {
		a = ready[t.random.IntN(len(ready))]
	}
	return a, t.fault(a)
}

func (t *tape) fault(a *actor) Action {
	if t.random.IntN(expiryOdds) == 0 {
		return Expire
	}
	if a.handle == nil || t.faults == mostFaults || t.random.IntN(faultOdds) != 0 {
		return Go
	}
	t.faults++
	options := faults[a.at]
	return options[t.random.IntN(len(options))]
}

// formatDecisions writes runs of one decision as "app*3".
func formatDecisions(all []Decision) string {
	var words []string
	for i := 0; i < len(all); {
		n := 1
		for i+n < len(all) && all[i+n] == all[i] {
			n++
		}
		word := all[i].String()
		if n > 1 {
			word = fmt.Sprintf("%s*%d", word, n)
		}
		words = append(words, word)
		i += n
	}
	return strings.Join(words, " ")
}
