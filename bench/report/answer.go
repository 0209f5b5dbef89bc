package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/pawlkv/pawl/bench/design"
	"github.com/pawlkv/pawl/bench/result"
)

// Answer is what having no cache costs on one engine: how many times the
// validated cache's time and CPU it takes.
type Answer struct {
	Group  Group
	Engine string
	Time   Spread
	CPU    Spread // no N where CPU cannot be told
	// NoCache is what a message takes without a cache, in nanoseconds.
	NoCache Spread
	Durable string // what is on disk when the call returns
}

// Answers finds all places where the two were run in turn, the one that answers
// the question best first: decrypting, one message a commit, on Badger in
// process, in the fewest sessions.
func Answers(r result.Result) []Answer {
	var answers []Answer
	for _, none := range r.Rows {
		if !isPawl(none, design.NameNone) {
			continue
		}
		for _, cached := range r.Rows {
			if isPawl(cached, design.NameValidated) && sameButDesign(none, cached) {
				answers = append(answers, answer(none, cached))
			}
		}
	}
	slices.SortStableFunc(answers, func(a, b Answer) int { return cmp.Compare(a.remoteness(), b.remoteness()) })
	return answers
}

func isPawl(row result.Row, name string) bool {
	return row.System == pawlSystem && row.Design == name && row.Missing == ""
}

// isOurs tells the two designs whose difference is the question.
func isOurs(row result.Row) bool {
	return isPawl(row, design.NameNone) || isPawl(row, design.NameValidated)
}

func sameButDesign(a, b result.Row) bool {
	k, l := KeyOf(a), KeyOf(b)
	k.Design, l.Design = "", ""
	return k == l
}

func answer(none, cached result.Row) Answer {
	return Answer{
		Group: GroupOf(none), Engine: none.Engine, Durable: none.Durable,
		Time:    Measure(TimePerMessage).Ratio(none, cached),
		CPU:     Measure(CPUPerMessage).Ratio(none, cached),
		NoCache: Measure(TimePerMessage).Of(none),
	}
}

// remoteness grows with the distance from the plainest case.
func (a Answer) remoteness() int {
	n := 0
	for i, far := range []bool{
		a.Group.Params.Acknowledge > 0, a.Group.Params.PeerSessions > 1, a.Group.Params.PeerSessions > 0,
		a.Group.Params.Sessions > 1_000, a.Group.Params.Sessions > 1, a.Group.Params.Processes > 1,
		a.Group.Params.Batch > 1, a.Engine != result.Badger, a.Group.Workload != result.Decrypt,
	} {
		if far {
			n += 1 << i
		}
	}
	return n
}

// Sentence is the answer to what having no cache costs.
func (a Answer) Sentence() string {
	cost := "time " + times(a.Time)
	if a.CPU.N > 0 {
		cost += ", CPU " + times(a.CPU)
	}
	return fmt.Sprintf("Without a cache, beside a validated one: %s. A message takes %s on %s (%s).", cost, nanoseconds(a.NoCache.Median), engineTitle(a.Engine), a.Group.Words())
}

// clientCalls are the calls of a whole client, with how many messages each is about.
var clientCalls = []struct {
	workload string
	what     func(messages int) string
	messages func(result.Params) int
}{
	{result.Sync, func(n int) string { return fmt.Sprintf("a sync with %d room keys", n) }, func(p result.Params) int { return p.Batch }},
	{result.Share, func(n int) string { return fmt.Sprintf("a room key for %d devices", n) }, func(p result.Params) int { return p.Peers }},
	{result.Room, func(int) string { return "a message of a room" }, func(result.Params) int { return 1 }},
}

// Client is the answer for a whole client: what its calls cost, and what two
// processes of each design get wrong of them. "" where it was not measured. A quick
// run has none.
func Client(r result.Result) string {
	if r.Quick {
		return ""
	}
	return strings.Join(present(clientCost(r), clientWrong(r)), " ")
}

// clientCost tells what the calls of a client cost on Badger.
func clientCost(r result.Result) string {
	answers := Answers(r)
	var parts []string
	for _, c := range clientCalls {
		i := slices.IndexFunc(answers, func(a Answer) bool {
			return a.Group.Workload == c.workload && a.Engine == result.Badger && a.Group.Params.Processes == 1
		})
		if i < 0 {
			continue
		}
		a := answers[i]
		n := c.messages(a.Group.Params)
		parts = append(parts, fmt.Sprintf("%s takes %s, %s", c.what(n), nanoseconds(a.NoCache.Median*float64(n)), times(a.Time)))
	}
	if len(parts) == 0 {
		return ""
	}
	return "A whole client without a cache, on Badger in the process, and its time beside a validated one: " + strings.Join(parts, "; ") + "."
}

// clientWrong counts what went wrong with each design.
func clientWrong(r result.Result) string {
	var wrong, right []string
	for _, f := range FaultsOf(r, true) {
		n := 0
		for _, kind := range f.Faults() {
			n += kind.Count
		}
		if n == 0 {
			right = append(right, f.Title)
			continue
		}
		wrong = append(wrong, fmt.Sprintf("%s %.0f", f.Title, 1000*float64(n)/float64(f.Messages)))
	}
	if len(wrong) == 0 {
		return ""
	}
	said := "By two processes in turn, so many faults to 1,000 keys and messages: " + strings.Join(wrong, "; ")
	if len(right) > 0 {
		said += "; and none with " + strings.Join(right, "; ")
	}
	return said + "."
}

// noAnswer is the sentence of a run that measured something else.
const noAnswer = "This run does not say what having no cache costs: it has no rows of both designs."

// quickAnswer is the sentence of a run that is too short for one.
const quickAnswer = "This quick run shows that everything works. What having no cache costs it cannot say: a run without --quick can."

// Headline is the first answer's sentence.
func Headline(r result.Result) string {
	if r.Quick {
		return quickAnswer
	}
	if answers := Answers(r); len(answers) > 0 {
		return answers[0].Sentence()
	}
	return noAnswer
}
