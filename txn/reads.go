package txn

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/pawlkv/pawl/internal/parallel"
	"github.com/pawlkv/pawl/kv"
)

// coder is what the untyped machinery needs of a Record[T]; the values are T.
type coder interface {
	encode(dst []byte, v any) ([]byte, error)
	decode(b []byte) (any, error)
	steady() bool // see Record.Steady
}

// read is a key as this attempt knows it: an entry of the snapshot, or a
// decoded value of the cache.
type read struct {
	key     string
	version kv.Version
	sealed  []byte
	value   any // decoded; nil while sealed is not opened
	err     error
	seen    bool // fn knows it: it must hold at the commit
	joined  bool // base of a join: it must hold too, but fn does not know it
	scanned bool // covered by a scan that is validated as a whole
	unread  bool // the engine could not read it: there is no version that could hold
	opening bool // Open is at it
}

// get returns the value of a key as fn is to see it: its own write, or what
// was read.
func (tx *Tx) get(c coder, key string) (value any, ok bool, err error) {
	parallel.Rest() // calls that compute for long read many records
	if w := tx.writes[key]; w != nil {
		if w.isSetAside() {
			return nil, false, &RecordError{key, ErrSetAside}
		}
		tx.see(w.base)
		return w.value, !w.deleted, nil
	}
	if err := tx.load(key); err != nil {
		return nil, false, err
	}
	r := tx.reads[key]
	tx.see(r)
	return tx.open(c, r)
}

func (tx *Tx) see(r *read) {
	if r != nil {
		r.seen = true
	}
}

// open returns the decoded value of a read. It is decoded once.
func (tx *Tx) open(c coder, r *read) (value any, ok bool, err error) {
	if r.unread {
		return nil, false, r.err
	}
	if r.version == 0 {
		return nil, false, nil
	}
	if r.isSealed() && c.steady() {
		r.value = tx.db.opened.value(r.key, r.sealed)
	}
	if r.isSealed() {
		if r.value, r.err = tx.unseal(c, r.key, r.sealed); r.err == nil {
			tx.learn(c, r)
		}
	}
	return r.value, r.err == nil, r.err
}

// isSealed reports whether there is an entry that nobody has opened.
func (r *read) isSealed() bool {
	return !r.unread && r.version != 0 && r.value == nil && r.err == nil && !r.opening
}

// learn remembers a value that was decoded, for the next transactions.
func (tx *Tx) learn(c coder, r *read) {
	if tx.db.cache != nil {
		tx.db.cache.learn(r.key, known{r.version, r.value, len(r.sealed)})
	} else if c.steady() {
		tx.db.opened.remember(r.key, r.sealed, r.value)
	}
}

func (tx *Tx) unseal(c coder, key string, sealed []byte) (any, error) {
	probe := tx.Probe()
	began := probe.Begin()
	plain, err := tx.db.sealer.Open(nil, key, sealed)
	probe.End(Opening, began)
	if err != nil {
		return nil, &RecordError{key, err}
	}
	if err := checkSetAside(plain); err != nil {
		return nil, &RecordError{key, err}
	}
	began = probe.Begin()
	v, err := c.decode(plain)
	probe.End(Decoding, began)
	if err != nil {
		return nil, &RecordError{key, err}
	}
	return v, nil
}

// load makes sure that all keys are in the read set, in one round trip for
// those that are neither there nor in the cache.
func (tx *Tx) load(keys ...string) error {
	missing, err := tx.toLoad(keys)
	if err != nil || len(missing) == 0 {
		return err
	}
	entries, err := tx.fetch(tx.snap, missing)
	if errors.Is(err, kv.ErrCorrupt) {
		return tx.loadEach(missing)
	}
	if err != nil {
		return tx.fail(err)
	}
	for _, e := range entries {
		tx.rememberEntry(e)
	}
	return nil
}

// toLoad returns those of the keys that the store must be asked for, each once.
func (tx *Tx) toLoad(keys []string) (missing []string, err error) {
	if tx.done.Load() {
		return nil, ErrDone
	}
	if tx.fault != nil {
		return nil, tx.fault
	}
	if !tx.fixed && !tx.cached {
		if err := tx.t.contention.takeHot(keys); err != nil {
			return nil, tx.fail(err)
		}
	}
	return tx.missing(keys), nil
}

// loadEach reads keys one by one after the engine found some of them damaged,
// so that the others are read all the same. A damaged one is known not to be
// readable, whatever its version.
func (tx *Tx) loadEach(keys []string) error {
	for _, key := range keys {
		entries, err := tx.fetch(tx.snap, []string{key})
		switch {
		case errors.Is(err, kv.ErrCorrupt):
			tx.remember(&read{key: key, err: &RecordError{key, err}, unread: true})
		case err != nil:
			return tx.fail(err)
		default:
			tx.rememberEntry(entries[0])
		}
	}
	return nil
}

func (tx *Tx) rememberEntry(e kv.Entry) {
	tx.remember(&read{key: e.Key, version: e.Version, sealed: e.Value})
	tx.fetched += len(e.Value)
	if !e.Exists() {
		tx.db.cache.learn(e.Key, known{})
	}
}

// missing returns the keys that must come from the store, each once, after it
// has taken into the read set those that the cache knows.
func (tx *Tx) missing(keys []string) []string {
	var missing []string
	for i, key := range keys {
		if tx.reads[key] != nil {
			continue
		}
		if tx.isScanned(key) {
			tx.remember(&read{key: key, scanned: true})
			continue
		}
		if r := tx.fromCache(key); r != nil {
			tx.remember(r)
			tx.cached = true
			continue
		}
		if missing == nil {
			missing = make([]string, 0, len(keys)-i)
		}
		missing = append(missing, key)
	}
	slices.Sort(missing)
	return slices.Compact(missing)
}

func (tx *Tx) fromCache(key string) *read {
	if tx.db.cache == nil || !tx.mayUseCache(key) {
		return nil
	}
	known, ok := tx.db.cache.get(key)
	tx.t.report.countCache(ok)
	if !ok {
		return nil
	}
	return &read{key: key, version: known.version, value: known.value}
}

// mayUseCache reports whether this attempt may read a key from the cache. A
// key that is queued for is contended: what memory says about it is old.
func (tx *Tx) mayUseCache(key string) bool {
	return tx.Attempt() <= cachedAttempts && !slices.Contains(tx.t.contention.holds, key)
}

func (tx *Tx) remember(r *read) {
	if tx.reads == nil {
		tx.reads = make(map[string]*read, 8)
	}
	tx.reads[r.key] = r
	tx.order = append(tx.order, r)
}

// fetch asks the store. The answer is in the order of the keys, or an error.
func (tx *Tx) fetch(snap kv.Snapshot, keys []string) ([]kv.Entry, error) {
	start := time.Now()
	entries, err := snap.Get(tx.ctx, keys...)
	tx.t.report.countRead(start)
	tx.fixed = true
	if err == nil && len(entries) != len(keys) {
		err = fmt.Errorf("%w: %d entries for %d keys", kv.ErrCorrupt, len(entries), len(keys))
	}
	return entries, err
}

// fail notes an error of the store: what fn does without the answer cannot be
// validated, so the attempt is over whatever fn returns.
func (tx *Tx) fail(err error) error {
	tx.fault = fmt.Errorf("txn: read: %w", err)
	return tx.fault
}
