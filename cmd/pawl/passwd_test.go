package main

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// TestPasswdErases: the data key under the old key or passphrase is not in the
// store's files any more, so that who knows the old one and has them is out.
func TestPasswdErases(t *testing.T) {
	for _, name := range []string{"phone", "sqlite:phone.db"} {
		t.Run(name, func(t *testing.T) { testPasswdErases(t, name) })
	}
}

func testPasswdErases(t *testing.T, name string) {
	t.Chdir(t.TempDir())
	run(t, "init", name, "--user", "@alice:example.org", "--device", "PHONE")
	t.Setenv(newPassphraseEnv, "correct horse")
	for _, change := range [][]string{{"passwd", name}, {"passwd", name, "--remove"}} {
		if len(change) == 3 {
			t.Setenv(passphraseEnv, "correct horse")
		}
		old := keyringOf(t, name)
		if !inFiles(t, ".", old) {
			t.Fatal("the keyring is not found in the files even before")
		}
		run(t, change...)
		if inFiles(t, ".", old) {
			t.Errorf("after %q the old keyring is still in the files", change[2:])
		}
	}
}

func keyringOf(t *testing.T, store string) []byte {
	t.Helper()
	p, err := parsePlace(store)
	if err != nil {
		t.Fatal(err)
	}
	engine, err := p.open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer engine.Close()
	snap := engine.Snapshot()
	defer snap.Close()
	entries, err := snap.Get(t.Context(), "_/keyring")
	if err != nil || !entries[0].Exists() {
		t.Fatalf("no keyring: %v", err)
	}
	return entries[0].Value
}

func inFiles(t *testing.T, dir string, secret []byte) bool {
	t.Helper()
	found := false
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		found = found || bytes.Contains(data, secret)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}
