package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"time"
)

// suite is tests that say whether what the engines rest on is still so.
type suite struct {
	name  string
	tests string   // a pattern for -run, which finds some in each package
	pkgs  []string // from the top of the repository
}

var suites = []suite{
	{"power", "Power|Sync|InTheFiles|Unsynced", []string{"./kv/badgerkv", "./kv/sqlitekv"}},
	{"damage", "Damage|Cut|Missing|BrokenOff|LostTail", []string{"./kv/badgerkv", "./kv/sqlitekv", "./internal/proof/aftermath"}},
	{"conformance", "Conformance", []string{"./kv/memkv", "./kv/badgerkv", "./kv/sqlitekv"}},
}

// result is what a suite said.
type result struct {
	suite
	ran    int // tests at the top
	failed []string
	silent []string // packages in which no test ran
	built  bool
	took   time.Duration
	text   string // of what failed
}

func (r result) passed() bool { return r.built && len(r.failed) == 0 && len(r.silent) == 0 }

// String implements fmt.Stringer.
func (r result) String() string {
	took := r.took.Round(time.Second)
	switch {
	case !r.built:
		return fmt.Sprintf("%s: DOES NOT BUILD\n%s", r.name, r.text)
	case len(r.failed) > 0:
		return fmt.Sprintf("%s: FAILED, %s of %d tests, %v\n%s", r.name, strings.Join(r.failed, ", "), r.ran, took, r.text)
	case len(r.silent) > 0:
		return fmt.Sprintf("%s: NO TESTS in %s", r.name, strings.Join(r.silent, ", "))
	}
	return fmt.Sprintf("%s: passed, %d tests, %v", r.name, r.ran, took)
}

// event is a line of go test -json.
type event struct{ Action, Package, Test, Output string }

func (s suite) run(ctx context.Context, m modfile) (result, error) {
	began := time.Now()
	cmd := m.command(ctx, append([]string{"test", "-json", "-count=1", "-timeout", "30m", "-run", s.tests}, s.pkgs...)...)
	out, err := cmd.Output()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		return result{}, err
	}
	r, err := s.read(bytes.NewReader(out))
	r.took = time.Since(began)
	return r, err
}

// read sums up what go test -json has written.
func (s suite) read(out io.Reader) (result, error) {
	r := result{suite: s, built: true}
	ran := map[string]int{}
	for dec := json.NewDecoder(out); ; {
		var e event
		err := dec.Decode(&e)
		switch {
		case errors.Is(err, io.EOF):
			for pkg, tests := range ran {
				if r.ran += tests; tests == 0 {
					r.silent = append(r.silent, pkg)
				}
			}
			return r, nil
		case err != nil:
			return r, err
		}
		r.add(e, ran)
	}
}

func (r *result) add(e event, ran map[string]int) {
	top := e.Test != "" && !strings.Contains(e.Test, "/")
	switch e.Action {
	case "build-fail":
		r.built = false
	case "build-output":
		r.text += e.Output
	case "start":
		ran[e.Package] += 0
	case "output":
		if strings.Contains(e.Output, "_test.go:") || strings.Contains(e.Output, "panic:") {
			r.text += e.Output
		}
	case "pass":
		if top {
			ran[e.Package]++
		}
	case "fail":
		switch {
		case top:
			ran[e.Package]++
			r.failed = append(r.failed, e.Test)
		case e.Test == "" && len(r.failed) == 0: // a panic, or it took too long
			r.failed = append(r.failed, e.Package)
		}
	}
}
