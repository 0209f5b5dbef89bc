package txn

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/pawlkv/pawl/kv"
)

// DB runs transactions on a store. It may be used by any number of goroutines,
// and any number of DBs, in any number of processes, may use one store.
//
// No transaction starves, as long as its function ends well within
// kv.Limits.TurnLife:
//
//   - After turnAfter losses an attempt begins by taking a turn on all keys it
//     ever lost, and takes its snapshot then. Turns are granted in the order
//     asked for and each lasts at most kv.Limits.TurnLife, so the wait is bounded.
//   - While it holds the turn nobody else commits to those keys. If it loses
//     still, then on another key, and the next turn is on all keys that the
//     attempt read.
//   - If it loses again, others changed what names the keys, or what a scan
//     yields: the next turn is on the whole store. Then nobody else commits, and
//     nothing is on its way. So there are six attempts at most, whatever the
//     function reads, and in all but the last nobody waits who has other keys.
//   - Attempts from the third on read the store and not the cache, so an old
//     cache cannot add losses.
//
// WithMaxAttempts ends what this argument does not cover: turns that expire.
type DB struct {
	*core
	scope string // the account segment of keys
}

// core is what the DBs of all accounts share.
type core struct {
	store  kv.Store
	sealer Sealer
	names  *names
	opened *opened
	cache  *cache // nil: NoCache
	hot    *hotKeys
	log    *slog.Logger
	opts   options
	head   atomic.Uint64 // highest version known to have existed; 0: none
	totals totals
}

// New returns a DB on a store. Without WithSealer records cannot be used and
// every access fails with [ErrNoSealer]. The caller closes the store.
func New(store kv.Store, opts ...Option) *DB {
	o := defaults()
	for _, set := range opts {
		set(&o)
	}
	return &DB{scope: sharedScope, core: &core{
		store:  store,
		sealer: o.sealer,
		names:  newNames(o.sealer),
		opened: newOpened(),
		cache:  newCache(o.policy, o.cacheSize),
		hot:    newHotKeys(hotSize),
		log:    o.log,
		opts:   o,
	}}
}

// Account returns the DB for the records of one account. It shares the cache
// and everything else with db. Records with Shared set are the same in all.
func (db *DB) Account(name string) *DB {
	if db.sealer == nil {
		return db // every access fails anyway
	}
	return &DB{core: db.core, scope: db.sealer.Blind(name)}
}

// Store returns the store, for the few entries that are not records.
func (db *DB) Store() kv.Store { return db.store }

// Do runs fn in a transaction, commits what it wrote, and returns its result.
// fn may run several times; see the package documentation for what it may do
// and what the result is worth.
//
// Exactly one of these happens:
//
//   - fn's result and no error: committed, durable unless [Tx.Unsynced].
//   - An error of fn, unchanged: nothing was written.
//   - [*UnknownError]: may have been written; the result is withheld for good.
//   - [*StarvedError], or an error of the store or the context (wrapped; see
//     package kv for what each means): nothing was written.
//   - [ErrNested], [ErrDone], [ErrNoSealer]: a mistake of the caller.
//
// If fn panics or ends its goroutine nothing is written, and the panic goes on.
func Do[T any](ctx context.Context, db *DB, fn func(tx *Tx) (T, error)) (T, error) {
	return run(ctx, db, readWrite, fn)
}

// View runs fn in a transaction that cannot write, and returns its result. It
// is Do otherwise; writes fail with [ErrReadOnly].
func View[T any](ctx context.Context, db *DB, fn func(tx *Tx) (T, error)) (T, error) {
	return run(ctx, db, readOnly, fn)
}

func run[T any](ctx context.Context, db *DB, m mode, fn func(tx *Tx) (T, error)) (T, error) {
	var zero T
	t, err := begin(ctx, db, m)
	if err != nil {
		return zero, err
	}
	defer t.end() // also when fn panics
	for {
		tx, err := t.attempt()
		if err != nil {
			return zero, err
		}
		v, failure := fn(tx)
		retry, err := t.finish(failure)
		if retry {
			continue
		}
		t.end()
		if err != nil {
			return zero, err
		}
		tx.committed()
		return v, nil
	}
}

// transaction is one call of Do or View: attempts, until one of them decides,
// and the report of it all.
type transaction struct {
	db         *DB
	ctx        context.Context
	mode       mode
	tx         *Tx // the current attempt
	contention contention
	report     Report
	start      time.Time
	ended      bool
}

type mode bool

const (
	readOnly  mode = false
	readWrite mode = true
)

func begin(ctx context.Context, db *DB, m mode) (*transaction, error) {
	if nested(ctx, db.core) {
		return nil, ErrNested
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("txn: %w", err)
	}
	t := &transaction{db: db, ctx: ctx, mode: m, start: time.Now()}
	t.contention.t = t
	return t, nil
}

// attempt begins the next attempt, in a turn if one is due.
func (t *transaction) attempt() (*Tx, error) {
	if err := t.contention.takeDue(); err != nil {
		return nil, err
	}
	t.report.Attempts++
	tx := &Tx{db: t.db, t: t, snap: t.db.store.Snapshot()}
	tx.ctx = context.WithValue(t.ctx, insideKey{t.db.core}, tx)
	t.tx = tx
	return tx, nil
}

// finish ends the attempt: it commits, or validates, and says whether fn must
// run again. If not, err is what the caller gets, nil for fn's result.
func (t *transaction) finish(failure error) (retry bool, err error) {
	tx := t.tx
	tx.done.Store(true)
	switch {
	case errors.Is(tx.fault, kv.ErrConflict): // the snapshot is gone
		tx.close()
		return t.lose(tx.fault)
	case tx.fault != nil && errors.Is(failure, tx.fault):
		return false, failure
	case tx.fault != nil:
		return false, tx.fault
	case !tx.mustCommit(failure):
		t.report.Committed = failure == nil
		return false, failure
	}
	return t.commit(failure)
}

// lose ends an attempt, or a join, that somebody else's commit came before. It
// says whether to try again, and waits where that is better.
func (t *transaction) lose(cause error) (retry bool, err error) {
	keys, prefixes := conflictOf(cause)
	t.report.Conflicts++
	t.report.countKinds(keys, prefixes)
	t.db.cache.evict(keys, prefixes)
	if t.db.log.Enabled(t.ctx, slog.LevelDebug) { // a conflict is no rare event
		t.db.log.LogAttrs(t.ctx, slog.LevelDebug, "conflict: the transaction runs again", slog.Any("keys", keys),
			slog.Any("prefixes", prefixes), slog.Int("attempt", t.report.Attempts))
	}
	if t.report.Conflicts >= t.db.opts.maxAttempts {
		return false, &StarvedError{t.report.Conflicts, cause}
	}
	t.contention.lose(keys)
	return true, t.contention.wait()
}

// conflictOf returns the names in a conflict.
func conflictOf(err error) (keys, prefixes []string) {
	var c *kv.ConflictError
	if errors.As(err, &c) {
		return c.Keys, c.Prefixes
	}
	return nil, nil
}

// end releases everything and reports. It runs once.
func (t *transaction) end() {
	if t.ended {
		return
	}
	t.ended = true
	if t.tx != nil {
		t.tx.close()
	}
	t.contention.release()
	t.report.Time = time.Since(t.start)
	t.db.totals.add(&t.report)
	t.db.opts.observe(t.report)
}
