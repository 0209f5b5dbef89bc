package badgerkv

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pawlkv/pawl/kv"
)

// TestRaise: a store that was made in format 1 is raised when it is asked for,
// durably, and keeps its ID.
func TestRaise(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	if err := os.CopyFS(dir, os.DirFS("../../testdata/format1/badger")); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, formatName)
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	wantFile := func(want string) {
		t.Helper()
		if got, err := os.ReadFile(path); err != nil || string(got) != want {
			t.Errorf("the format file says %q, %v, want %q", got, err, want)
		}
	}
	// Left behind by one that was killed over it.
	if err := os.WriteFile(filepath.Join(dir, raisingName), []byte("pawl"), fileMode); err != nil {
		t.Fatal(err)
	}
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	wantFile(string(before))
	if _, err := os.Stat(filepath.Join(dir, raisingName)); err == nil {
		t.Error("what was left behind is there")
	}
	if got, err := kv.FormatOf(t.Context(), s); err != nil || got != kv.Format1 {
		t.Errorf("before it is asked for the store has format %d, %v, want 1", got, err)
	}
	for range 2 {
		if got, err := s.Raise(t.Context()); err != nil || got != kv.Format2 {
			t.Errorf("the store has format %d, %v, want 2", got, err)
		}
	}
	if got, err := kv.FormatOf(t.Context(), s); err != nil || got != kv.Format2 {
		t.Errorf("afterwards the store has format %d, %v, want 2", got, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	wantFile(strings.Replace(string(before), "format 1", "format 2", 1))
	if s, err = Open(dir); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Raise(t.Context()); err != nil || got != kv.Format2 {
		t.Errorf("opened again the store has format %d, %v, want 2", got, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(strings.Replace(string(before), "format 1", "format 3", 1)), fileMode); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir); !errors.Is(err, ErrNewer) {
		t.Errorf("format 3: %v, want %v", err, ErrNewer)
	}
}
