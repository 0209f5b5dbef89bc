package main

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var refusal = regexp.MustCompile(`one place|inside|one file`)

// TestPlacesApart: two places that are one, or of which one is inside the other,
// are refused by whatever names they have, and the store is as it was.
func TestPlacesApart(t *testing.T) {
	dir := t.TempDir()
	badger, sqlite := filepath.Join(dir, "badger"), filepath.Join(dir, "store.db")
	for _, store := range []string{badger, sqlitePrefix + sqlite} {
		if out, err := pawlCommand("init", store, "--user", "@alice:example.org", "--device", "A"); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	link, hard := filepath.Join(dir, "link"), filepath.Join(dir, "hard.db")
	words := filepath.Join(dir, "words")
	inside := filepath.Join(badger, "words")
	err := errors.Join(os.Symlink(badger, link), os.WriteFile(words, []byte("words\n"), 0o600),
		os.Symlink(sqlite, filepath.Join(dir, "link.db")), os.Symlink(words, filepath.Join(dir, "words2")))
	if err != nil {
		t.Fatal(err)
	}
	before := tree(t, dir)
	for _, args := range [][]string{
		{"convert", badger, badger},
		{"convert", badger, badger + "/."},
		{"convert", badger, link},
		{"convert", link, badger},
		{"convert", badger, filepath.Join(badger, "new")},
		{"convert", badger, filepath.Join(link, "new")},
		{"convert", badger, sqlitePrefix + filepath.Join(badger, "new.db")},
		{"convert", badger, sqlitePrefix + filepath.Join(link, "pawl.key")},
		{"convert", sqlitePrefix + sqlite, sqlitePrefix + sqlite},
		{"convert", sqlitePrefix + sqlite, sqlitePrefix + filepath.Join(dir, "link.db")},
		{"convert", sqlitePrefix + sqlite, sqlite + ".key"},
		{"convert", sqlitePrefix + sqlite, sqlitePrefix + sqlite + "-wal"},
		{"convert", sqlitePrefix + sqlite, sqlite + "-new"},
		{"repair", badger, "--to", link},
		{"repair", badger, "--to", filepath.Join(link, "new")},
		{"repair", sqlitePrefix + sqlite, "--to", sqlitePrefix + filepath.Join(dir, "link.db")},
		{"repair", badger, "--to", filepath.Join(dir, "new"), "--keyring-of", link},
		{"repair", badger, "--to", filepath.Join(dir, "new"), "--keyring-of", filepath.Join(dir, "new")},
		{"passwd", badger, "--new-passphrase-file", inside},
		{"passwd", badger, "--new-passphrase-file", filepath.Join(link, "pawl.key")},
		{"passwd", badger, "--passphrase-file", words, "--new-passphrase-file", filepath.Join(dir, "words2")},
		{"passwd", sqlitePrefix + sqlite, "--new-passphrase-file", sqlite + ".key"},
		{"inspect", badger, "--passphrase-file", filepath.Join(link, "pawl.key")},
		{"sweep", sqlitePrefix + sqlite, "--passphrase-file", sqlite},
		{"init", filepath.Join(dir, "new"), "--passphrase-file", filepath.Join(dir, "new", "words"), "--user", "@a:b", "--device", "B"},
	} {
		out, err := pawlCommand(args...)
		if err == nil || !refusal.MatchString(err.Error()) {
			t.Errorf("%s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	if after := tree(t, dir); strings.Join(before, "\n") != strings.Join(after, "\n") {
		t.Errorf("refused, and changed\n%s\nto\n%s", strings.Join(before, "\n"), strings.Join(after, "\n"))
	}
	if err := os.Link(sqlite, hard); err != nil {
		return // a file system without hard links
	}
	for _, args := range [][]string{
		{"convert", sqlitePrefix + sqlite, sqlitePrefix + hard},
		{"repair", sqlitePrefix + hard, "--to", sqlitePrefix + sqlite},
	} {
		if out, err := pawlCommand(args...); err == nil || !strings.Contains(err.Error(), "one place") {
			t.Errorf("%s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
}

// TestOutputInsideTheStore: standard output that goes into the store's directory is
// refused before anything is printed.
func TestOutputInsideTheStore(t *testing.T) {
	store := filepath.Join(t.TempDir(), "store")
	if out, err := pawlCommand("init", store, "--user", "@alice:example.org", "--device", "A"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	file, err := os.Create(filepath.Join(store, "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	root := newRoot()
	root.SetArgs([]string{"inspect", store})
	root.SetOut(file)
	if err := root.ExecuteContext(t.Context()); err == nil || !strings.Contains(err.Error(), "inside the store") {
		t.Errorf("%v, want that it is inside the store", err)
	}
	if info, err := file.Stat(); err != nil || info.Size() != 0 {
		t.Errorf("%v bytes were printed, %v", info.Size(), err)
	}
}
