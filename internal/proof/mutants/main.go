// Command mutants breaks Pawl on purpose, in one place at a time, and expects a
// test to fail for each: tests that cannot fail prove nothing. Run it from the
// top of the repository:
//
//	go run ./internal/proof/mutants [-only text] [-timeout 5m]
//
// The tree is not touched: the go command is given the broken file as an
// overlay. It exits 1 if a mutant survives, or no longer fits the code.
package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// mutant is one change that must not go unnoticed.
type mutant struct {
	name string // what the broken program does
	file string
	old  string // occurs exactly once in file
	new  string
	test string   // pattern for -run, "" for all
	pkgs []string // whose tests must notice
}

func main() {
	only := flag.String("only", "", "run the mutants whose name contains this text")
	timeout := flag.Duration("timeout", 5*time.Minute, "for the tests of one mutant")
	flag.Parse()
	alive := 0
	for _, m := range mutants {
		if !strings.Contains(m.name, *only) {
			continue
		}
		verdict, ok := m.try(*timeout)
		if !ok {
			alive++
		}
		fmt.Printf("%-9s %-70s %s\n", verdict, m.name, m.file)
	}
	if alive > 0 {
		fmt.Printf("%d mutants were not killed\n", alive)
		os.Exit(1)
	}
}

// try runs the tests against the mutant, and reports whether they failed.
func (m mutant) try(timeout time.Duration) (verdict string, killed bool) {
	dir, err := os.MkdirTemp("", "mutant")
	if err != nil {
		return err.Error(), false
	}
	defer os.RemoveAll(dir)
	overlay, err := m.overlay(dir)
	if err != nil {
		return "MISFIT: " + err.Error(), false
	}
	args := []string{"test", "-count=1", "-overlay", overlay, "-timeout", timeout.String()}
	if m.test != "" {
		args = append(args, "-run", m.test)
	}
	cmd := exec.Command("go", append(args, m.pkgs...)...)
	cmd.Env = append(os.Environ(), "PAWL_MUTANT=1") // tests keep no failing cases
	out, err := cmd.CombinedOutput()
	switch {
	case err == nil:
		return "SURVIVED", false
	case bytes.Contains(out, []byte("[build failed]")), bytes.Contains(out, []byte("[setup failed]")):
		return "MISFIT: " + string(out), false
	}
	return "killed", true
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
