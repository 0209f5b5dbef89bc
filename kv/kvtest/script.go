package kvtest

import (
	"bufio"
	"embed"
	"fmt"
	"path"
	"strings"
	"testing"
)

// A script is a history of a few transactions in a fixed order, one step a
// line:
//
//	setup x=1 y=2            commits entries; at any place, but mostly first
//	T1 get x y -> 1 -        reads keys; a dash is an absent entry, "" an empty value
//	T1 scan a/ -> a/b=1      reads a prefix; nothing after the arrow: no entries
//	T1 put x=3               adds a write
//	T1 delete x              adds a deletion
//	T1 commit -> ok          checks all that was read and applies the writes
//	T1 commit -> conflict x a/*
//	                         is refused; some of these keys and prefixes are named
//	final x=3 y=2            the whole content of the store
//
// A transaction begins with its first step and again with the first after a
// commit. Its first read fixes its view. Lines that begin with # are comments.

//go:embed testdata/isolation
var scripts embed.FS

// scriptDir is where the scripts are.
const scriptDir = "testdata/isolation"

// step is one line.
type step struct {
	line int
	who  string   // T1; empty for setup and final
	verb string   // get
	args []string // what stands before the arrow
	want []string // what stands after it
}

// isolationChecks loads all scripts. To find none, or one that says nothing
// about how it ends, is a failure.
func isolationChecks(t testing.TB) []check {
	t.Helper()
	files, err := scripts.ReadDir(scriptDir)
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts in %s: %v", scriptDir, err)
	}
	list := make([]check, 0, len(files))
	for _, file := range files {
		text, err := scripts.ReadFile(path.Join(scriptDir, file.Name()))
		if err != nil {
			t.Fatal(err)
		}
		steps, err := parseScript(string(text))
		if err != nil {
			t.Fatalf("%s: %v", file.Name(), err)
		}
		name := strings.TrimSuffix(file.Name(), path.Ext(file.Name()))
		list = append(list, check{"isolation/" + name, func(e *env) { play(e, file.Name(), steps) }})
	}
	return list
}

func parseScript(text string) ([]step, error) {
	var steps []step
	lines := bufio.NewScanner(strings.NewReader(text))
	for number := 1; lines.Scan(); number++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		parsed, err := parseStep(line)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
		parsed.line = number
		steps = append(steps, parsed)
	}
	if len(steps) == 0 || steps[len(steps)-1].verb != "final" {
		return nil, fmt.Errorf("the last step must be final")
	}
	return steps, nil
}

func parseStep(line string) (step, error) {
	before, after, arrow := strings.Cut(line, "->")
	words := strings.Fields(before)
	s := step{verb: words[0], args: words[1:], want: strings.Fields(after)}
	if s.verb == "setup" || s.verb == "final" {
		return s, checkPairs(s.args)
	}
	if len(s.args) == 0 {
		return s, fmt.Errorf("%q: no step", line)
	}
	s.who, s.verb, s.args = s.verb, s.args[0], s.args[1:]
	if needs := s.verb == "get" || s.verb == "scan" || s.verb == "commit"; needs != arrow {
		return s, fmt.Errorf("%q: an arrow and what is expected: %v, want %v", line, arrow, needs)
	}
	return s, s.checkArgs()
}

func (s step) checkArgs() error {
	ok := false
	switch s.verb {
	case "get":
		ok = len(s.args) > 0 && len(s.want) == len(s.args)
	case "scan":
		if len(s.args) == 1 {
			return checkPairs(s.want)
		}
	case "put":
		if len(s.args) > 0 {
			return checkPairs(s.args)
		}
	case "delete":
		ok = len(s.args) > 0
	case "commit":
		ok = len(s.args) == 0 && (len(s.want) == 1 && s.want[0] == "ok" || len(s.want) > 1 && s.want[0] == "conflict")
	}
	if !ok {
		return fmt.Errorf("%s %s %q -> %q: not a step", s.who, s.verb, s.args, s.want)
	}
	return nil
}

func checkPairs(words []string) error {
	for _, word := range words {
		if !strings.Contains(word, "=") {
			return fmt.Errorf("%q: want key=value", word)
		}
	}
	return nil
}
