package main

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestCompared(t *testing.T) {
	old, newer := t.TempDir(), t.TempDir()
	for dir, text := range map[string]string{
		old: `package crypto
type Store interface {
	Flush(context.Context) error
	Get(id string) (a, b int)
	Put(string)
}
type OlmMachine struct { Trust, Client int; own bool }`,
		newer: `package crypto
type Store interface {
	Flush(context.Context) error
	Get(id string,
		more bool) (a, b int)
	Put(string)
	Delete(string) error
}
type OlmMachine struct { Client int; other bool; Again bool }`,
	} {
		if err := os.Mkdir(filepath.Join(dir, "crypto"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "crypto", "store.go"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := compared(old, newer)
	want := []string{
		"crypto.OlmMachine got Again bool", "crypto.OlmMachine lost Trust int",
		"crypto.Store got Delete func(string) error", "crypto.Store got Get func(id string, more bool) (a, b int)",
		"crypto.Store lost Get func(id string) (a, b int)",
	}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("what changed is %q, %v; want %q", got, err, want)
	}
}
