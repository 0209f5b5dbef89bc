// Command mutants breaks Pawl on purpose, in one place at a time, and expects a
// test to fail for each: tests that cannot fail prove nothing. Run it from the
// top of the repository:
//
//	go run ./internal/proof/mutants [-only text] [-timeout 5m]
//
// A mutant is caught early if the tests of its packages fail with -short, which
// is what somebody runs while working; otherwise all that they can must do.
//
// What is unbroken must pass with -short first: a test that fails anyway proves
// nothing. The tree is not touched: the go command is given the broken file as an
// overlay. It exits 1 if a mutant survives, or no longer fits the code, or if
// fewer than three quarters are caught early.
package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// mutant is one change that must not go unnoticed.
type mutant struct {
	name string // what the broken program does
	file string
	old  string // occurs exactly once in file
	new  string
	test string   // pattern for -run without -short, "" for all
	dir  string   // of the nested module whose tests must notice; "": of none
	web  string   // pattern for the tests that run in a browser, "" for all
	pkgs []string // whose tests must notice
}

// subjects are the mutants, by what they break. All that break one package stand in
// one file, which is named after it or after what it belongs to; those that a homeserver
// must see are in lives.go.
var subjects = [][]mutant{
	kvMutants, badgerMutants, sqliteMutants, browserMutants, postgresMutants, etcdMutants, shareMutants, txnMutants, olmMutants,
	groupMutants,
	recordMutants, toDeviceMutants, keyMutants, deviceMutants, roomKeyMutants, roomMutants,
	receiveMutants, unwedgeMutants, importMutants, lineageMutants, commandMutants, lifeMutants,
}

func main() {
	only := flag.String("only", "", "run the mutants whose name or file contains this text")
	timeout := flag.Duration("timeout", 5*time.Minute, "for the tests of one mutant")
	flag.Parse()
	asked := slices.DeleteFunc(slices.Concat(subjects...), func(m mutant) bool {
		return !strings.Contains(m.name, *only) && !strings.Contains(m.file, *only)
	})
	if why := unbroken(asked); why != "" {
		fmt.Printf("the tests fail without a mutant:\n%s", why)
		os.Exit(1)
	}
	var all tally
	for _, m := range asked {
		began := time.Now()
		v, detail := m.try(*timeout)
		all[v]++
		fmt.Printf("%-9s %-70s %s (%.0f s)%s\n", v, m.name, m.file, time.Since(began).Seconds(), detail)
	}
	if !all.report(*only == "") {
		os.Exit(1)
	}
}

// unbroken returns why the packages of the mutants do not pass as they are.
func unbroken(asked []mutant) (why string) {
	var pkgs []string
	nested := map[string]mutant{}
	for _, m := range asked {
		if m.dir == "" {
			pkgs = append(pkgs, m.pkgs...)
		} else {
			nested[m.dir+m.test+m.web] = m
		}
	}
	if len(pkgs) > 0 {
		slices.Sort(pkgs)
		out, err := exec.Command("go", append([]string{"test", "-short", "-count=1"}, slices.Compact(pkgs)...)...).CombinedOutput()
		if err != nil {
			return string(out)
		}
	}
	for _, m := range nested {
		out, err := m.command("-count=1", "-run", m.test).CombinedOutput()
		if err != nil {
			return string(out)
		}
	}
	return ""
}

// verdict is what became of a mutant.
type verdict int

const (
	early verdict = iota // killed with -short
	late
	survived
	misfit
	verdicts
)

// String implements fmt.Stringer.
func (v verdict) String() string { return [verdicts]string{"early", "late", "SURVIVED", "MISFIT"}[v] }

// tally counts mutants by verdict.
type tally [verdicts]int

// report prints the tally, and returns whether it is good. The share that is
// caught early is asked for if there are all.
func (t tally) report(whole bool) bool {
	tried := t[early] + t[late] + t[survived] + t[misfit]
	fmt.Printf("%d of %d mutants were killed, %d of them early: %d%%\n",
		t[early]+t[late], tried, t[early], 100*t[early]/max(tried, 1))
	if alive := t[survived] + t[misfit]; alive > 0 {
		fmt.Printf("%d mutants were not killed\n", alive)
		return false
	}
	if whole && 4*t[early] < 3*tried {
		fmt.Println("fewer than three quarters were caught early")
		return false
	}
	return true
}

// try runs the tests against the mutant, first as one does while working.
func (m mutant) try(timeout time.Duration) (v verdict, detail string) {
	dir, err := os.MkdirTemp("", "mutant")
	if err != nil {
		return misfit, ": " + err.Error()
	}
	defer os.RemoveAll(dir)
	overlay, err := m.overlay(dir)
	if err != nil {
		return misfit, ": " + err.Error()
	}
	args := []string{"-count=1", "-failfast", "-overlay", overlay, "-timeout", timeout.String()}
	// Those of a nested module are not what somebody runs while working.
	if m.dir == "" {
		if failed, why := m.tests(append(args, "-short")); failed || why != "" {
			return ifFailed(early, why)
		}
	}
	if m.test != "" {
		args = append(args, "-run", m.test)
	}
	if failed, why := m.tests(args); failed || why != "" {
		return ifFailed(late, why)
	}
	return survived, ""
}

func ifFailed(v verdict, why string) (verdict, string) {
	if why != "" {
		return misfit, why
	}
	return v, ""
}

// tests runs tests, and reports whether they fail, or why they could not begin.
func (m mutant) tests(args []string) (failed bool, misfit string) {
	out, err := m.command(args...).CombinedOutput()
	switch {
	case err == nil:
		return false, ""
	case bytes.Contains(out, []byte("[build failed]")), bytes.Contains(out, []byte("[setup failed]")):
		return false, ": " + string(out)
	}
	return true, ""
}

// command is go test, with arguments and the packages. The module of clients has
// mautrix-go in it, and is built without C, as in the Makefile.
func (m mutant) command(args ...string) *exec.Cmd {
	args = append([]string{"test"}, args...)
	if m.dir == clients {
		args = append(args, "-tags", "goolm", "-clients.all")
	}
	cmd := exec.Command("go", append(args, m.pkgs...)...)
	cmd.Dir = m.dir
	cmd.Env = append(os.Environ(), "PAWL_MUTANT=1") // tests keep no failing cases
	switch m.dir {
	case clients:
		cmd.Env = append(cmd.Env, "CGO_ENABLED=0")
	case webTests: // builds what runs in the browser
		cmd.Env = append(cmd.Env, "PAWL_WEB=1", "PAWL_WEB_RUN="+m.web)
		if i := slices.Index(args, "-overlay"); i >= 0 {
			cmd.Env = append(cmd.Env, "PAWL_OVERLAY="+args[i+1])
		}
	}
	return cmd
}

// overlay writes the broken file and the description of it that go test takes.
func (m mutant) overlay(dir string) (string, error) {
	path, err := filepath.Abs(m.file)
	if err != nil {
		return "", err
	}
	source, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	if n := strings.Count(string(source), m.old); n != 1 {
		return "", fmt.Errorf("%q occurs %d times", m.old, n)
	}
	broken := filepath.Join(dir, filepath.Base(path))
	if err := os.WriteFile(broken, []byte(strings.Replace(string(source), m.old, m.new, 1)), 0o600); err != nil {
		return "", err
	}
	description, err := json.Marshal(map[string]map[string]string{"Replace": {path: broken}})
	if err != nil {
		return "", err
	}
	name := filepath.Join(dir, "overlay.json")
	return name, os.WriteFile(name, description, 0o600)
}
