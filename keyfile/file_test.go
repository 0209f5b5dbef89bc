package keyfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/pawlkv/pawl/internal/files"
	"github.com/pawlkv/pawl/internal/secret"
)

func TestKeyFileRoundTrip(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pawl.key")
	if k, err := Read(path); k.found || err != nil {
		t.Fatalf("without a file: %v, %v", k.found, err)
	}
	made, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	read, err := Read(path)
	if err != nil || !read.found || read.Reveal() != made.Reveal() || made.Reveal() == [32]byte{} {
		t.Fatalf("the key that was written is not the one read: %v", err)
	}
	if _, err := Create(path); !errors.Is(err, fs.ErrExist) {
		t.Fatalf("over one that is there: %v, want ErrExist", err)
	}
	if err := made.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := made.Remove(path); err != nil {
		t.Fatalf("removing it again: %v", err)
	}
	if k, err := Read(path); k.found || err != nil {
		t.Fatalf("after removing it: %v, %v", k.found, err)
	}
}

// TestKeyFileOfAnother: a key file with another key than this call's is neither
// replaced nor removed, and one that is set aside keeps its bytes.
func TestKeyFileOfAnother(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pawl.key")
	theirs, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	ours := Key{true, secret.Hide([32]byte{1})}
	if err := ours.write(path); !errors.Is(err, fs.ErrExist) {
		t.Errorf("writing over it: %v, want ErrExist", err)
	}
	if err := ours.Remove(path); err != nil {
		t.Error(err)
	}
	if now, err := Read(path); err != nil || now.Reveal() != theirs.Reveal() {
		t.Fatalf("their key is not there any more: %v", err)
	}
	if err := SetAside(path); err != nil {
		t.Fatal(err)
	}
	if err := SetAside(path); err != nil {
		t.Fatalf("with nothing there: %v", err)
	}
	names, err := filepath.Glob(path + "*")
	if err != nil || len(names) != 1 || !strings.HasPrefix(names[0], path+unusedInfix) {
		t.Fatalf("files %q, %v", names, err)
	}
	if kept, err := Read(names[0]); err != nil || kept.Reveal() != theirs.Reveal() {
		t.Fatalf("the key that was set aside is another: %v", err)
	}
}

// TestKeyFileLeftovers: what a crash left of writing a key file, with any mode,
// is neither read nor in the way.
func TestKeyFileLeftovers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pawl.key")
	left := path + newInfix + files.RandomName()
	if err := os.WriteFile(left, []byte("half a ke"), 0o644); err != nil {
		t.Fatal(err)
	}
	if k, err := Read(path); k.found || err != nil {
		t.Fatalf("with half a file: %v, %v", k.found, err)
	}
	if _, err := Create(path); err != nil {
		t.Fatal(err)
	}
	if k, err := Read(path); !k.found || err != nil {
		t.Fatalf("the new one: %v, %v", k.found, err)
	}
	if _, err := os.Stat(left); !os.IsNotExist(err) {
		t.Fatalf("the leftover is still there: %v", err)
	}
}

// TestKeyFileDamage: a file that was cut off, is longer or has another form is
// refused; a changed digit is another key, which opens nothing.
func TestKeyFileDamage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pawl.key")
	made, err := Create(path)
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
		k, err := parse("pawl.key", string(bad))
		if err == nil && string(bad) != string(good) && k.Reveal() == made.Reveal() {
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
	path := filepath.Join(t.TempDir(), "pawl.key")
	made, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for at := range good {
		if _, err := parse(path, string(good[:at])); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), path) {
			t.Errorf("cut at %d: %v", at, err)
		}
		for bit := range 8 {
			bad := append([]byte{}, good...)
			bad[at] ^= 1 << bit
			if k, err := parse(path, string(bad)); err == nil && k.Reveal() == made.Reveal() {
				t.Errorf("bit %d of byte %d flipped: it is the same key", bit, at)
			}
		}
	}
}

// TestKeyFileIsSynced: the key is on the disk before anything is sealed under it.
func TestKeyFileIsSynced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	var whole []string
	syncFile = func(file *os.File) error {
		text, err := os.ReadFile(file.Name())
		whole = append(whole, string(text))
		return errors.Join(err, file.Sync())
	}
	t.Cleanup(func() { syncFile = (*os.File).Sync })
	if _, err := Create(path); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(path); err != nil || len(whole) != 1 || whole[0] != string(text) {
		t.Errorf("synced as %q, and is %q, %v", whole, text, err)
	}
}
