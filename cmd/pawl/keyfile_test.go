package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/pawlkv/pawl/keyfile"
	"github.com/pawlkv/pawl/matrix"
)

// TestKeyFileComesFirst: init was ended after it had written the key and before
// anything was sealed under it. The next one takes that key, and inspecting in
// between makes nothing.
func TestKeyFileComesFirst(t *testing.T) {
	p := place{path: filepath.Join(t.TempDir(), "phone")}
	engine, err := p.open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := engine.Close(); err != nil {
		t.Fatal(err)
	}
	made, err := keyfile.Create(p.keyFile())
	if err != nil {
		t.Fatal(err)
	}
	var none *opened
	err = withStore(t.Context(), p, passphrase{}, existing, func(o *opened) error { none = o; return nil })
	if err == nil || err.Error() != noStore(p).Error() || none != nil {
		t.Fatalf("opening what is not finished: %v, want %v", err, noStore(p))
	}
	run(t, "init", p.String(), "--user", "@alice:example.org", "--device", "PHONE")
	kept, err := keyfile.Read(p.keyFile())
	if err != nil || kept.Reveal() != made.Reveal() {
		t.Fatalf("init replaced the key: %v", err)
	}
}

// TestKeyFileIsThereBeforeTheKeyring: when the key cannot be written, nothing
// is sealed under it.
func TestKeyFileIsThereBeforeTheKeyring(t *testing.T) {
	p := place{path: filepath.Join(t.TempDir(), "phone")}
	engine, err := p.open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := engine.Close(); err != nil {
		t.Fatal(err)
	}
	// A directory that is not empty cannot be removed or replaced by a file.
	if err := os.MkdirAll(filepath.Join(p.keyFile()+".new-"+"0", "in the way"), 0o700); err != nil {
		t.Fatal(err)
	}
	err = withStore(t.Context(), p, passphrase{}, created, func(*opened) error { return nil })
	if err == nil {
		t.Fatal("a store was made without a place for its key")
	}
	engine, err = p.open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer engine.Close()
	if empty, err := keyfile.IsEmpty(t.Context(), engine); !empty || err != nil {
		t.Fatalf("something was stored: %v", err)
	}
}

// TestKeyFileOfAProgram: a program opens what init has made without a passphrase,
// and the command what a program has made.
func TestKeyFileOfAProgram(t *testing.T) {
	for _, name := range engines {
		t.Chdir(t.TempDir())
		p, err := parsePlace(name)
		if err != nil {
			t.Fatal(err)
		}
		program := func(user matrix.UserID) {
			t.Helper()
			engine, err := p.open(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer engine.Close()
			s, err := keyfile.Open(t.Context(), engine, p.keyFile())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := s.OpenOrCreate(t.Context(), user, "PHONE"); err != nil {
				t.Fatal(err)
			}
		}
		program("@alice:example.org")
		run(t, "init", name, "--user", "@bob:example.org", "--device", "PHONE")
		program("@carol:example.org")
		run(t, "check", name)
	}
}
