package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestMutantsFit: whoever moves or rewrites what a mutant breaks hears of it at
// once, and not when all of them are run.
func TestMutantsFit(t *testing.T) {
	t.Chdir("../../..")
	names := map[string]bool{}
	for _, m := range slices.Concat(subjects...) {
		if names[m.name] {
			t.Errorf("two mutants are called %q", m.name)
		}
		names[m.name] = true
		source, err := os.ReadFile(m.file)
		if err != nil {
			t.Errorf("%s: %v", m.name, err)
			continue
		}
		if n := strings.Count(string(source), m.old); n != 1 {
			t.Errorf("%s: %q occurs %d times in %s, want once", m.name, m.old, n, m.file)
		}
		for _, pkg := range m.pkgs {
			if tests, err := filepath.Glob(filepath.Join(m.dir, pkg, "*_test.go")); err != nil || len(tests) == 0 {
				t.Errorf("%s: %s has no tests", m.name, pkg)
			}
		}
	}
}

// TestSubjects: whoever looks for the mutants of a package finds them in one place. Those
// that other modules must notice have their own.
func TestSubjects(t *testing.T) {
	of := map[string]int{}
	for i, subject := range subjects {
		for _, m := range subject {
			pkg := filepath.Join(m.dir, filepath.Dir(m.file))
			if at, known := of[pkg]; known && at != i {
				t.Errorf("%q breaks %s, of which there are mutants in another file", m.name, pkg)
			}
			of[pkg] = i
		}
	}
}
