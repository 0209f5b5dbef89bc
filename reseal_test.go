package pawl_test

import (
	"bytes"
	"context"
	"errors"
	"path/filepath"
	"testing"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/memkv"
)

// TestOldSealingIsErased: what the old key opens is not in the engine's files any
// more when the key was changed.
func TestOldSealingIsErased(t *testing.T) {
	eachEngine(t, func(t *testing.T, open opener) {
		dir := filepath.Join(t.TempDir(), "store")
		open.inDirectory(t, dir, func(alice *device) {
			old := keyringIn(t, alice.kv)
			found := func() (found bool) {
				each(t, dir, func(_ string, content []byte) { found = found || bytes.Contains(content, old) })
				return found
			}
			if !found() {
				t.Fatal("the keyring is not found in the files even before")
			}
			if err := alice.store.ChangeKey(t.Context(), [32]byte{7}); err != nil {
				t.Fatal(err)
			}
			if found() {
				t.Error("the old keyring is still in the files")
			}
			if err := alice.store.ChangeKey(t.Context(), [32]byte{9}); err != nil {
				t.Fatal(err)
			}
		})
	})
}

func keyringIn(t *testing.T, store kv.Store) []byte {
	t.Helper()
	snap := store.Snapshot()
	defer snap.Close()
	found, err := snap.Get(t.Context(), "_/keyring")
	if err != nil || !found[0].Exists() {
		t.Fatalf("the keyring: %+v, %v", found, err)
	}
	return found[0].Value
}

// full is an engine that cannot erase now.
type full struct {
	*memkv.Store
	err error
}

func (f *full) Flatten(context.Context) error { return f.err }

// TestNotErased: the key is changed although what it replaced cannot be erased,
// and the error says both.
func TestNotErased(t *testing.T) {
	engine := &full{newMemory(), kv.ErrDiskFull}
	store := openStore(t, engine, testKey)
	if err := store.ChangeKey(t.Context(), [32]byte{7}); !errors.Is(err, pawl.ErrNotErased) || !errors.Is(err, kv.ErrDiskFull) {
		t.Errorf("%v, want %v, %v", err, pawl.ErrNotErased, kv.ErrDiskFull)
	}
	openStore(t, engine, pawl.WithKey([32]byte{7}))
	engine.err = nil
	if err := store.Erase(t.Context()); err != nil {
		t.Error(err)
	}
	if err := openStore(t, newMemory(), testKey).Erase(t.Context()); err != nil {
		t.Errorf("an engine that keeps nothing: %v", err)
	}
}
