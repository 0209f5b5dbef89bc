package keyfile_test

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/keyfile"
	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/kv/sqlitekv"
	"github.com/pawlkv/pawl/txn/seal"
)

// TestOpen: an empty store gets a key file, and opens with it again; what has no
// file, or another, does not.
func TestOpen(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "store.db")
	open := func() (*sqlitekv.Store, error) {
		engine, err := sqlitekv.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		_, err = keyfile.Open(t.Context(), engine, path+".key")
		return engine, err
	}
	for range 2 {
		engine, err := open()
		if err != nil {
			t.Fatal(err)
		}
		if err := engine.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for name, test := range map[string]struct {
		change func() error
		want   error
	}{
		"exposed": {func() error { return os.Chmod(path+".key", 0o644) }, keyfile.ErrExposed},
		"damaged": {func() error { return os.WriteFile(path+".key", []byte("pawl-key-1 "), 0o600) }, keyfile.ErrDamaged},
		"gone":    {func() error { return os.Remove(path + ".key") }, pawl.ErrNoKey},
		"another": {func() error {
			if err := os.Remove(path + ".key"); err != nil {
				return err
			}
			_, err := keyfile.Create(path + ".key")
			return err
		}, seal.ErrPassphrase},
	} {
		if name == "exposed" && runtime.GOOS == "windows" {
			continue // has no such modes
		}
		kept, err := os.ReadFile(path + ".key")
		if err != nil {
			t.Fatal(err)
		}
		if err := test.change(); err != nil {
			t.Fatal(err)
		}
		engine, err := open()
		if !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", name, err, test.want)
		}
		if err := engine.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(path + ".key"); name == "gone" && !errors.Is(err, os.ErrNotExist) {
			t.Errorf("there is a key file that opens nothing: %v", err)
		}
		if err := errors.Join(os.RemoveAll(path+".key"), os.WriteFile(path+".key", kept, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
}

// TestOpenAtOnce: of those that open an empty store at the same time one makes
// its key, and all have it.
func TestOpenAtOnce(t *testing.T) {
	engine, path := memkv.New(), filepath.Join(t.TempDir(), "pawl.key")
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if _, err := keyfile.Open(t.Context(), engine, path); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	key, err := keyfile.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := pawl.Open(t.Context(), engine, pawl.WithKey(key.Reveal())); err != nil {
		t.Error(err)
	}
}
