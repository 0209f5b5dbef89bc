package txn

import (
	"fmt"
	"slices"
	"time"

	"github.com/pawlkv/pawl/kv"
)

// coder is what the untyped machinery needs of a Record[T]; the values are T.
type coder interface {
	encode(dst []byte, v any) ([]byte, error)
	decode(b []byte) (any, error)
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
}

// get returns the value of a key as fn is to see it: its own write, or what
// was read.
func (tx *Tx) get(c coder, key string) (value any, ok bool, err error) {
	if w := tx.writes[key]; w != nil {
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
	if r.version == 0 {
		return nil, false, nil
	}
	if r.value == nil && r.err == nil {
		if r.value, r.err = tx.unseal(c, r.key, r.sealed); r.err == nil {
			tx.db.cache.learn(r.key, r.version, r.value)
		}
	}
	return r.value, r.err == nil, r.err
}

func (tx *Tx) unseal(c coder, key string, sealed []byte) (any, error) {
	probe := tx.Probe()
	began := probe.Begin()
	plain, err := tx.db.sealer.Open(nil, key, sealed)
	probe.End(Opening, began)
	if err != nil {
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
	if tx.done.Load() {
		return ErrDone
	}
	if tx.fault != nil {
		return tx.fault
	}
	if err := tx.queueForHot(keys); err != nil {
		return tx.fail(err)
	}
	missing := tx.missing(keys)
	if len(missing) == 0 {
		return nil
	}
	entries, err := tx.fetch(tx.snap, missing)
	if err != nil {
		return tx.fail(err)
	}
	for _, e := range entries {
		tx.remember(&read{key: e.Key, version: e.Version, sealed: e.Value})
		if !e.Exists() {
			tx.db.cache.learn(e.Key, 0, nil)
		}
	}
	return nil
}

// missing returns the keys that must come from the store, each once, after it
// has taken into the read set those that the cache knows.
func (tx *Tx) missing(keys []string) []string {
	var missing []string
	for i, key := range keys {
		if tx.reads[key] != nil {
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
	if tx.db.cache == nil || !tx.call.mayUseCache(key) {
		return nil
	}
	known, ok := tx.db.cache.get(key)
	tx.call.report.countCache(ok)
	if !ok {
		return nil
	}
	return &read{key: key, version: known.version, value: known.value}
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
	tx.call.report.countRead(start)
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
