package memkv

import (
	"context"
	"iter"
	"strings"
	"sync"

	"github.com/tidwall/btree"

	"github.com/pawlkv/pawl/kv"
)

// snapshot is a copy of the tree, made by the first call. The copy is only
// read, so that any number of calls may share it.
type snapshot struct {
	store *Store

	mu      sync.Mutex
	closed  bool
	tree    *btree.Map[string, kv.Entry] // nil before the first call
	version kv.Version
}

// Get implements kv.Snapshot.
func (n *snapshot) Get(ctx context.Context, keys ...string) ([]kv.Entry, error) {
	for _, key := range keys {
		if err := kv.CheckKey(key); err != nil {
			return nil, err
		}
	}
	tree, _, err := n.fix(ctx)
	if err != nil {
		return nil, err
	}
	entries := make([]kv.Entry, len(keys))
	for i, key := range keys {
		entries[i], _ = tree.Get(key)
		entries[i].Key = key
	}
	return entries, nil
}

// Scan implements kv.Snapshot. What happens between two entries, such as a
// Close, is seen by the next.
func (n *snapshot) Scan(ctx context.Context, prefix string) iter.Seq2[kv.Entry, error] {
	return func(yield func(kv.Entry, error) bool) {
		tree, _, err := n.fix(ctx)
		if err != nil {
			yield(kv.Entry{}, err)
			return
		}
		tree.Ascend(prefix, func(key string, entry kv.Entry) bool {
			if !strings.HasPrefix(key, prefix) {
				return false
			}
			if _, _, err := n.fix(ctx); err != nil {
				yield(kv.Entry{}, err)
				return false
			}
			return yield(entry, nil)
		})
	}
}

// Version implements kv.Snapshot.
func (n *snapshot) Version(ctx context.Context) (kv.Version, error) {
	_, version, err := n.fix(ctx)
	return version, err
}

// Close implements kv.Snapshot.
func (n *snapshot) Close() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.closed, n.tree = true, nil
}

// fix returns the view, and fixes it if nothing has yet.
func (n *snapshot) fix(ctx context.Context) (*btree.Map[string, kv.Entry], kv.Version, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return nil, 0, kv.ErrClosed
	}
	if err := n.store.checkOpen(); err != nil {
		return nil, 0, err
	}
	if err := ctx.Err(); err != nil {
		return nil, 0, err
	}
	if n.tree != nil {
		return n.tree, n.version, nil
	}
	tree, version, err := n.store.view()
	if err != nil {
		return nil, 0, err
	}
	n.tree, n.version = tree, version
	return tree, version, nil
}
