package private

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// made makes a directory with a file in it.
func made(t *testing.T, prefix string) (p *Dir, file string) {
	t.Helper()
	p, err := New(prefix)
	if err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(p.Path(), lockName) // a name as good as any
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	return p, file
}

// left returns what is in the temporary directory.
func left(t *testing.T) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(os.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// useTemp gives the test a temporary directory of its own.
func useTemp(t *testing.T) {
	for _, name := range []string{"TMPDIR", "TMP", "TEMP"} {
		t.Setenv(name, t.TempDir())
	}
}

// TestRemoveDead: a directory whose lock nobody holds goes, with an empty one; others
// stay, whoever made them.
func TestRemoveDead(t *testing.T) {
	useTemp(t)
	alive, file := made(t, "pawl-test-")
	dead, _ := made(t, "pawl-test-")
	if err := dead.lock.Close(); err != nil { // as the system does for a process that ends
		t.Fatal(err)
	}
	other, _ := made(t, "pawl-other-")
	if err := other.lock.Close(); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"pawl-test-empty", "pawl-test-old", "pawl-test-old/files"} {
		if err := os.Mkdir(filepath.Join(os.TempDir(), dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	RemoveDead("pawl-test-")
	if _, err := os.Stat(file); err != nil {
		t.Errorf("what a living process has: %v", err)
	}
	for path, there := range map[string]bool{
		alive.dir: true, dead.dir: false, other.dir: true, "pawl-test-empty": false, "pawl-test-old/files": true,
	} {
		if !filepath.IsAbs(path) {
			path = filepath.Join(os.TempDir(), path)
		}
		if _, err := os.Stat(path); there != (err == nil) || !there && !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v, want it there: %v", path, err, there)
		}
	}
	RemoveDead("pawl-other-")
	if err := errors.Join(alive.Remove(), os.RemoveAll(filepath.Join(os.TempDir(), "pawl-test-old"))); err != nil {
		t.Error(err)
	}
	if names := left(t); len(names) > 0 {
		t.Errorf("left: %q", names)
	}
}

// TestPrivateBesideRemovers: whoever makes a directory has it until it removes it,
// however many look for those of the dead meanwhile, and nothing is left.
func TestPrivateBesideRemovers(t *testing.T) {
	useTemp(t)
	const makers, rounds = 4, 100
	var all, removers sync.WaitGroup
	done := make(chan struct{})
	for range 2 {
		removers.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
					RemoveDead("pawl-test-")
				}
			}
		})
	}
	for range makers {
		all.Go(func() {
			for range rounds {
				p, err := New("pawl-test-")
				if err != nil {
					t.Error(err)
					return
				}
				file := filepath.Join(p.Path(), "copy")
				_, statErr := os.Stat(p.lock.Path())
				if err := errors.Join(os.WriteFile(file, nil, 0o600), statErr, p.Remove()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	close(done)
	removers.Wait()
	RemoveDead("pawl-test-")
	if names := left(t); len(names) > 0 {
		t.Errorf("left: %q", names)
	}
}
