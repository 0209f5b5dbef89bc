package witness

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/pawlkv/pawl/kv"
)

var storeA, storeB = StoreID{0xa}, StoreID{0xb}

func at(head kv.Version) Mark { return Mark{storeA, 1, head} }

// newFile returns a witness that is closed after the test.
func newFile(t testing.TB, path string) *File {
	t.Helper()
	f := NewFile(path)
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

func inTemp(t testing.TB) string { return filepath.Join(t.TempDir(), "witness") }

func save(t testing.TB, w Witness, m Mark) {
	t.Helper()
	if err := w.Save(t.Context(), m); err != nil {
		t.Fatal(err)
	}
}

// loads fails the test unless a new look at the file gives the mark and error.
func loads(t testing.TB, path string, want Mark, wantErr error) {
	t.Helper()
	got, err := newFile(t, path).Load(t.Context())
	if !errors.Is(err, wantErr) || got != want {
		t.Errorf("load: %+v, %v; want %+v, %v", got, err, want, wantErr)
	}
}

func read(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// overwrite writes a file in place: its inode stays.
func overwrite(t testing.TB, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// memory is a witness of a caller, such as a keychain.
type memory struct {
	mu    sync.Mutex
	mark  Mark
	saves int
	fail  error
}

func (w *memory) Load(context.Context) (Mark, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.mark == (Mark{}) {
		return w.mark, ErrNone
	}
	return w.mark, nil
}

func (w *memory) Save(_ context.Context, m Mark) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.saves++
	if w.fail != nil {
		return w.fail
	}
	if m.Supersedes(w.mark) {
		w.mark = m
	}
	return nil
}
