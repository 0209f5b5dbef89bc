package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/pawlkv/pawl/internal/secret"
)

func TestKeyFileRoundTrip(t *testing.T) {
	path := place{path: t.TempDir()}.keyFile()
	if k, err := readKeyFile(path); k.found || err != nil {
		t.Fatalf("without a file: %v, %v", k.found, err)
	}
	made, err := createKeyFile(path)
	if err != nil {
		t.Fatal(err)
	}
	read, err := readKeyFile(path)
	if err != nil || !read.found || read.key.Reveal() != made.key.Reveal() || made.key.Reveal() == [32]byte{} {
		t.Fatalf("the key that was written is not the one read: %v", err)
	}
	if _, err := createKeyFile(path); !errors.Is(err, fs.ErrExist) {
		t.Fatalf("over one that is there: %v, want ErrExist", err)
	}
	if err := made.remove(path); err != nil {
		t.Fatal(err)
	}
	if err := made.remove(path); err != nil {
		t.Fatalf("removing it again: %v", err)
	}
	if k, err := readKeyFile(path); k.found || err != nil {
		t.Fatalf("after removing it: %v, %v", k.found, err)
	}
}

// TestKeyFileOfAnother: a key file with another key than this call's is neither
// replaced nor removed, and one that is set aside keeps its bytes.
func TestKeyFileOfAnother(t *testing.T) {
	path := place{path: t.TempDir()}.keyFile()
	theirs, err := createKeyFile(path)
	if err != nil {
		t.Fatal(err)
	}
	ours := keyFile{true, secret.Hide([32]byte{1})}
	if err := ours.write(path); !errors.Is(err, fs.ErrExist) {
		t.Errorf("writing over it: %v, want ErrExist", err)
	}
	if err := ours.remove(path); err != nil {
		t.Error(err)
	}
	if now, err := readKeyFile(path); err != nil || now.key.Reveal() != theirs.key.Reveal() {
		t.Fatalf("their key is not there any more: %v", err)
	}
	if err := setAside(path); err != nil {
		t.Fatal(err)
	}
	if err := setAside(path); err != nil {
		t.Fatalf("with nothing there: %v", err)
	}
	names, err := filepath.Glob(path + "*")
	if err != nil || len(names) != 1 || !strings.HasPrefix(names[0], path+keyFileUnused) {
		t.Fatalf("files %q, %v", names, err)
	}
	if kept, err := readKeyFile(names[0]); err != nil || kept.key.Reveal() != theirs.key.Reveal() {
		t.Fatalf("the key that was set aside is another: %v", err)
	}
}

// TestKeyFileLeftovers: what a crash left of writing a key file, with any mode,
// is neither read nor in the way.
func TestKeyFileLeftovers(t *testing.T) {
	path := place{path: t.TempDir()}.keyFile()
	left := path + keyFileNew + randomName()
	if err := os.WriteFile(left, []byte("half a ke"), 0o644); err != nil {
		t.Fatal(err)
	}
	if k, err := readKeyFile(path); k.found || err != nil {
		t.Fatalf("with half a file: %v, %v", k.found, err)
	}
	if _, err := createKeyFile(path); err != nil {
		t.Fatal(err)
	}
	if k, err := readKeyFile(path); !k.found || err != nil {
		t.Fatalf("the new one: %v, %v", k.found, err)
	}
	if _, err := os.Stat(left); !os.IsNotExist(err) {
		t.Fatalf("the leftover is still there: %v", err)
	}
}

// TestKeyFileDamage: a file that was cut off, is longer or has another form is
// refused; a changed digit is another key, which opens nothing.
func TestKeyFileDamage(t *testing.T) {
	path := place{path: t.TempDir()}.keyFile()
	made, err := createKeyFile(path)
	if err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		bad := append([]byte{}, good...)
		if at := rapid.IntRange(0, len(bad)).Draw(t, "at"); at < len(bad) && rapid.Bool().Draw(t, "change") {
			bad[at] ^= rapid.ByteRange(1, 255).Draw(t, "by")
		} else {
			bad = append(bad[:at], rapid.SliceOfN(rapid.Byte(), 0, 3).Draw(t, "more")...)
		}
		k, err := parseKeyFile("pawl.key", string(bad))
		if err == nil && string(bad) != string(good) && k.key.Reveal() == made.key.Reveal() {
			t.Fatalf("%q is read as the key of %q", bad, good)
		}
		if err == nil && len(bad) != len(good) {
			t.Fatalf("%q is read as a key", bad)
		}
	})
}

// TestKeyFileEveryByte flips each bit of a key file and cuts it everywhere: it is
// refused, or it is another key, which opens nothing.
func TestKeyFileEveryByte(t *testing.T) {
	path := place{path: t.TempDir()}.keyFile()
	made, err := createKeyFile(path)
	if err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for at := range good {
		if _, err := parseKeyFile(path, string(good[:at])); err == nil || !strings.Contains(err.Error(), path+" is damaged") {
			t.Errorf("cut at %d: %v", at, err)
		}
		for bit := range 8 {
			bad := append([]byte{}, good...)
			bad[at] ^= 1 << bit
			if k, err := parseKeyFile(path, string(bad)); err == nil && k.key.Reveal() == made.key.Reveal() {
				t.Errorf("bit %d of byte %d flipped: it is the same key", bit, at)
			}
		}
	}
}

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
	made, err := createKeyFile(p.keyFile())
	if err != nil {
		t.Fatal(err)
	}
	var none *opened
	err = withStore(t.Context(), p, passphrase{}, existing, func(o *opened) error { none = o; return nil })
	if err == nil || err.Error() != noStore(p).Error() || none != nil {
		t.Fatalf("opening what is not finished: %v, want %v", err, noStore(p))
	}
	run(t, "init", p.String(), "--user", "@alice:example.org", "--device", "PHONE")
	kept, err := readKeyFile(p.keyFile())
	if err != nil || kept.key.Reveal() != made.key.Reveal() {
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
	if err := os.MkdirAll(filepath.Join(p.keyFile()+keyFileNew+"0", "in the way"), 0o700); err != nil {
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
	if empty, err := isEmpty(t.Context(), engine); !empty || err != nil {
		t.Fatalf("something was stored: %v", err)
	}
}
