//go:build linux || darwin || freebsd

package sharekv_test

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/pawlkv/pawl/kv/sharekv"
	"github.com/pawlkv/pawl/kv/sharekv/sharetest"
)

// replacements are what becomes of a file of ours.
var replacements = map[string]func(path string) error{
	"missing": os.Remove,
	"a directory": func(path string) error {
		return errors.Join(os.Remove(path), os.Mkdir(path, 0o700))
	},
	"a directory with a file": func(path string) error {
		return errors.Join(os.Remove(path), os.Mkdir(path, 0o700), os.WriteFile(filepath.Join(path, "file"), nil, 0o600))
	},
	"another file": func(path string) error {
		return errors.Join(os.Remove(path), os.WriteFile(path, []byte("text"), 0o644))
	},
	"a link that leads nowhere": func(path string) error {
		return errors.Join(os.Remove(path), os.Symlink(filepath.Join(path, "none"), path))
	},
	"a link to a file": func(path string) error {
		return errors.Join(os.Remove(path), os.WriteFile(path+".real", nil, 0o600), os.Symlink(path+".real", path))
	},
	"a pipe":     func(path string) error { return errors.Join(os.Remove(path), syscall.Mkfifo(path, 0o600)) },
	"for nobody": func(path string) error { return os.Chmod(path, 0) },
	"for all":    func(path string) error { return os.Chmod(path, 0o666) },
}

// TestFilesOfSharing: whatever becomes of the socket and of the lock file, while
// the store is open and while it is not, newcomers have the store, and soon.
func TestFilesOfSharing(t *testing.T) {
	for _, name := range []string{"pawl.sock", "pawl.lock"} {
		for what, replace := range replacements {
			t.Run(name+" is "+what, func(t *testing.T) {
				t.Parallel()
				dir := sharetest.NewDir(t)
				owner := open(t, dir, sharekv.WithPatience(time.Minute))
				put(t, owner, "a", "1")
				if err := replace(filepath.Join(dir, name)); err != nil {
					t.Fatal(err)
				}
				other := open(t, dir, sharekv.WithPatience(time.Minute))
				put(t, other, "a", "2")
				put(t, owner, "a", "3")
				for _, s := range []*sharekv.Store{other, owner} {
					if err := s.Close(); err != nil {
						t.Fatal(err)
					}
				}
				path := filepath.Join(dir, name)
				if _, err := os.Lstat(path); err != nil { // the socket, which is gone when nobody has the store
					if err := os.WriteFile(path, nil, 0o600); err != nil {
						t.Fatal(err)
					}
				}
				if err := replace(path); err != nil {
					t.Fatal(err)
				}
				put(t, open(t, dir), "a", "4")
			})
		}
	}
}

// TestDirectoryForNobody: a store's directory that has lost its rights gets them
// back, and one that is none of ours is left alone.
func TestDirectoryForNobody(t *testing.T) {
	dir := sharetest.NewDir(t)
	s := open(t, dir)
	put(t, s, "a", "1")
	if err := errors.Join(s.Close(), os.Chmod(dir, 0)); err != nil {
		t.Fatal(err)
	}
	put(t, open(t, dir), "a", "2")
	info, err := os.Stat(dir)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}
