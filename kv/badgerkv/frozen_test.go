//go:build linux || darwin

package badgerkv_test

import (
	"errors"
	"syscall"
	"testing"
	"time"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/badgerkv"
)

// short is the patience of a test that waits until it is over.
const short = 300 * time.Millisecond

// TestFrozenOwner stops the owner for longer than the patience: what was sent
// is unknown, what was not is unavailable, nothing takes much longer than the
// patience, and when the owner goes on so does everything.
func TestFrozenOwner(t *testing.T) {
	dir := newDir(t)
	holder := start(t, "holder", dir)
	holder.says("open true")
	store := open(t, dir, badgerkv.WithPatience(short))
	put(t, store, "a", "1")
	view := store.Snapshot()
	defer view.Close()
	if _, err := view.Get(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}

	holder.freeze()
	sent := batch("a", "2")
	inPatience(t, "a commit that was sent", kv.ErrUnknown, func() error {
		_, err := store.Commit(t.Context(), sent)
		return err
	})
	inPatience(t, "the same commit again", nil, func() error {
		_, err := store.Commit(t.Context(), sent)
		if !errors.Is(err, kv.ErrUnavailable) && !errors.Is(err, kv.ErrUnknown) {
			t.Errorf("the same commit again: %v", err)
		}
		return nil
	})
	never := batch("never", "1")
	inPatience(t, "a commit that was not sent", kv.ErrUnavailable, func() error {
		_, err := store.Commit(t.Context(), never)
		return err
	})
	inPatience(t, "a read", kv.ErrUnavailable, func() error {
		snapshot := store.Snapshot()
		defer snapshot.Close()
		_, err := snapshot.Get(t.Context(), "a")
		return err
	})
	inPatience(t, "a read of the view from before", kv.ErrConflict, func() error {
		_, err := view.Get(t.Context(), "a")
		return err
	})
	inPatience(t, "a turn", kv.ErrUnavailable, func() error {
		_, err := store.Turn(t.Context(), "a")
		return err
	})
	inPatience(t, "opening", kv.ErrUnavailable, func() error {
		other, err := badgerkv.Open(dir, badgerkv.WithPatience(short))
		if err == nil {
			other.Close()
		}
		return err
	})

	holder.signal(syscall.SIGCONT)
	version := resolve(t, store, sent)
	if e := get(t, store, "a"); string(e.Value) != "2" || e.Version != version {
		t.Errorf("a is %q at version %d, want 2 at %d", e.Value, e.Version, version)
	}
	if e := get(t, store, "never"); e.Exists() {
		t.Error("what was unavailable was applied")
	}
	if again := commit(t, store, sent); again != version {
		t.Errorf("committed again it has version %d, want %d", again, version)
	}
	if store.Status().Owner {
		t.Error("another process owns the store that was only stopped")
	}
	holder.finish()
	put(t, store, "a", "3")
	if !store.Status().Owner {
		t.Error("nobody took over")
	}
}

// inPatience checks an outcome, and that it came neither late nor after waiting
// much longer than the patience.
func inPatience(t *testing.T, what string, want error, call func() error) {
	t.Helper()
	began := time.Now()
	if err := call(); !errors.Is(err, want) || errors.Is(want, kv.ErrUnavailable) && errors.Is(err, kv.ErrUnknown) {
		t.Errorf("%s: %v, want %v", what, err, want)
	}
	if took := time.Since(began); took > 4*short {
		t.Errorf("%s took %v with a patience of %v", what, took, short)
	}
}

// resolve commits the identical batch until its outcome is known.
func resolve(t *testing.T, store kv.Store, b *kv.Batch) kv.Version {
	t.Helper()
	for late := time.Now().Add(patience); ; {
		version, err := store.Commit(t.Context(), b)
		if err == nil {
			return version
		}
		if !errors.Is(err, kv.ErrUnknown) && !errors.Is(err, kv.ErrUnavailable) || time.Now().After(late) {
			t.Fatalf("a commit that was unknown: %v", err)
		}
	}
}

// TestKilledDuringCommit kills the owner while it syncs a guest's commit: the
// guest becomes the owner and finds out by itself what became of it.
func TestKilledDuringCommit(t *testing.T) {
	dir := newDir(t)
	stuck := start(t, "stuck", dir)
	stuck.says("open true")
	store := open(t, dir)
	b := batch("a", "1")
	b.Reads = []kv.Read{{Key: "a"}}
	type outcome struct {
		version kv.Version
		err     error
	}
	done := make(chan outcome, 1)
	go func() {
		version, err := store.Commit(t.Context(), b)
		done <- outcome{version, err}
	}()
	stuck.says("syncing")
	stuck.kill()
	got := <-done
	if got.err != nil {
		t.Fatalf("a commit whose owner was killed: %v", got.err)
	}
	if e := get(t, store, "a"); string(e.Value) != "1" || e.Version != got.version {
		t.Errorf("a is %q at version %d, want 1 at %d", e.Value, e.Version, got.version)
	}
	if again := commit(t, store, b); again != got.version {
		t.Errorf("committed again it has version %d, want %d", again, got.version)
	}
}
