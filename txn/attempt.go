package txn

import (
	"context"
	"sync/atomic"

	"github.com/pawlkv/pawl/kv"
)

// Tx is one attempt of a transaction. It belongs to the goroutine that runs
// the function and ends with it.
type Tx struct {
	db   *DB
	t    *transaction
	ctx  context.Context // carries the Tx, so that nesting shows
	done atomic.Bool

	snap    kv.Snapshot
	fixed   bool // the snapshot answered a call
	cached  bool // something was served from the cache
	fetched int  // bytes of values
	fault   error

	reads   map[string]*read
	order   []*read           // as first read
	scans   []*scan           // as first made
	scanOf  map[string]*scan  // by prefix
	ahead   map[string]*begun // by prefix: what nobody has asked for yet
	writes  map[string]*write
	written []*write // as first written
	hooks   []func()
	nosync  bool
}

// Context returns the context of the transaction. Calls inside fn must use it,
// so that it ends with the caller's and a nested transaction is refused
// instead of fighting this one.
func (tx *Tx) Context() context.Context { return tx.ctx }

// OnCommit registers a function that runs once, after the commit succeeded and
// before Do returns, in the order of registration. If the attempt is dropped,
// so is the function.
func (tx *Tx) OnCommit(f func()) { tx.hooks = append(tx.hooks, f) }

// Unsynced allows this transaction's writes to be lost by a power failure (not
// by a crash of the process). They are never reordered with others.
func (tx *Tx) Unsynced() { tx.nosync = true }

// Attempt returns 1 in the first run of fn, 2 in the next, and so on.
func (tx *Tx) Attempt() int { return tx.t.report.Attempts }

// Fetched returns how many bytes this attempt has read from the store by key, and
// holds until it ends: as many again once they are opened.
func (tx *Tx) Fetched() int { return tx.fetched }

// Room reports whether so many writes and checks more than there are go into
// the commit of this attempt: [kv.Limits]. How many bytes there are shows when
// it is made.
func (tx *Tx) Room(writes, checks int) bool {
	most := tx.db.store.Limits()
	if len(tx.written)+writes > most.Writes {
		return false
	}
	scanned := 0
	for _, s := range tx.scans {
		scanned += max(len(s.read.Entries), 1)
	}
	if len(tx.order)+scanned+checks <= most.Checks {
		return true // even if all that was read is looked at
	}
	return tx.looked()+scanned+checks <= most.Checks
}

// Written returns how many entries this attempt writes so far.
func (tx *Tx) Written() int { return len(tx.written) }

// Limits returns what one commit takes.
func (tx *Tx) Limits() kv.Limits { return tx.db.store.Limits() }

// looked counts the reads that must hold, those of scans apart.
func (tx *Tx) looked() int {
	n := 0
	for _, r := range tx.order {
		if !r.scanned && (r.seen || r.joined) {
			n++
		}
	}
	return n
}

// checked returns the keys of the reads that must hold.
func (tx *Tx) checked() []string {
	keys := make([]string, 0, len(tx.order))
	for _, r := range tx.order {
		if r.seen || r.joined {
			keys = append(keys, r.key)
		}
	}
	return keys
}

// writable returns the error of a write that comes at the wrong time.
func (tx *Tx) writable() error {
	if tx.t.mode == readOnly {
		return ErrReadOnly
	}
	return nil
}

// mustCommit reports whether fn's answer needs the store's word: writes to be
// applied, or reads to be validated. See the package documentation.
func (tx *Tx) mustCommit(failure error) bool {
	if failure == nil && len(tx.written) > 0 {
		return true
	}
	return (failure != nil || tx.cached) && tx.sawAnything()
}

func (tx *Tx) sawAnything() bool {
	for _, r := range tx.order {
		if r.seen {
			return true
		}
	}
	return len(tx.scans) > 0
}

func (tx *Tx) committed() {
	for _, f := range tx.hooks {
		f()
	}
}

// close ends the attempt; it is harmless to end it twice.
func (tx *Tx) close() {
	tx.done.Store(true)
	if tx.snap != nil {
		tx.snap.Close()
		tx.snap = nil
	}
}

// insideKey is the context key under which the Tx of a DB travels.
type insideKey struct{ *core }

func nested(ctx context.Context, c *core) bool {
	tx, ok := ctx.Value(insideKey{c}).(*Tx)
	return ok && !tx.done.Load()
}
