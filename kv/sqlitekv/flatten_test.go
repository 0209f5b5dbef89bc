package sqlitekv_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/sqlitekv"
)

// TestFlattenErases: what was overwritten and what was deleted is in none of the
// files any more, and a view that is open is not waited for.
func TestFlattenErases(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	store, err := sqlitekv.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	secrets := [][]byte{bytes.Repeat([]byte("first secret "), 9), bytes.Repeat([]byte("second secret "), 9)}
	put := func(w ...kv.Write) {
		t.Helper()
		if _, err := store.Commit(t.Context(), &kv.Batch{ID: kv.NewCommitID(0), Writes: w, Sync: true}); err != nil {
			t.Fatal(err)
		}
	}
	put(kv.Write{Key: "a", Value: secrets[0]}, kv.Write{Key: "b", Value: secrets[1]})
	view := store.Snapshot()
	defer view.Close()
	if _, err := view.Version(t.Context()); err != nil {
		t.Fatal(err)
	}
	put(kv.Write{Key: "a", Value: []byte("harmless")}, kv.Write{Key: "b", Delete: true})
	if !inFiles(t, path, secrets[0]) || !inFiles(t, path, secrets[1]) {
		t.Fatal("they are not found even before")
	}
	if err := store.Flatten(t.Context()); err != nil {
		t.Fatal(err)
	}
	if inFiles(t, path, secrets[0]) || inFiles(t, path, secrets[1]) {
		t.Error("they are still in the files")
	}
	store.Close()
	if err := store.Flatten(t.Context()); !errors.Is(err, kv.ErrClosed) {
		t.Errorf("after Close: %v, want ErrClosed", err)
	}
}

// TestCloseAfterOthers: a process that has done nothing since another one
// committed, closed its store or flattened it is the last to close.
func TestCloseAfterOthers(t *testing.T) {
	for name, flatten := range map[string]bool{"committed": false, "flattened": true} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "store.db")
			var stores [2]*sqlitekv.Store
			for i := range stores {
				store, err := sqlitekv.Open(path)
				if err != nil {
					t.Fatal(err)
				}
				stores[i] = store
				put := &kv.Batch{ID: kv.NewCommitID(0), Writes: []kv.Write{{Key: name, Value: []byte{byte(i)}}}, Sync: true}
				if _, err := store.Commit(t.Context(), put); err != nil {
					t.Fatal(err)
				}
			}
			if flatten {
				if err := stores[1].Flatten(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			if err := stores[1].Close(); err != nil {
				t.Error(err)
			}
			if err := stores[0].Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

func inFiles(t *testing.T, path string, secret []byte) bool {
	t.Helper()
	files, err := filepath.Glob(path + "*")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(data, secret) {
			return true
		}
	}
	return false
}
