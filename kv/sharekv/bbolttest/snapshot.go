package bbolttest

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"sync"

	"go.etcd.io/bbolt"

	"github.com/pawlkv/pawl/kv"
)

// snapshot is a read transaction that the first call begins. One call at a time
// uses it: bbolt's transactions are not for several.
type snapshot struct {
	engine *engine

	mu     sync.Mutex
	closed bool
	tx     *bbolt.Tx
}

// do calls fn with the transaction.
func (n *snapshot) do(ctx context.Context, fn func(tx *bbolt.Tx) error) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return kv.ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if n.tx == nil {
		if err := n.begin(); err != nil {
			return err
		}
	}
	return fn(n.tx)
}

func (n *snapshot) begin() (err error) {
	e := n.engine
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return kv.ErrClosed
	}
	if n.tx, err = e.db.Begin(false); err != nil {
		return fmt.Errorf("%w: %w", kv.ErrUnavailable, err)
	}
	e.open[n] = struct{}{}
	return nil
}

// Get implements kv.Snapshot.
func (n *snapshot) Get(ctx context.Context, keys ...string) ([]kv.Entry, error) {
	for _, key := range keys {
		if err := kv.CheckKey(key); err != nil {
			return nil, err
		}
	}
	entries := make([]kv.Entry, len(keys))
	err := n.do(ctx, func(tx *bbolt.Tx) error {
		for i, key := range keys {
			entries[i] = get(tx, key)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return entries, nil
}

// Version implements kv.Snapshot.
func (n *snapshot) Version(ctx context.Context) (version kv.Version, err error) {
	err = n.do(ctx, func(tx *bbolt.Tx) error {
		version = head(tx)
		return nil
	})
	return version, err
}

// scanPart is how many entries a scan reads at a time: between two parts the
// snapshot can be closed.
const scanPart = 100

// Scan implements kv.Snapshot.
func (n *snapshot) Scan(ctx context.Context, prefix string) iter.Seq2[kv.Entry, error] {
	return func(yield func(kv.Entry, error) bool) {
		for from, more := []byte(prefix), true; more; {
			var part []kv.Entry
			err := n.do(ctx, func(tx *bbolt.Tx) error {
				part, from = scan(tx, []byte(prefix), from)
				return nil
			})
			if err != nil {
				yield(kv.Entry{}, err)
				return
			}
			for _, entry := range part {
				if err := n.do(ctx, func(*bbolt.Tx) error { return nil }); err != nil {
					yield(kv.Entry{}, err)
					return
				}
				if !yield(entry, nil) {
					return
				}
			}
			more = from != nil
		}
	}
}

// scan returns entries with the prefix, from a key on, and the key to go on
// from, nil at the end.
func scan(tx *bbolt.Tx, prefix, from []byte) (part []kv.Entry, next []byte) {
	c := tx.Bucket(entriesBucket).Cursor()
	for key, stored := c.Seek(from); key != nil && bytes.HasPrefix(key, prefix); key, stored = c.Next() {
		if len(part) == scanPart {
			return part, bytes.Clone(key)
		}
		part = append(part, entryOf(string(key), stored))
	}
	return part, nil
}

// Close implements kv.Snapshot.
func (n *snapshot) Close() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed = true; n.tx == nil {
		return
	}
	_ = n.tx.Rollback() // of a transaction that wrote nothing
	n.tx = nil
	n.engine.mu.Lock()
	defer n.engine.mu.Unlock()
	delete(n.engine.open, n)
}
