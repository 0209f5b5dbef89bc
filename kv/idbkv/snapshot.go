//go:build js

package idbkv

import (
	"context"
	"fmt"
	"iter"
	"syscall/js"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/internal/views"
)

// snapshot is a view that moves on. Each call has a transaction of its own; one that
// finds a newer state looks first whether all that the view has returned stands in it.
type snapshot struct {
	store *Store
	busy  chan struct{} // has a token for the time of a read, and guards the rest

	version  kv.Version // of the last call
	begun    bool
	returned views.Returned
	gone     error // why nothing more can be read
	closed   bool
}

// Get implements kv.Snapshot.
func (n *snapshot) Get(ctx context.Context, keys ...string) (entries []kv.Entry, err error) {
	for _, key := range keys {
		if err := kv.CheckKey(key); err != nil {
			return nil, err
		}
	}
	if err := n.enter(ctx); err != nil {
		return nil, err
	}
	defer n.leave()
	if err := n.usable(ctx); err != nil {
		return nil, err
	}
	found := make([]js.Value, len(keys))
	entries = make([]kv.Entry, len(keys))
	err = n.read(ctx, func(t *tx, then func() error) error {
		store := t.store(entriesStore)
		return t.inSteps(len(keys), func(i int) {
			found[i] = t.ask(store.Call("get", keyToJS(keys[i])))
		}, func(i int) (err error) {
			entries[i], err = entryOf(keys[i], found[i].Get("result"))
			found[i] = js.Value{}
			return err
		}, then)
	}, func() error { return nil })
	if err != nil {
		return nil, err
	}
	n.returned.Add(entries)
	return entries, nil
}

// Scan implements kv.Snapshot. Between the pages that it reads the view moves on.
func (n *snapshot) Scan(ctx context.Context, prefix string) iter.Seq2[kv.Entry, error] {
	page := newPager()
	return views.Entries(prefix, func(s *views.Scan) (kv.Entry, bool, error) { return n.next(ctx, s, page) })
}

// next returns the next entry of a scan, if there is one.
func (n *snapshot) next(ctx context.Context, s *views.Scan, page *pager) (entry kv.Entry, more bool, err error) {
	if err := n.enter(ctx); err != nil {
		return entry, false, err
	}
	defer n.leave()
	if err := n.usable(ctx); err != nil {
		return entry, false, err
	}
	return s.Next(&n.returned, n.version, func(from string) (part views.Part, err error) {
		part, err = n.page(ctx, s.Prefix, from, page)
		part.At = n.version
		return part, err
	})
}

// page reads entries with a prefix, beginning with the first that is not less than from.
func (n *snapshot) page(ctx context.Context, prefix, from string, page *pager) (part views.Part, err error) {
	var keys, values js.Value
	asked := page.size
	err = n.read(ctx, func(t *tx, then func() error) error {
		store, within := t.store(entriesStore), prefixed(prefix, from)
		keys = t.ask(store.Call("getAllKeys", within, asked))
		values = t.ask(store.Call("getAll", within, asked))
		return t.then(then)
	}, func() error {
		keys, values := keys.Get("result"), values.Get("result")
		size := 0
		for i := range keys.Length() {
			key, err := keyOf(keys.Index(i))
			if err != nil {
				return err
			}
			entry, err := entryOf(key, values.Index(i))
			if err != nil {
				return err
			}
			size += len(entry.Value)
			part.Entries = append(part.Entries, entry)
		}
		part.More = len(part.Entries) == asked
		page.read(len(part.Entries), size)
		return nil
	})
	return part, err
}

// Version implements kv.Snapshot. All that the view has returned stood at that of its
// last call, so that only a first call reads it.
func (n *snapshot) Version(ctx context.Context) (kv.Version, error) {
	if err := n.enter(ctx); err != nil {
		return 0, err
	}
	defer n.leave()
	if err := n.usable(ctx); err != nil || n.begun {
		return n.version, err
	}
	err := n.read(ctx, (*tx).then, func() error { return nil })
	return n.version, err
}

// Close implements kv.Snapshot.
func (n *snapshot) Close() {
	n.busy <- struct{}{}
	n.closed = true
	n.returned = views.Returned{}
	<-n.busy
}

// enter waits until nobody else reads the view.
func (n *snapshot) enter(ctx context.Context) error {
	select {
	case n.busy <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (n *snapshot) leave() { <-n.busy }

// usable returns why the view cannot be read. Callers have entered.
func (n *snapshot) usable(ctx context.Context) error {
	if n.closed {
		return kv.ErrClosed
	}
	if err := n.store.ended(ctx); err != nil {
		return err
	}
	return n.gone
}

// read makes requests in one transaction, in one step or several, and takes what they found
// when the view stands in its state. Callers have entered.
func (n *snapshot) read(ctx context.Context, ask func(t *tx, then func() error) error, take func() error) error {
	var head kv.Version
	gone := false
	err := n.store.read(ctx, []any{entriesStore, commitsStore, changesStore}, func(t *tx) error {
		newest := askHead(t)
		return ask(t, func() error {
			head = newest.version()
			return n.move(t, head, func(stands bool) error {
				if gone = !stands; stands {
					if err := take(); err != nil {
						return err
					}
				}
				t.answer()
				return nil
			})
		})
	})
	switch {
	case err != nil:
		return err
	case gone:
		n.gone = fmt.Errorf("%w: something that the view has returned: take a new snapshot", kv.ErrConflict)
		return n.gone
	}
	n.version, n.begun = head, true
	return nil
}

// move tells whether all that the view has returned stands at a version.
func (n *snapshot) move(t *tx, head kv.Version, then func(stands bool) error) error {
	switch {
	case !n.begun || head == n.version || n.returned.Nothing():
		return then(true)
	case head < n.version: // not of this store's history
		return then(false)
	}
	m := &moving{tx: t, returned: &n.returned, after: n.version, head: head, latest: make(map[string]kv.Version), then: then}
	return m.ask()
}

// pager says how many entries are read at once: few at first, since nobody knows
// how large they are.
type pager struct{ size int }

// Bounds of what is read at once.
const (
	firstPage = 16
	mostPage  = 512
	pageBytes = 1 << 20
)

func newPager() *pager { return &pager{size: firstPage} }

// read notes how large a page was.
func (p *pager) read(entries, bytes int) {
	if entries > 0 {
		p.size = min(max(entries*pageBytes/max(bytes, 1), 1), mostPage)
	}
}
