package pawl_test

import (
	"context"
	"errors"
	"flag"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/pawlkv/pawl/internal/proof/story"
	"github.com/pawlkv/pawl/kv"
)

var rewriteStories = flag.Bool("story.rewrite", false, "shrink a failing program anew for each wrong design and keep it")

// wrong is a design that is wrong on purpose.
type wrong struct {
	design story.Design
	caught story.Oracle // by which the schedules must notice
	within uint64       // so many schedules
	quiet  bool         // it shows when all is quiet, not before
}

// fails reports whether the oracle that must notice does so in a program.
func (d wrong) fails(t testing.TB, p story.Program) bool {
	out := run(t, p, d.design)
	if d.quiet {
		return out.Violations.Has(d.caught)
	}
	return out.Violations[:out.During].Has(d.caught)
}

// designs are the stale cache, and Pawl with one thing left out.
var designs = map[string]wrong{
	"stale":                   {story.Stale, story.FalseFailure, 100, false},
	"stale-reuse":             {story.Stale, story.KeyReuse, 50, false},
	"no-check-of-reads":       {noReadCheck, story.KeyReuse, 500, false},
	"release-before-commit":   {releaseAnyway, story.KeyReuse, 500, false},
	"no-tombstone":            {dropWrites("/otk/", "/session/"), story.OneTimeKeys, 50, true},
	"no-receipt":              {dropWrites("/receipt/", ""), story.FalseFailure, 50, false},
	"no-look-at-receipts":     {hide("/receipt/"), story.FalseFailure, 50, false},
	"offered-is-not-written":  {dropRewrites("/otk-pool"), story.Uploads, 500, false},
	"session-is-not-written":  {dropWrites("/session/", ""), story.Consistency, 50, true},
	"key-used-before-session": {tombstoneFirst, story.OneTimeKeys, 500, true},
}

// TestDesigns shows for each wrong design that the oracles catch it soon.
func TestDesigns(t *testing.T) {
	for name, d := range designs {
		t.Run(name, func(t *testing.T) {
			var first atomic.Uint64
			eachSeed(1, d.within, func(seed uint64) bool {
				if d.fails(t, story.Generate(seed)) {
					for old := first.Load(); (old == 0 || seed < old) && !first.CompareAndSwap(old, seed); old = first.Load() {
					}
				}
				return first.Load() == 0
			})
			if first.Load() == 0 {
				t.Fatalf("%d schedules do not make oracle %s fail", d.within, d.caught)
			}
			t.Logf("oracle %s fails with seed %d", d.caught, first.Load())
			if *rewriteStories {
				keep(t, name, d, first.Load())
			}
		})
	}
}

// keep shrinks a failing program and writes it for TestStoryFiles.
func keep(t *testing.T, name string, d wrong, seed uint64) {
	out := run(t, story.Generate(seed), d.design)
	small := story.Shrink(out.Program, shrinkTries, func(p story.Program) bool { return d.fails(t, p) })
	out = run(t, small, d.design)
	file := story.File{Program: small, Design: name, Expect: out.Violations.Oracles()}
	path := filepath.Join(storyFiles, name+".story")
	if err := os.WriteFile(path, []byte(file.String()), 0o600); err != nil {
		t.Fatal(err)
	}
}

// editing changes batches on their way to the store.
type editing struct {
	kv.Store
	edit func(ctx context.Context, store kv.Store, b *kv.Batch) (kv.Version, error)
}

func (e editing) Commit(ctx context.Context, b *kv.Batch) (kv.Version, error) {
	return e.edit(ctx, e.Store, b)
}

// noReadCheck commits without looking whether what was read still holds.
func noReadCheck(store kv.Store) kv.Store {
	return editing{store, func(ctx context.Context, store kv.Store, b *kv.Batch) (kv.Version, error) {
		unchecked := *b
		unchecked.Reads, unchecked.Scans = nil, nil
		return store.Commit(ctx, &unchecked)
	}}
}

// releaseAnyway says that a commit succeeded which lost.
func releaseAnyway(store kv.Store) kv.Store {
	return editing{store, func(ctx context.Context, store kv.Store, b *kv.Batch) (kv.Version, error) {
		v, err := store.Commit(ctx, b)
		if errors.Is(err, kv.ErrConflict) {
			return b.ID.Began, nil
		}
		return v, err
	}}
}

// dropWrites leaves out the writes whose key contains kind, where the batch
// also writes a key that contains beside.
func dropWrites(kind, beside string) story.Design {
	holds := func(part string) func(kv.Write) bool {
		return func(w kv.Write) bool { return strings.Contains(w.Key, part) }
	}
	return func(store kv.Store) kv.Store {
		return editing{store, func(ctx context.Context, store kv.Store, b *kv.Batch) (kv.Version, error) {
			less := *b
			if slices.ContainsFunc(b.Writes, holds(beside)) {
				less.Writes = slices.DeleteFunc(slices.Clone(b.Writes), holds(kind))
			}
			return store.Commit(ctx, &less)
		}}
	}
}

// dropRewrites leaves out the writes whose key contains kind, but the first: one
// that is missing would show.
func dropRewrites(kind string) story.Design {
	drop := dropWrites(kind, "")
	return func(store kv.Store) kv.Store {
		return editing{drop(store), func(ctx context.Context, dropping kv.Store, b *kv.Batch) (kv.Version, error) {
			first := func(r kv.Read) bool { return strings.Contains(r.Key, kind) && r.Version == 0 }
			if slices.ContainsFunc(b.Reads, first) {
				return store.Commit(ctx, b)
			}
			return dropping.Commit(ctx, b)
		}}
	}
}

// tombstoneFirst uses a one-time key up in a commit of its own.
func tombstoneFirst(store kv.Store) kv.Store {
	isSession := func(w kv.Write) bool { return strings.Contains(w.Key, "/session/") }
	isKey := func(w kv.Write) bool { return strings.Contains(w.Key, "/otk/") }
	return editing{store, func(ctx context.Context, store kv.Store, b *kv.Batch) (kv.Version, error) {
		i := slices.IndexFunc(b.Writes, isKey)
		if i < 0 || !slices.ContainsFunc(b.Writes, isSession) {
			return store.Commit(ctx, b)
		}
		key := kv.Batch{ID: kv.NewCommitID(b.ID.Began), Writes: b.Writes[i : i+1], Sync: true}
		if _, err := store.Commit(ctx, &key); err != nil {
			return 0, err
		}
		rest := *b
		rest.Reads = slices.DeleteFunc(slices.Clone(b.Reads), func(r kv.Read) bool { return r.Key == b.Writes[i].Key })
		rest.Writes = slices.Delete(slices.Clone(b.Writes), i, i+1)
		return store.Commit(ctx, &rest)
	}}
}

// hide makes keys that contain kind look absent.
func hide(kind string) story.Design {
	return func(store kv.Store) kv.Store {
		return hiding{editing{store, func(ctx context.Context, store kv.Store, b *kv.Batch) (kv.Version, error) {
			less := *b
			less.Reads = slices.DeleteFunc(slices.Clone(b.Reads), func(r kv.Read) bool { return strings.Contains(r.Key, kind) })
			return store.Commit(ctx, &less)
		}}, kind}
	}
}

type hiding struct {
	kv.Store
	kind string
}

type hidingSnapshot struct {
	kv.Snapshot
	kind string
}

func (h hiding) Snapshot() kv.Snapshot { return hidingSnapshot{h.Store.Snapshot(), h.kind} }

func (h hidingSnapshot) Get(ctx context.Context, keys ...string) ([]kv.Entry, error) {
	entries, err := h.Snapshot.Get(ctx, keys...)
	entries = slices.Clone(entries)
	for i, e := range entries {
		if strings.Contains(e.Key, h.kind) {
			entries[i] = kv.Entry{Key: e.Key}
		}
	}
	return entries, err
}

func (h hidingSnapshot) Scan(ctx context.Context, prefix string) iter.Seq2[kv.Entry, error] {
	return h.Snapshot.Scan(ctx, prefix)
}
