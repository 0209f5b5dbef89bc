package main

import (
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestBenchIsNamedInOneFile: the command that works on stores knows nothing of
// the wing that measures, but where it is hung up.
func TestBenchIsNamedInOneFile(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, file := range files {
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, spec := range f.Imports {
			if strings.Contains(spec.Path.Value, "pawlkv/pawl/bench/") {
				found = append(found, file+" "+spec.Path.Value)
			}
		}
	}
	if want := []string{`bench.go "github.com/pawlkv/pawl/bench/command"`}; !slices.Equal(found, want) {
		t.Errorf("imports of bench: %q, want %q", found, want)
	}
}
