package txn

import (
	"log/slog"
	"sync/atomic"

	"github.com/pawlkv/pawl/kv"
)

// sharedScope is the first segment of keys that belong to no account. Blinded
// names are longer, so none equals it.
const sharedScope = "_"

// DB runs transactions on a store. It may be used by any number of goroutines,
// and any number of DBs, in any number of processes, may use one store.
//
// No transaction starves, as long as its function ends well within
// kv.Limits.TurnLife and reads by key:
//
//   - After turnAfter losses an attempt begins by taking a turn on all keys it
//     ever lost, and takes its snapshot then. Turns are granted in the order
//     asked for and each lasts at most kv.Limits.TurnLife, so the wait is bounded.
//   - While it holds the turn nobody else commits to those keys. If it loses
//     still, then on another key, which joins the set. The set grows with each
//     loss and holds at most the keys that the function reads: the number of
//     attempts is bounded by turnAfter plus that number.
//   - Attempts from the third on read the store and not the cache, so an old
//     cache cannot add losses.
//
// New keys in a scanned prefix cannot be queued for. WithMaxAttempts ends what
// this argument does not cover.
type DB struct {
	*core
	scope string // the account segment of keys
}

// core is what the DBs of all accounts share.
type core struct {
	store  kv.Store
	sealer Sealer
	cache  *cache // nil: NoCache
	hot    *hotKeys
	log    *slog.Logger
	opts   options
	head   atomic.Uint64 // highest version seen: a state that existed
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

// saw notes that a state with this version existed.
func (c *core) saw(v kv.Version) {
	for {
		old := c.head.Load()
		if uint64(v) <= old || c.head.CompareAndSwap(old, uint64(v)) {
			return
		}
	}
}
