package pgkv

import (
	"context"
	"fmt"
	"iter"
	"sync"

	"github.com/pawlkv/pawl/kv"
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
	returned returned
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
			n.returned.add(entries)
		}
		return err
	})
	return entries, err
}

// Scan implements kv.Snapshot. Between the parts that it reads the view moves on.
func (n *snapshot) Scan(ctx context.Context, prefix string) iter.Seq2[kv.Entry, error] {
	return func(yield func(kv.Entry, error) bool) {
		s := &scan{view: n, scanned: scanned{prefix: prefix}, rest: true}
		for {
			entry, more, err := s.next(ctx)
			if err != nil {
				yield(kv.Entry{}, err)
				return
			}
			if !more || !yield(entry, nil) {
				return
			}
		}
	}
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

// read makes a call of one of the functions of read.sql, and moves the view to the
// state that it reads. It returns the entries of the keys that were asked for, or those
// of a scan if none were, and whether there may be more of them.
func (n *snapshot) read(ctx context.Context, c *call, keys []string) (entries []kv.Entry, more bool, err error) {
	rows, err := n.store.read(ctx, c)
	if err != nil {
		return nil, false, err
	}
	if keys != nil {
		entries = make([]kv.Entry, len(keys))
		for i, key := range keys {
			entries[i].Key = key
		}
	}
	head := n.version
	for _, r := range rows {
		kind, version := r.binary(0), kv.Version(r.binary(1))
		switch {
		case kind == 0:
			head = version
		case kind == -1 && !n.returned.stands(string(r[2]), version), kind == -2 && !n.returned.nothing():
			n.gone = fmt.Errorf("%w: something that the view has returned: take a new snapshot", kv.ErrConflict)
			return nil, false, n.gone
		case kind == -3:
			more = true
		case kind > 0 && keys != nil:
			entries[kind-1].Version, entries[kind-1].Value = version, r[3]
		case kind > 0:
			entries = append(entries, kv.Entry{Key: string(r[2]), Value: r[3], Version: version})
		}
	}
	n.begun, n.version = true, head
	return entries, more, nil
}

// scan is one that is under way. What it has read ahead counts as long as the
// view has not moved on.
type scan struct {
	scanned
	view  *snapshot
	begun bool
	ahead []kv.Entry
	at    kv.Version // of the view when they were read
	rest  bool       // there may be more behind them
}

// next returns the next entry, if there is one.
func (s *scan) next(ctx context.Context) (entry kv.Entry, more bool, err error) {
	err = s.view.with(ctx, func() error {
		if !s.begun || len(s.ahead) == 0 && s.rest || len(s.ahead) > 0 && s.at != s.view.version {
			if err := s.readAhead(ctx); err != nil {
				return err
			}
		}
		if len(s.ahead) == 0 {
			s.whole = true
			return nil
		}
		entry, s.ahead, more = s.ahead[0], s.ahead[1:], true
		s.yielded = append(s.yielded, kv.Read{Key: entry.Key, Version: entry.Version})
		return nil
	})
	return entry, more, err
}

// What a scan reads ahead at most; one entry more once it has so many bytes.
const (
	aheadRows  = 500
	aheadBytes = 1 << 20
)

// readAhead reads a part.
func (s *scan) readAhead(ctx context.Context) (err error) {
	c := newCall("scan", s.view.store.space).number(s.view.seen()).
		bytes(s.end()).bytes(after(s.prefix)).number(aheadRows).number(aheadBytes)
	if s.ahead, s.rest, err = s.view.read(ctx, c, nil); err != nil {
		return err
	}
	if !s.begun {
		s.begun = true
		s.view.returned.scans = append(s.view.returned.scans, &s.scanned)
	}
	s.at = s.view.version
	return nil
}
