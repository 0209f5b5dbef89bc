package kvtest

import (
	"bufio"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/pawlkv/pawl/vectors"
)

// Scripts returns what the suite tests as data, one promise a file: a directory for
// each part of the suite, for engines in other languages. docs/port/kv-scripts.md has
// their language.
func Scripts() fs.FS { return vectors.Scripts() }

// step is one line.
type step struct {
	line  int
	who   string     // T1; empty where nobody in particular does it
	store int        // of several, the one that it goes through; 0: the first
	verb  string     // get
	args  []string   // what stands before the arrow
	want  [][]string // what stands after it; several where engines may differ
}

// scripted loads the scripts of a part as checks. To find none, or one that says
// nothing about how it ends, is a failure.
func scripted(t testing.TB, part string) []check {
	t.Helper()
	scripts := Scripts()
	files, err := fs.ReadDir(scripts, part)
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts in vectors/kv/%s: %v", part, err)
	}
	list := make([]check, 0, len(files))
	for _, file := range files {
		name := path.Join(part, file.Name())
		text, err := fs.ReadFile(scripts, name)
		if err != nil {
			t.Fatal(err)
		}
		steps, err := parseScript(string(text))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		list = append(list, check{strings.TrimSuffix(name, path.Ext(name)), func(e *env) { play(e, name, steps) }})
	}
	return list
}

func parseScript(text string) ([]step, error) {
	var steps []step
	kinds := 1
	lines := bufio.NewScanner(strings.NewReader(text))
	for number := 1; lines.Scan(); number++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		s, err := parseStep(line)
		if n := len(s.want); err == nil && n > 1 {
			if kinds > 1 && n != kinds {
				err = fmt.Errorf("%d things are expected, %d on a line before", n, kinds)
			}
			kinds = n
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
		s.line = number
		steps = append(steps, s)
	}
	if len(steps) == 0 || !slices.Contains([]string{"final", "ends"}, steps[len(steps)-1].verb) {
		return nil, fmt.Errorf("the last step must be final or ends")
	}
	return steps, nil
}

// parseStep reads a line. Its first word is a verb or somebody's name.
func parseStep(line string) (step, error) {
	before, after, arrow := strings.Cut(line, "->")
	words := strings.Fields(before)
	s := step{verb: words[0], args: words[1:]}
	if f, known := forms[s.verb]; !known || f.who {
		if len(s.args) == 0 {
			return s, fmt.Errorf("%q: no step", line)
		}
		name, number, several := strings.Cut(s.verb, "@")
		s.who, s.verb, s.args = name, s.args[0], s.args[1:]
		if several {
			if s.store, _ = strconv.Atoi(number); s.store < 1 {
				return s, fmt.Errorf("%q: which store?", line)
			}
		}
	}
	if s.verb == "final" { // without an arrow: all of it is expected
		after, arrow, s.args = strings.TrimPrefix(line, s.verb), true, nil
	}
	if arrow {
		for alternative := range strings.SplitSeq(after, "|") {
			s.want = append(s.want, strings.Fields(alternative))
		}
	}
	return s, s.check(line)
}

// check tells whether the step has the form of its verb.
func (s step) check(line string) error {
	f, known := forms[s.verb]
	switch {
	case !known || f.who != (s.who != ""):
		return fmt.Errorf("%q: not a step", line)
	case f.want != (len(s.want) > 0):
		return fmt.Errorf("%q: an arrow and what is expected: %v, want %v", line, len(s.want) > 0, f.want)
	case !f.args(s.args):
		return fmt.Errorf("%q: not a step", line)
	}
	for _, want := range s.want {
		if !f.expects(s.args, want) {
			return fmt.Errorf("%q: not what may be expected", line)
		}
	}
	return nil
}
