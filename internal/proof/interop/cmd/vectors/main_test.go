//go:build libolm

package main

import (
	"path/filepath"
	"testing"
)

// TestFilesAreCurrent makes every file again: what is in the tree must be what
// this command makes, byte for byte.
func TestFilesAreCurrent(t *testing.T) {
	g := generator{root: filepath.Join("..", "..", "..", "..", ".."), date: defaultDate, seed: defaultSeed, check: true}
	if err := g.run(); err != nil {
		t.Fatalf("%v: run it without -check, or undo the change to the file", err)
	}
}
