//go:build js

package idbkv

import (
	"context"
	"errors"
	"fmt"
	"syscall/js"

	"github.com/pawlkv/pawl/kv"
)

// Open opens the store in the database of that name, of the origin that the program runs
// in, and makes it if there is none. The browser must have IndexedDB, Web Locks and
// BroadcastChannel, which pages, workers and service workers of a secure context have.
//
// Errors: the context's, kv.ErrInUse (another tab does not let go of the database),
// kv.ErrForeign, kv.ErrNewer, kv.ErrCorrupt, kv.ErrDiskFull, kv.ErrUnavailable, kv.ErrUnusable
// (the browser keeps the database from us, or commits that are not durable).
func Open(ctx context.Context, name string, options ...Option) (*Store, error) {
	set := newSettings(options)
	s, err := open(ctx, name, set)
	if err != nil {
		return nil, fmt.Errorf("idbkv: open the store: %w", err)
	}
	return s, nil
}

func open(ctx context.Context, name string, set settings) (_ *Store, err error) {
	if err := checkBrowser(); err != nil {
		return nil, err
	}
	l := newLocks(name)
	// Before the format is read: nobody raises it from now on.
	format, err := l.take(ctx, l.format(), sharedLock, set.wait)
	if err != nil {
		return nil, fmt.Errorf("the lock of the format: %w", err)
	}
	defer func() {
		if err != nil {
			format.release()
			l.close()
		}
	}()
	if err := l.know(ctx, set.wait); err != nil {
		return nil, err
	}
	db, err := openLayout(ctx, name, set)
	if err != nil {
		return nil, err
	}
	s := newStore(name, set, l, newConnection(db))
	s.formatLock = format
	if err := s.examine(ctx); err != nil {
		s.discard()
		return nil, err
	}
	go s.committer.run()
	return s, nil
}

// checkBrowser looks for what the engine needs.
func checkBrowser() error {
	locks := js.Undefined()
	if navigator := js.Global().Get("navigator"); navigator.Truthy() {
		locks = navigator.Get("locks")
	}
	for _, needed := range []struct {
		what  string
		value js.Value
	}{
		{"IndexedDB", indexedDB},
		{"Web Locks (a page that was loaded over https, or from localhost)", locks},
		{"BroadcastChannel", js.Global().Get("BroadcastChannel")},
	} {
		if !needed.value.Truthy() {
			return fmt.Errorf("%w: there is no %s", kv.ErrUnusable, needed.what)
		}
	}
	return nil
}

// openLayout opens the database as this program lays it out.
func openLayout(ctx context.Context, name string, set settings) (js.Value, error) {
	db, err := openDatabase(ctx, name, set.layout, set.wait)
	switch {
	case isThrown(err, "VersionError"):
		return db, whoseVersion(ctx, name, set)
	case isThrown(err, "QuotaExceededError"):
		return db, fmt.Errorf("%w: %w", kv.ErrDiskFull, err)
	case isThrown(err, "AbortError"):
		return db, fmt.Errorf("%w: the browser has given the opening up: %w", kv.ErrUnavailable, err)
	case errors.As(err, new(thrownError)):
		return db, fmt.Errorf("%w: the browser does not open the database: %w", kv.ErrUnusable, err)
	}
	return db, err
}

// whoseVersion tells whether a database of a higher version is a store.
func whoseVersion(ctx context.Context, name string, set settings) error {
	db, err := openDatabase(ctx, name, 0, set.wait)
	if err != nil {
		return fmt.Errorf("%w: the database has a higher version, and cannot be looked at: %w", kv.ErrUnusable, err)
	}
	defer db.Call("close")
	version := db.Get("version").Int()
	if !db.Get("objectStoreNames").Call("contains", metaStore).Bool() {
		return fmt.Errorf("%w: it has version %d and no object store %q", kv.ErrForeign, version, metaStore)
	}
	t, err := begin(db, reading, false, metaStore)
	if err != nil {
		return fmt.Errorf("%w: %w", kv.ErrUnusable, err)
	}
	var ours bool
	t.start(func() error {
		made := t.ask(t.store(metaStore).Call("get", madeBy))
		return t.then(func() error {
			ours = made.Get("result").Type() == js.TypeNumber
			return nil
		})
	})
	select {
	case end := <-t.done:
		switch {
		case !end.completed:
			return end.ofRead(t.why)
		case ours:
			return fmt.Errorf("%w: its object stores are those of version %d, this program knows version %d", kv.ErrNewer, version, set.layout)
		}
		return fmt.Errorf("%w: its version is %d", kv.ErrForeign, version)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// examine looks whether the database is a store of a format that this program reads, and
// whether its commits are durable.
func (s *Store) examine(ctx context.Context) error {
	names := s.conn.db.Get("objectStoreNames")
	for _, name := range allStores {
		if !names.Call("contains", name).Bool() {
			return fmt.Errorf("%w: it has no object store %q", kv.ErrForeign, name)
		}
	}
	format, err := s.readFormat(ctx)
	if err != nil {
		return err
	}
	if format > s.set.format {
		return fmt.Errorf("%w: it has format %d, this program reads up to %d", kv.ErrNewer, format, s.set.format)
	}
	return s.checkDurability()
}

// readFormat reads the format that the store has now.
func (s *Store) readFormat(ctx context.Context) (format kv.Format, err error) {
	err = s.read(ctx, []any{metaStore}, func(t *tx) error {
		made := t.ask(t.store(metaStore).Call("get", madeBy))
		stored := t.ask(t.store(metaStore).Call("get", formatKey))
		return t.then(func() error {
			if made.Get("result").Type() != js.TypeNumber {
				return fmt.Errorf("%w: its object stores are named as ours, and nothing says that it is a store", kv.ErrForeign)
			}
			if format = kv.Format(numberOf(stored.Get("result"))); format < kv.Format1 {
				return fmt.Errorf("%w: it does not say which format it has", kv.ErrCorrupt)
			}
			t.answer()
			return nil
		})
	})
	return format, err
}

// checkDurability asks for a strict transaction, and looks whether it is one.
func (s *Store) checkDurability() error {
	if s.set.unsynced {
		return nil
	}
	t, err := begin(s.conn.db, writing, true, metaStore)
	if err != nil {
		return s.conn.why(err)
	}
	said := t.value.Get("durability")
	t.abort(nil)
	if said.Type() != js.TypeString || said.String() != "strict" {
		return fmt.Errorf("%w: the browser does not say that its commits are durable: what is acknowledged may be lost by power failure (WithoutSync opens the store all the same)", kv.ErrUnusable)
	}
	return nil
}
