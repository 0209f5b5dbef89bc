package bbolttest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"

	"go.etcd.io/bbolt"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/sharekv"
	"github.com/pawlkv/pawl/kv/sharekv/sharetest"
)

// engine is an open store.
type engine struct {
	sharetest.Options
	place *sharekv.Place
	id    sharekv.ID
	db    *bbolt.DB
	keep  int // commit IDs

	committing sync.Mutex // one commit at a time
	stopped    bool
	failed     error // why nothing more is committed

	mu     sync.Mutex
	closed bool
	open   map[*snapshot]struct{} // which bbolt waits for when it is closed
}

// ID implements sharekv.LocalEngine.
func (e *engine) ID() sharekv.ID { return e.id }

// Snapshot implements sharekv.LocalEngine.
func (e *engine) Snapshot() kv.Snapshot { return &snapshot{engine: e} }

// Commit implements sharekv.LocalEngine.
func (e *engine) Commit(ctx context.Context, b *kv.Batch) (kv.Version, error) {
	if len(b.Writes) == 0 {
		return e.validate(ctx, b)
	}
	e.committing.Lock()
	defer e.committing.Unlock()
	switch {
	case e.stopped || !e.place.Held():
		return 0, kv.ErrClosed
	case ctx.Err() != nil:
		return 0, ctx.Err()
	case e.failed != nil:
		return 0, fmt.Errorf("%w: open it again: %w", kv.ErrUnavailable, e.failed)
	}
	tx, err := e.db.Begin(true)
	if err != nil {
		return 0, fmt.Errorf("%w: %w", kv.ErrUnavailable, err)
	}
	// An ID that is known is answered before the reads are checked: its own
	// writes have made them stale, or they hold again.
	version, err := resolve(tx, b.ID)
	if version != 0 || err != nil {
		return version, errors.Join(err, tx.Rollback())
	}
	version = head(tx) + 1
	if refusal := check(tx, b); refusal != nil {
		return 0, e.refuse(tx, version, b, refusal)
	}
	err = errors.Join(write(tx, b, version), remember(tx, b.ID, version, false, e.keep), setHead(tx, version))
	if err != nil {
		return 0, errors.Join(err, tx.Rollback())
	}
	return version, e.finish(tx, version, b.Writes)
}

// refuse answers a batch whose reads hold no more, and records the ID of one that
// was tried before at a version at which nothing changes.
func (e *engine) refuse(tx *bbolt.Tx, version kv.Version, b *kv.Batch, refusal error) error {
	if !b.Again {
		return errors.Join(refusal, tx.Rollback())
	}
	err := errors.Join(remember(tx, b.ID, version, true, e.keep), setHead(tx, version))
	if err != nil {
		return errors.Join(fmt.Errorf("%w: %w", kv.ErrUnknown, err), tx.Rollback())
	}
	if err := e.finish(tx, version); err != nil {
		return err
	}
	return refusal
}

// finish makes a version durable and tells of it.
func (e *engine) finish(tx *bbolt.Tx, version kv.Version, commits ...[]kv.Write) error {
	sharetest.Call(e.Committing)
	e.place.Show(func() (kv.Version, [][]kv.Write) {
		if e.failed = tx.Commit(); e.failed != nil {
			return 0, nil
		}
		return version, commits
	})
	if e.failed != nil {
		return fmt.Errorf("%w: %w", kv.ErrUndecided, e.failed)
	}
	sharetest.Call(e.Committed)
	return nil
}

// validate checks a batch without writes in a view of its own.
func (e *engine) validate(ctx context.Context, b *kv.Batch) (version kv.Version, err error) {
	view := &snapshot{engine: e}
	defer view.Close()
	err = view.do(ctx, func(tx *bbolt.Tx) error {
		version = head(tx)
		return check(tx, b)
	})
	if err != nil {
		return 0, err
	}
	return version, nil
}

// check returns a *kv.ConflictError for reads and scans that hold no more.
func check(tx *bbolt.Tx, b *kv.Batch) error {
	var stale kv.ConflictError
	for _, r := range b.Reads {
		if get(tx, r.Key).Version != r.Version {
			stale.Keys = append(stale.Keys, r.Key)
		}
	}
	for _, s := range b.Scans {
		if !yieldsSame(tx, s) {
			stale.Prefixes = append(stale.Prefixes, s.Prefix)
		}
	}
	if len(stale.Keys)+len(stale.Prefixes) > 0 {
		return &stale
	}
	return nil
}

func yieldsSame(tx *bbolt.Tx, scan kv.ScanRead) bool {
	rest, prefix := scan.Entries, []byte(scan.Prefix)
	c := tx.Bucket(entriesBucket).Cursor()
	for key, stored := c.Seek(prefix); key != nil && bytes.HasPrefix(key, prefix); key, stored = c.Next() {
		if len(rest) == 0 || rest[0] != (kv.Read{Key: string(key), Version: entryOf(string(key), stored).Version}) {
			return false
		}
		rest = rest[1:]
	}
	return len(rest) == 0
}

// Flatten implements sharekv.LocalEngine: bbolt writes over what is freed, in
// its own time.
func (e *engine) Flatten(ctx context.Context) error { return ctx.Err() }

// Stop implements sharekv.LocalEngine.
func (e *engine) Stop() {
	e.committing.Lock()
	defer e.committing.Unlock()
	e.stopped = true
}

// Close implements sharekv.LocalEngine.
func (e *engine) Close() error {
	e.Stop()
	e.mu.Lock()
	e.closed = true
	open := e.open
	e.open = nil
	e.mu.Unlock()
	for view := range open {
		view.Close()
	}
	return e.db.Close()
}
