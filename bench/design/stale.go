package design

import (
	"context"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/pawlkv/pawl/kv"
)

// Stale is the per-process cache as first shipped in several SDKs: whatever
// was read or written once is served from memory for as long as the process
// lives, and writes are upserts that check nothing. It is right for one
// process and wrong for two.
type Stale struct {
	kv.Store

	mu    sync.Mutex
	cache map[string]kv.Entry
}

// NewStale puts a stale cache in front of a store that other handles share.
func NewStale(store kv.Store) *Stale {
	return &Stale{Store: store, cache: map[string]kv.Entry{}}
}

// Snapshot implements [kv.Store].
func (s *Stale) Snapshot() kv.Snapshot {
	return &staleSnapshot{Snapshot: s.Store.Snapshot(), stale: s}
}

// Commit writes without checking what was read, then caches what it wrote.
func (s *Stale) Commit(ctx context.Context, b *kv.Batch) (kv.Version, error) {
	unchecked := *b
	unchecked.Reads, unchecked.Scans = nil, nil
	v, err := s.Store.Commit(ctx, &unchecked)
	if err == nil {
		s.remember(b.Writes, v)
	}
	return v, err
}

func (s *Stale) remember(writes []kv.Write, v kv.Version) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range writes {
		if w.Delete {
			s.cache[w.Key] = kv.Entry{Key: w.Key}
			continue
		}
		s.cache[w.Key] = kv.Entry{Key: w.Key, Value: slices.Clone(w.Value), Version: v}
	}
}

// Close forgets the cache; the store under it stays open for its owner.
func (s *Stale) Close() error {
	s.forget()
	return nil
}

func (s *Stale) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.cache)
}

type staleSnapshot struct {
	kv.Snapshot
	stale *Stale
}

// Get answers from the cache where it can.
func (s *staleSnapshot) Get(ctx context.Context, keys ...string) ([]kv.Entry, error) {
	s.stale.mu.Lock()
	defer s.stale.mu.Unlock()
	var missing []string
	for _, key := range keys {
		if _, cached := s.stale.cache[key]; !cached {
			missing = append(missing, key)
		}
	}
	read, err := s.Snapshot.Get(ctx, missing...)
	if err != nil {
		return nil, err
	}
	for _, e := range read {
		s.stale.cache[e.Key] = e
	}
	entries := make([]kv.Entry, len(keys))
	for i, key := range keys {
		entries[i] = s.stale.cache[key]
	}
	return entries, nil
}

// Scan lists the store, with cached entries in place of stored ones.
func (s *staleSnapshot) Scan(ctx context.Context, prefix string) iter.Seq2[kv.Entry, error] {
	return func(yield func(kv.Entry, error) bool) {
		merged := map[string]kv.Entry{}
		for e, err := range s.Snapshot.Scan(ctx, prefix) {
			if err != nil {
				yield(kv.Entry{}, err)
				return
			}
			merged[e.Key] = e
		}
		s.overlay(prefix, merged)
		for _, key := range slices.Sorted(maps.Keys(merged)) {
			if !yield(merged[key], nil) {
				return
			}
		}
	}
}

func (s *staleSnapshot) overlay(prefix string, merged map[string]kv.Entry) {
	s.stale.mu.Lock()
	defer s.stale.mu.Unlock()
	for key, e := range s.stale.cache {
		if !strings.HasPrefix(key, prefix) {
			continue
		}
		if e.Exists() {
			merged[key] = e
		} else {
			delete(merged, key)
		}
	}
}
