package story

import (
	"bufio"
	"fmt"
	"strconv"
	"strings"

	"github.com/pawlkv/pawl/txn"
)

// File is a program with the design it was run on and what came of it.
type File struct {
	Program
	Design string   // "pawl", or a name that the reader of the file knows
	Expect []Oracle // that fail
}

var policyNames = map[txn.CachePolicy]string{txn.NoCache: "no-cache", txn.Validated: "validated"}

// String is the text form: a line for each field and each actor.
//
//	design: stale
//	expect: key-reuse
//	seed: 17
//	cache: no-cache
//	talking: true
//	app = sync; send
//	bob = send
//	run: app*3 bob app/crash
//
// Steps are separated by semicolons; "app*3" is a decision taken three times,
// "app/crash" one with an action. Lines that begin with # are skipped.
func (f File) String() string {
	var b strings.Builder
	expect := make([]string, len(f.Expect))
	for i, o := range f.Expect {
		expect[i] = string(o)
	}
	fmt.Fprintf(&b, "design: %s\nexpect: %s\nseed: %d\ncache: %s\ntalking: %t\n",
		f.Design, strings.Join(expect, " "), f.Seed, policyNames[f.Policy], f.Talking)
	for _, a := range f.Actors {
		steps := make([]string, len(a.Ops))
		for i, op := range a.Ops {
			steps[i] = op.String()
		}
		fmt.Fprintf(&b, "%s = %s\n", a.Name, strings.Join(steps, "; "))
	}
	fmt.Fprintf(&b, "run: %s\n", formatDecisions(f.Decisions))
	return b.String()
}

// Parse reads the text form.
func Parse(text string) (File, error) {
	f := File{}
	f.Decisions = []Decision{}
	lines := bufio.NewScanner(strings.NewReader(text))
	lines.Buffer(nil, 1<<20)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		if err := f.parseLine(line); err != nil {
			return f, fmt.Errorf("story: line %d: %w", n, err)
		}
	}
	if f.Design == "" {
		return f, fmt.Errorf("story: no design")
	}
	return f, lines.Err()
}

func (f *File) parseLine(line string) error {
	if name, steps, ok := strings.Cut(line, " ="); ok {
		ops, err := parseOps(strings.TrimSpace(steps))
		f.Actors = append(f.Actors, Actor{name, ops})
		return err
	}
	field, value, _ := strings.Cut(line, ":")
	value = strings.TrimSpace(value)
	var err error
	switch field {
	case "design":
		f.Design = value
	case "expect":
		for _, o := range strings.Fields(value) {
			f.Expect = append(f.Expect, Oracle(o))
		}
	case "seed":
		f.Seed, err = strconv.ParseUint(value, 10, 64)
	case "cache":
		if f.Policy = txn.NoCache; value == policyNames[txn.Validated] {
			f.Policy = txn.Validated
		}
	case "talking":
		f.Talking, err = strconv.ParseBool(value)
	case "run":
		f.Decisions, err = parseDecisions(value)
	default:
		err = fmt.Errorf("unknown field %q", field)
	}
	return err
}

func parseOps(text string) ([]Op, error) {
	if text == "" {
		return nil, nil // an actor that only is there when all becomes quiet
	}
	var ops []Op
	for step := range strings.SplitSeq(text, ";") {
		kind, number, counted := strings.Cut(strings.TrimSpace(step), " ")
		op := Op{Kind: Kind(kind)}
		if counted {
			n, err := strconv.Atoi(number)
			if err != nil {
				return nil, fmt.Errorf("step %q: %w", step, err)
			}
			op.N = n
		}
		ops = append(ops, op)
	}
	return ops, nil
}

func parseDecisions(text string) ([]Decision, error) {
	all := []Decision{}
	for word := range strings.FieldsSeq(text) {
		what, times, counted := strings.Cut(word, "*")
		n := 1
		if counted {
			var err error
			if n, err = strconv.Atoi(times); err != nil {
				return nil, fmt.Errorf("decision %q: %w", word, err)
			}
		}
		name, action, _ := strings.Cut(what, "/")
		for range n {
			all = append(all, Decision{name, Action(action)})
		}
	}
	return all, nil
}
