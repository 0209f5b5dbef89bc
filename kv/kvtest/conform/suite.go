package conform

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/kvtest"
)

// Suite is what is to be tested.
type Suite struct {
	Program []string // its arguments after it
	Checks  string   // regular expressions with slashes between, as of go test -run; empty: all
	Verbose bool
	Shared  bool   // also what several processes do that have one store open
	Seed    uint64 // of the histories; 0 picks one

	// Patience is how long a call that should return may take; 0: what kvtest takes.
	Patience time.Duration
}

// All runs the checks as tests.
func (s Suite) All(t *testing.T) {
	for _, part := range s.parts() {
		t.Run(part.Name, part.F)
	}
}

func (s Suite) parts() []testing.InternalTest {
	opened := 0
	at := func(t testing.TB, dir string) kv.Store {
		opened++
		return Open(t, filepath.Join(dir, "store"), s.Program...)
	}
	var options []kvtest.Option
	if s.Patience != 0 {
		options = append(options, kvtest.Patience(s.Patience))
	}
	parts := []testing.InternalTest{
		{Name: "store", F: func(t *testing.T) {
			kvtest.Run(t, func(t testing.TB) kv.Store { return at(t, t.TempDir()) }, options...)
		}},
		{Name: "reopened", F: func(t *testing.T) { kvtest.RunReopen(t, at, options...) }},
	}
	if s.Shared {
		parts = append(parts, testing.InternalTest{Name: "shared", F: func(t *testing.T) { kvtest.RunShared(t, at, options...) }})
	}
	for i, part := range parts {
		parts[i].F = func(t *testing.T) {
			before := opened
			if part.F(t); opened == before {
				t.Errorf("no check of this part is called as %q says", s.Checks)
			}
		}
	}
	return parts
}

// none reports whether no part is called as Checks says. What it cannot tell is for
// the parts to find out.
func (s Suite) none() bool {
	for one := range strings.SplitSeq(s.Checks, "|") {
		first, _, _ := strings.Cut(one, "/")
		r, err := regexp.Compile(first)
		if err != nil || slices.ContainsFunc(s.parts(), func(part testing.InternalTest) bool { return r.MatchString(part.Name) }) {
			return false
		}
	}
	return true
}

// Main runs the suite, reports on standard output as go test does, and ends the
// process: with 0 if all checks passed, with 1 if one failed. Nothing else in the
// process may read the flags of the command line.
func (s Suite) Main() {
	if s.none() {
		fmt.Printf("no check is called as %q says: their names begin with store/, reopened/ or shared/\nFAIL\n", s.Checks)
		os.Exit(1)
	}
	testing.Init()
	args := []string{"-test.timeout=0", "-test.run=" + s.Checks, fmt.Sprintf("-kvtest.seed=%d", s.Seed)}
	if s.Verbose {
		args = append(args, "-test.v")
	}
	if err := flag.CommandLine.Parse(args); err != nil {
		panic(err) // of flags that are all there
	}
	match := func(pattern, name string) (bool, error) { return regexp.MatchString(pattern, name) }
	testing.Main(match, s.parts(), nil, nil)
}
