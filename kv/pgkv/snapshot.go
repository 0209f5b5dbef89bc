package pgkv

import (
	"context"
	"fmt"
	"iter"
	"sync"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/internal/views"
)

// snapshot is a view that moves on. Each call is one statement, which reads the newest
// state and the keys that were written since the call before.
type snapshot struct {
	store *Store
	turn  chan struct{} // has room for one: who reads

	mu     sync.Mutex
	closed bool

	// Of who reads.
	begun    bool
	version  kv.Version // of the last call
	returned views.Returned
	gone     error // why nothing more can be read
}

func newSnapshot(s *Store) *snapshot { return &snapshot{store: s, turn: make(chan struct{}, 1)} }

// Get implements kv.Snapshot.
func (n *snapshot) Get(ctx context.Context, keys ...string) (entries []kv.Entry, err error) {
	for _, key := range keys {
		if err := kv.CheckKey(key); err != nil {
			return nil, err
		}
	}
	err = n.with(ctx, func() error {
		entries, _, err = n.read(ctx, newCall("get", n.store.space).number(n.seen()).add(array(keys, appendKey)), keys)
		if err == nil {
			n.returned.Add(entries)
		}
		return err
	})
	return entries, err
}

// Scan implements kv.Snapshot. Between the parts that it reads the view moves on.
func (n *snapshot) Scan(ctx context.Context, prefix string) iter.Seq2[kv.Entry, error] {
	return views.Entries(prefix, func(s *views.Scan) (kv.Entry, bool, error) { return n.next(ctx, s) })
}

// Look implements kv.Looker.
func (n *snapshot) Look(ctx context.Context, keys, prefixes []string, most int) (entries []kv.Entry, begun []kv.Begun, err error) {
	for _, key := range keys {
		if err := kv.CheckKey(key); err != nil {
			return nil, nil, err
		}
	}
	err = n.with(ctx, func() error {
		uppers := make([]string, len(prefixes))
		for i, prefix := range prefixes {
			uppers[i] = after(prefix)
		}
		c := newCall("peek", n.store.space).number(n.seen()).add(array(keys, appendKey)).
			add(array(prefixes, appendKey)).add(array(uppers, appendKey)).number(int64(most))
		rows, err := n.move(ctx, c)
		if err != nil {
			return err
		}
		entries, begun = absent(keys), make([]kv.Begun, len(prefixes))
		for _, r := range rows {
			switch place := int(r.binary(0)) - 1; {
			case place < len(keys):
				entries[place] = entryOf(keys[place], r)
			default:
				b := &begun[place-len(keys)]
				b.Entries = append(b.Entries, entryOf(string(r[2]), r))
			}
		}
		n.returned.Add(entries)
		for i := range begun {
			begun[i].Whole = len(begun[i].Entries) < most
			n.returned.Begin(prefixes[i], begun[i])
		}
		return nil
	})
	return entries, begun, err
}

// Version implements kv.Snapshot. All that the view has returned stood at that of
// its last call, so that only a first call reads it.
func (n *snapshot) Version(ctx context.Context) (version kv.Version, err error) {
	err = n.with(ctx, func() (err error) {
		if !n.begun {
			_, _, err = n.read(ctx, newCall("get", n.store.space).number(n.seen()).text("{}"), nil)
		}
		version = n.version
		return err
	})
	return version, err
}

// Close implements kv.Snapshot.
func (n *snapshot) Close() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.closed = true
}

// usable returns why the view cannot be read.
func (n *snapshot) usable(ctx context.Context) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return kv.ErrClosed
	}
	return n.store.usable(ctx)
}

// with calls fn alone.
func (n *snapshot) with(ctx context.Context, fn func() error) error {
	if err := n.usable(ctx); err != nil {
		return err
	}
	select {
	case n.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-n.turn }()
	if err := n.usable(ctx); err != nil {
		return err
	}
	if n.gone != nil {
		return n.gone
	}
	return fn()
}

// seen is the version since which the server tells what was written.
func (n *snapshot) seen() int64 {
	if !n.begun {
		return -1
	}
	return int64(n.version)
}

// read makes a call of one of the functions of read.sql. It returns the entries of the
// keys that were asked for, or those of a scan if none were, and whether there may be
// more of them.
func (n *snapshot) read(ctx context.Context, c *call, keys []string) (entries []kv.Entry, more bool, err error) {
	rows, err := n.move(ctx, c)
	if err != nil {
		return nil, false, err
	}
	if keys != nil {
		entries = absent(keys)
	}
	for _, r := range rows {
		switch kind := r.binary(0); {
		case kind == -3:
			more = true
		case keys != nil:
			entries[kind-1] = entryOf(keys[kind-1], r)
		default:
			entries = append(entries, entryOf(string(r[2]), r))
		}
	}
	return entries, more, nil
}

// absent are entries of keys as long as nothing was found.
func absent(keys []string) []kv.Entry {
	entries := make([]kv.Entry, len(keys))
	for i, key := range keys {
		entries[i].Key = key
	}
	return entries
}

func entryOf(key string, r row) kv.Entry {
	return kv.Entry{Key: key, Version: kv.Version(r.binary(1)), Value: r[3]}
}

// move makes a call of one of the functions of read.sql, and moves the view to the state
// that it reads. It returns the rows that say what there is.
func (n *snapshot) move(ctx context.Context, c *call) (found []row, err error) {
	rows, err := n.store.read(ctx, c)
	if err != nil {
		return nil, err
	}
	head := n.version
	for _, r := range rows {
		kind, version := r.binary(0), kv.Version(r.binary(1))
		switch {
		case kind == 0:
			head = version
		case kind == -1 && !n.returned.Stands(string(r[2]), version), kind == -2 && !n.returned.Nothing():
			n.gone = fmt.Errorf("%w: something that the view has returned: take a new snapshot", kv.ErrConflict)
			return nil, n.gone
		case kind == -3 || kind > 0:
			found = append(found, r)
		}
	}
	n.begun, n.version = true, head
	return found, nil
}

// What a scan reads ahead at most; one entry more once it has so many bytes.
const (
	aheadRows  = 500
	aheadBytes = 1 << 20
)

// next returns the next entry of a scan, if there is one.
func (n *snapshot) next(ctx context.Context, s *views.Scan) (entry kv.Entry, more bool, err error) {
	err = n.with(ctx, func() (err error) {
		entry, more, err = s.Next(&n.returned, n.version, func(from string) (part views.Part, err error) {
			c := newCall("scan", n.store.space).number(n.seen()).
				bytes(from).bytes(after(s.Prefix)).number(aheadRows).number(aheadBytes)
			part.Entries, part.More, err = n.read(ctx, c, nil)
			part.At = n.version
			return part, err
		})
		return err
	})
	return entry, more, err
}
