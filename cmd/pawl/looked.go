package main

import (
	"context"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/witness"
)

// looked is a store on which what is written stays in memory: the marks of an
// opening, say, so that they are reported and not made. It hides what the engine
// offers beyond kv.Store.
type looked struct {
	kv.Store
	seen *seenWitness

	mu  sync.Mutex
	top map[string]kv.Entry // of version 0: deleted
}

func newLooked(under kv.Store, load func(context.Context) (witness.Mark, error)) *looked {
	return &looked{Store: under, seen: &seenWitness{load: load}, top: make(map[string]kv.Entry)}
}

// Witness implements witness.Keeper.
func (l *looked) Witness() witness.Witness { return l.seen }

// LostTail tells what the engine does.
func (l *looked) LostTail() (kept, committed kv.Version) {
	if e, ok := kv.As[losing](l.Store); ok {
		return e.LostTail()
	}
	return 0, 0
}

// seenWitness remembers the mark that would be saved.
type seenWitness struct {
	load func(context.Context) (witness.Mark, error) // what there was before

	mu    sync.Mutex
	saved bool
	mark  witness.Mark
}

// Load implements witness.Witness.
func (w *seenWitness) Load(ctx context.Context) (witness.Mark, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.saved {
		return w.mark, nil
	}
	return w.load(ctx)
}

// Save implements witness.Witness.
func (w *seenWitness) Save(_ context.Context, m witness.Mark) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.saved || m.Supersedes(w.mark) {
		w.saved, w.mark = true, m
	}
	return nil
}

// Snapshot implements kv.Store.
func (l *looked) Snapshot() kv.Snapshot {
	l.mu.Lock()
	defer l.mu.Unlock()
	return &lookedView{l.Store.Snapshot(), maps.Clone(l.top)}
}

// Commit implements kv.Store, in memory.
func (l *looked) Commit(ctx context.Context, b *kv.Batch) (kv.Version, error) {
	if err := b.Check(l.Limits()); err != nil {
		return 0, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	view := &lookedView{l.Store.Snapshot(), l.top}
	defer view.Close()
	if err := view.holds(ctx, b); err != nil {
		return 0, err
	}
	version, err := view.Version(ctx)
	if err != nil || len(b.Writes) == 0 {
		return version, err
	}
	version++
	for _, w := range b.Writes {
		e := kv.Entry{Key: w.Key}
		if !w.Delete {
			e = kv.Entry{Key: w.Key, Value: slices.Clone(w.Value), Version: version}
		}
		l.top[w.Key] = e
	}
	return version, nil
}

// lookedView is a snapshot with what lies above it.
type lookedView struct {
	kv.Snapshot
	top map[string]kv.Entry
}

// Get implements kv.Snapshot.
func (v *lookedView) Get(ctx context.Context, keys ...string) ([]kv.Entry, error) {
	found, err := v.Snapshot.Get(ctx, keys...)
	for i := range found {
		if e, ok := v.top[found[i].Key]; ok {
			found[i] = e
		}
	}
	return found, err
}

// Scan implements kv.Snapshot.
func (v *lookedView) Scan(ctx context.Context, prefix string) iter.Seq2[kv.Entry, error] {
	return func(yield func(kv.Entry, error) bool) {
		var above []string
		for key := range v.top {
			if strings.HasPrefix(key, prefix) {
				above = append(above, key)
			}
		}
		slices.Sort(above)
		until := func(key string, all bool) bool {
			for len(above) > 0 && (all || above[0] < key) {
				e := v.top[above[0]]
				above = above[1:]
				if e.Exists() && !yield(e, nil) {
					return false
				}
			}
			return true
		}
		for e, err := range v.Snapshot.Scan(ctx, prefix) {
			if err != nil {
				yield(e, err)
				return
			}
			if !until(e.Key, false) {
				return
			}
			if len(above) > 0 && above[0] == e.Key {
				continue // the one above comes next
			}
			if !yield(e, nil) {
				return
			}
		}
		until("", true)
	}
}

// Version implements kv.Snapshot.
func (v *lookedView) Version(ctx context.Context) (kv.Version, error) {
	version, err := v.Snapshot.Version(ctx)
	for _, e := range v.top {
		version = max(version, e.Version)
	}
	return version, err
}

// holds fails with a *kv.ConflictError if something that was read is not so.
func (v *lookedView) holds(ctx context.Context, b *kv.Batch) error {
	conflict := new(kv.ConflictError)
	for _, r := range b.Reads {
		found, err := v.Get(ctx, r.Key)
		if err != nil {
			return err
		}
		if found[0].Version != r.Version {
			conflict.Keys = append(conflict.Keys, r.Key)
		}
	}
	for _, s := range b.Scans {
		now := []kv.Read{}
		for e, err := range v.Scan(ctx, s.Prefix) {
			if err != nil {
				return err
			}
			now = append(now, kv.Read{Key: e.Key, Version: e.Version})
		}
		if !slices.Equal(now, s.Entries) {
			conflict.Prefixes = append(conflict.Prefixes, s.Prefix)
		}
	}
	if len(conflict.Keys)+len(conflict.Prefixes) > 0 {
		return conflict
	}
	return nil
}

// underLook returns the store below one that is looked at.
func underLook(store kv.Store) kv.Store {
	if l, ok := store.(*looked); ok {
		return l.Store
	}
	return store
}
