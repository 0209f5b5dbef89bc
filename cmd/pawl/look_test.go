package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/pawlkv/pawl/kv"
)

// pawl runs a command and returns what it prints.
func pawlCommand(args ...string) (string, error) {
	root, out := newRoot(), new(bytes.Buffer)
	root.SetArgs(args)
	root.SetOut(out)
	root.SetErr(out)
	err := root.ExecuteContext(context.Background())
	return out.String(), err
}

// tree lists all that is below a directory: names, modes, times, and what is in it.
func tree(t *testing.T, dir string) (list []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		var sum [32]byte
		if info.Mode().IsRegular() {
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			sum = sha256.Sum256(text)
		}
		list = append(list, fmt.Sprintf("%s %v %d %v %x", path, info.Mode(), info.Size(), info.ModTime().UnixNano(), sum[:4]))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// lookAt runs what only looks, and makes sure that nothing is written.
func lookAt(t *testing.T, dir, store, want string) {
	t.Helper()
	before := tree(t, dir)
	for _, command := range []string{"inspect", "check"} {
		out, err := pawlCommand(command, store)
		if err != nil || !strings.Contains(out, "@alice:example.org") || command == "inspect" && !strings.Contains(out, want) {
			t.Errorf("%s: %v\n%s", command, err, out)
		}
	}
	if after := tree(t, dir); !slices.Equal(before, after) {
		t.Errorf("looking has changed\n%s\nto\n%s", strings.Join(before, "\n"), strings.Join(after, "\n"))
	}
}

// TestLookWritesNothing: at rest, in a copy (whose marks are told and not made),
// after a process was killed, and while another handle has the store open.
func TestLookWritesNothing(t *testing.T) {
	for _, prefix := range []string{"", sqlitePrefix} {
		t.Run(prefix, func(t *testing.T) {
			dir := t.TempDir()
			name := filepath.Join(dir, "store")
			if out, err := pawlCommand("init", prefix+name, "--user", "@alice:example.org", "--device", "A"); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			lookAt(t, dir, prefix+name, "@alice:example.org")

			p, err := parsePlace(prefix + name)
			if err != nil {
				t.Fatal(err)
			}
			running, err := p.open(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, w := range []kv.Write{{Key: "other", Value: []byte("v")}, {Key: "other", Delete: true}} {
				b := &kv.Batch{ID: kv.NewCommitID(0), Sync: true, Writes: []kv.Write{w}}
				if _, err := running.Commit(t.Context(), b); err != nil {
					t.Fatal(err)
				}
			}
			if prefix == "" { // SQLite notes in its index who reads
				lookAt(t, dir, name, "@alice:example.org")
			} else if out, err := pawlCommand("inspect", prefix+name); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
			killed, copied := t.TempDir(), t.TempDir()
			copyTree(t, killed, dir) // as if the process was killed now, and its disk restored
			if err := running.Close(); err != nil {
				t.Fatal(err)
			}
			lookAt(t, killed, prefix+filepath.Join(killed, "store"), "needed before it sends")
			copyTree(t, copied, dir)
			lookAt(t, copied, prefix+filepath.Join(copied, "store"), "needed before it sends")
			if out, err := pawlCommand("recover", prefix+filepath.Join(copied, "store")); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
			lookAt(t, copied, prefix+filepath.Join(copied, "store"), "@alice:example.org")
		})
	}
}

// copyTree copies the files below a directory, with their modes.
func copyTree(t *testing.T, to, from string) {
	t.Helper()
	err := filepath.WalkDir(from, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := to + strings.TrimPrefix(path, from)
		switch {
		case e.IsDir() && path != from:
			return os.Mkdir(name, 0o700)
		case !e.Type().IsRegular():
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(name, text, 0o600)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestLookWhereNothingMayBeWritten: a disk that is read-only, where we may make
// one, is looked at; all that writes says that it cannot.
func TestLookWhereNothingMayBeWritten(t *testing.T) {
	dir := t.TempDir()
	for _, prefix := range []string{"", sqlitePrefix} {
		if out, err := pawlCommand("init", prefix+filepath.Join(dir, "store"+strings.TrimSuffix(prefix, ":")), "--user", "@alice:example.org", "--device", "A"); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	if runtime.GOOS != "linux" || exec.Command("mount", "--bind", dir, dir).Run() != nil {
		t.Log("no disk can be made read-only here; TestLookWritesNothing has the same without one")
		return
	}
	t.Cleanup(func() { exec.Command("umount", dir).Run() })
	if out, err := exec.Command("mount", "-o", "remount,bind,ro", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, prefix := range []string{"", sqlitePrefix} {
		store := prefix + filepath.Join(dir, "store"+strings.TrimSuffix(prefix, ":"))
		lookAt(t, dir, store, "@alice:example.org")
		if out, err := pawlCommand("sweep", store); !errors.Is(err, kv.ErrUnusable) {
			t.Errorf("sweep: %v\n%s", err, out)
		}
	}
}

// TestRootLeavesTheStore: whoever is not the owner of a store at rest looks at it
// and leaves it as it is, and opens it no other way.
func TestRootLeavesTheStore(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Log("only root may look at another user's store")
		return
	}
	for _, prefix := range []string{"", sqlitePrefix} {
		dir := t.TempDir()
		store := prefix + filepath.Join(dir, "store")
		if out, err := pawlCommand("init", store, "--user", "@alice:example.org", "--device", "A"); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
			return errors.Join(err, os.Lchown(path, 65534, 65534))
		})
		if err != nil {
			t.Fatal(err)
		}
		lookAt(t, dir, store, "@alice:example.org")
		before := tree(t, dir)
		if out, err := pawlCommand("sweep", store); !errors.Is(err, kv.ErrUnusable) || !strings.Contains(err.Error(), "user 65534") {
			t.Errorf("sweep: %v\n%s", err, out)
		}
		if after := tree(t, dir); !slices.Equal(before, after) {
			t.Errorf("it has changed\n%s\nto\n%s", strings.Join(before, "\n"), strings.Join(after, "\n"))
		}
	}
}

// TestLookBesideALostLock: what an opening makes again keeps nobody from looking.
func TestLookBesideALostLock(t *testing.T) {
	replacements := map[string]func(string) error{
		"removed":     func(string) error { return nil },
		"replaced":    func(path string) error { return os.WriteFile(path, []byte("x"), 0o600) },
		"a directory": func(path string) error { return os.Mkdir(path, 0o700) },
	}
	for prefix, lock := range map[string]string{"": "/pawl.lock", sqlitePrefix: "-gate"} {
		for name, replace := range replacements {
			path := filepath.Join(t.TempDir(), "store")
			if out, err := pawlCommand("init", prefix+path, "--user", "@alice:example.org", "--device", "A"); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			p := place{sqlite: prefix != "", path: path}
			for _, open := range []bool{false, true} {
				var running kv.Store
				if open {
					var err error
					if running, err = p.open(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
				if err := errors.Join(os.RemoveAll(path+lock), replace(path+lock)); err != nil {
					t.Fatal(err)
				}
				for _, command := range []string{"inspect", "check"} {
					if out, err := pawlCommand(command, prefix+path); err != nil {
						t.Errorf("%s of %s with %s %s, open: %v: %v\n%s", command, prefix, lock, name, open, err, out)
					}
				}
				if open {
					if err := running.Close(); err != nil {
						t.Error(err)
					}
				}
			}
		}
	}
}
