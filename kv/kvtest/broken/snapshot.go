package broken

import (
	"context"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/pawlkv/pawl/kv"
)

// snapshot is a copy of the whole map, made by the first call.
type snapshot struct {
	store *Store

	mu      sync.Mutex
	closed  bool
	fixed   bool
	calls   int
	version kv.Version
	entries map[string]kv.Entry
}

// Get implements kv.Snapshot.
func (n *snapshot) Get(ctx context.Context, keys ...string) ([]kv.Entry, error) {
	entries, _, err := n.view(ctx)
	if err != nil {
		return nil, err
	}
	var got []kv.Entry
	for i, key := range keys {
		if n.store.flaw == GetUnique && slices.Contains(keys[:i], key) {
			continue
		}
		if err := kv.CheckKey(key); err != nil && n.store.flaw != InvalidIgnored {
			return nil, err
		}
		entry := entries[key]
		entry.Key = key
		got = append(got, entry)
	}
	return got, nil
}

// Scan implements kv.Snapshot.
func (n *snapshot) Scan(ctx context.Context, prefix string) iter.Seq2[kv.Entry, error] {
	return func(yield func(kv.Entry, error) bool) {
		entries, _, err := n.view(ctx)
		for _, key := range n.matching(entries, prefix) {
			if _, _, err = n.view(ctx); err != nil {
				break
			}
			if !yield(entries[key], nil) {
				return
			}
		}
		if err != nil {
			yield(kv.Entry{}, err)
		}
	}
}

// Look implements kv.Looker.
func (n *snapshot) Look(ctx context.Context, keys, prefixes []string, most int) ([]kv.Entry, []kv.Begun, error) {
	found, err := n.Get(ctx, keys...)
	begun := make([]kv.Begun, len(prefixes))
	for i, prefix := range prefixes {
		entries, _, err := n.view(ctx)
		if err != nil {
			return nil, nil, err
		}
		all := n.matching(entries, prefix)
		for _, key := range all[:min(most, len(all))] {
			begun[i].Entries = append(begun[i].Entries, entries[key])
		}
		begun[i].Whole = len(all) <= most || n.store.flaw == LookWhole
	}
	return found, begun, err
}

func (n *snapshot) matching(entries map[string]kv.Entry, prefix string) []string {
	var keys []string
	for key := range entries {
		if n.begins(key, prefix) {
			keys = append(keys, key)
		}
	}
	if slices.Sort(keys); n.store.flaw == ScanOrder {
		slices.Reverse(keys)
	}
	return keys
}

func (n *snapshot) begins(key, prefix string) bool {
	if n.store.flaw != ScanEnd || prefix == "" {
		return strings.HasPrefix(key, prefix)
	}
	end := []byte(prefix)
	end[len(end)-1]++
	return prefix <= key && key < string(end)
}

// Version implements kv.Snapshot.
func (n *snapshot) Version(ctx context.Context) (kv.Version, error) {
	_, version, err := n.view(ctx)
	if err == nil && n.store.flaw == VersionAhead {
		version = n.store.head()
	}
	return version, err
}

// Close implements kv.Snapshot.
func (n *snapshot) Close() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.closed = n.store.flaw != ViewOutlast
}

func (n *snapshot) view(ctx context.Context) (map[string]kv.Entry, kv.Version, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return nil, 0, kv.ErrClosed
	}
	if err := n.store.closedOr(ctx.Err()); err != nil && (n.store.flaw != CancelIgnored || err == kv.ErrClosed) {
		return nil, 0, err
	}
	if n.calls++; n.store.flaw == ViewsEnd && n.calls > 2 {
		return nil, 0, kv.ErrConflict
	}
	if !n.fixed || n.store.flaw == ViewMoves {
		n.fix()
	}
	return n.entries, n.version, nil
}

func (n *snapshot) fix() {
	disk := n.store.disk
	disk.mu.Lock()
	defer disk.mu.Unlock()
	n.fixed, n.version, n.entries = true, disk.head, maps.Clone(disk.entries)
	if n.store.flaw == ViewLags && n.store.before != nil {
		n.entries = maps.Clone(n.store.before)
	}
}
