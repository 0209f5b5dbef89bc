package witness

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"testing"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/kvtest"
	"github.com/pawlkv/pawl/kv/memkv"
)

func TestConformance(t *testing.T) {
	kvtest.Run(t, func(t testing.TB) kv.Store {
		f := newFile(t, filepath.Join(t.TempDir(), "witness"))
		save(t, f, at(0))
		return Wrap(memkv.New(), f, at(0), OnError(func(err error) { t.Error(err) }))
	})
}

func put(key string, sync bool) *kv.Batch {
	return &kv.Batch{ID: kv.NewCommitID(0), Writes: []kv.Write{{Key: key}}, Sync: sync}
}

func TestOnlySyncedCommitsAreWitnessed(t *testing.T) {
	ctx := t.Context()
	w := &memory{mark: at(0)}
	store := Wrap(memkv.New(), w, at(0))
	expect := func(what string, want kv.Version) {
		t.Helper()
		if w.mark != at(want) {
			t.Errorf("after %s: %+v, want head %d", what, w.mark, want)
		}
	}
	commit := func(b *kv.Batch, want error) {
		t.Helper()
		if _, err := store.Commit(ctx, b); !errors.Is(err, want) {
			t.Fatalf("commit: %v, want %v", err, want)
		}
	}
	commit(put("a", true), nil)
	expect("a synced commit", 1)
	commit(put("b", false), nil)
	expect("an unsynced commit", 1)
	commit(&kv.Batch{Reads: []kv.Read{{Key: "c"}}, Sync: true}, nil)
	expect("a commit that writes nothing", 1)
	again := put("c", true)
	commit(again, nil)
	expect("another synced commit, and all before it", 3)
	stale := put("c", true)
	stale.Reads = []kv.Read{{Key: "a"}}
	commit(stale, kv.ErrConflict)
	expect("a conflict", 3)
	commit(put("d", true), nil)
	commit(again, nil)
	expect("a commit that was applied before", 4)
}

func TestMarkIsSavedWhateverBecameOfTheCaller(t *testing.T) {
	w := &memory{mark: at(0)}
	ctx, cancel := context.WithCancel(t.Context())
	store := Wrap(&cancelling{memkv.New(), cancel}, w, at(0))
	if _, err := store.Commit(ctx, put("a", true)); err != nil || w.mark != at(1) {
		t.Errorf("mark %+v, %v, want head 1", w.mark, err)
	}
}

// cancelling is a store whose callers give up just when a commit is done.
type cancelling struct {
	kv.Store
	cancel func()
}

func (s *cancelling) Commit(ctx context.Context, b *kv.Batch) (kv.Version, error) {
	defer s.cancel()
	return s.Store.Commit(ctx, b)
}

func TestFailedSaveIsToldAndMadeUpFor(t *testing.T) {
	w := &memory{mark: at(0), fail: errors.New("locked")}
	var told error
	store := Wrap(memkv.New(), w, at(0), OnError(func(err error) { told = err }))
	if _, err := store.Commit(t.Context(), put("a", true)); err != nil || told != w.fail {
		t.Errorf("commit: %v, told %v, want the witness's error told and no other", err, told)
	}
	w.fail = nil
	if _, err := store.Commit(t.Context(), put("b", true)); err != nil || w.mark != at(2) {
		t.Errorf("mark %+v, %v, want head 2", w.mark, err)
	}
}

// Commits that come at the same time share a Save, and each returns only when
// its mark is saved.
func TestConcurrentCommits(t *testing.T) {
	w := &memory{mark: at(0)}
	store := Wrap(memkv.New(), w, at(0))
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			for range 100 {
				version, err := store.Commit(t.Context(), put(string(rune('a'+i)), true))
				if mark, loadErr := w.Load(t.Context()); err != nil || loadErr != nil || mark.Head < version {
					t.Errorf("commit %d, %v; mark %+v, %v", version, err, mark, loadErr)
					return
				}
			}
		})
	}
	group.Wait()
	if w.mark != at(800) || w.saves > 800 {
		t.Errorf("%+v after %d saves, want head 800 and at most as many", w.mark, w.saves)
	}
}

func TestSupersedes(t *testing.T) {
	marks := []Mark{{}, at(1), at(2), {storeA, 2, 1}, {storeA, 3, 0}}
	for i, a := range marks[1:] {
		for j, b := range marks[1:] {
			if got := a.Supersedes(b); got != (i > j) {
				t.Errorf("%+v supersedes %+v: %v", a, b, got)
			}
		}
		if !a.Supersedes(marks[0]) || !a.Supersedes(Mark{Store: storeB, Generation: 9}) {
			t.Errorf("%+v does not supersede one of another store", a)
		}
	}
}

func BenchmarkSave(b *testing.B) {
	f := newFile(b, inTemp(b))
	ctx, head := b.Context(), kv.Version(0)
	for b.Loop() {
		head++
		if err := f.Save(ctx, at(head)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOpening(b *testing.B) {
	path := inTemp(b)
	for b.Loop() {
		f := NewFile(path)
		if err := f.Save(b.Context(), at(1)); err != nil {
			b.Fatal(err)
		}
		f.Close()
	}
}
