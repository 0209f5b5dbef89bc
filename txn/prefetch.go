package txn

import (
	"errors"
	"fmt"
	"time"

	"github.com/pawlkv/pawl/internal/parallel"
	"github.com/pawlkv/pawl/kv"
)

// Prefetch reads records of any kinds in one round trip. They count as read
// only when they are got: what fn does not look at is not validated.
func (tx *Tx) Prefetch(refs ...Ref) error {
	keys := make([]string, len(refs))
	for i, ref := range refs {
		parallel.Rest() // each name is hashed
		key, err := tx.key(ref)
		if err != nil {
			return err
		}
		keys[i] = key
	}
	return tx.load(keys...)
}

// PrefetchSome is Prefetch of records, and of as much under each of some paths as
// [Record.Some] with no more than most looks at, in the same round trip: where the engine
// makes several scans in one. Where it does not, Some asks it by itself.
func (tx *Tx) PrefetchSome(most int, under []Ref, refs ...Ref) error {
	looker, can := tx.snap.(kv.Looker)
	if !can || len(under) == 0 {
		return tx.Prefetch(refs...)
	}
	keys := make([]string, len(refs))
	for i, ref := range refs {
		key, err := tx.key(ref)
		if err != nil {
			return err
		}
		keys[i] = key
	}
	prefixes := make([]string, 0, len(under))
	for _, ref := range under {
		key, err := tx.key(ref)
		if err != nil {
			return err
		}
		if prefix := key + "/"; tx.ahead[prefix] == nil {
			prefixes = append(prefixes, prefix)
		}
	}
	return tx.look(looker, keys, prefixes, most)
}

// begun is what was read of a scan before anybody has asked for it.
type begun kv.Begun

func (b *begun) each(yield func(kv.Entry, error) bool) {
	for _, e := range b.Entries {
		if !yield(e, nil) {
			return
		}
	}
}

func (tx *Tx) look(looker kv.Looker, keys, prefixes []string, most int) error {
	missing, err := tx.toLoad(keys)
	if err != nil || len(missing)+len(prefixes) == 0 {
		return err
	}
	start := time.Now()
	entries, found, err := looker.Look(tx.ctx, missing, prefixes, most)
	tx.t.report.countRead(start)
	tx.fixed = true
	switch {
	case errors.Is(err, kv.ErrCorrupt):
		return tx.load(keys...) // which finds the damaged one, and Some what is under a path
	case err == nil && (len(entries) != len(missing) || len(found) != len(prefixes)):
		err = fmt.Errorf("%w: %d entries for %d keys, %d scans for %d prefixes", kv.ErrCorrupt, len(entries), len(missing), len(found), len(prefixes))
	}
	if err != nil {
		return tx.fail(err)
	}
	for _, e := range entries {
		tx.rememberEntry(e)
	}
	if tx.ahead == nil {
		tx.ahead = make(map[string]*begun, len(prefixes))
	}
	for i, prefix := range prefixes {
		tx.ahead[prefix] = (*begun)(&found[i])
	}
	return nil
}

// Open opens and decodes records that were read, on all processors, for those who look
// at many of them next. They count as read when they are got, and what is wrong with one
// is found then.
func (r *Record[N, T]) Open(tx *Tx, names ...N) error {
	var sealed []*read
	for _, name := range names {
		key, err := tx.key(r.Ref(name))
		if err != nil {
			return err
		}
		if known := tx.reads[key]; known != nil && known.isSealed() {
			known.opening = true // a name may come twice
			sealed = append(sealed, known)
		}
	}
	parallel.Begin(len(sealed), recordsAtOnce, func(i int) {
		known := sealed[i]
		known.value, known.err = tx.unseal(r, known.key, known.sealed)
	})()
	for _, known := range sealed {
		if known.opening = false; known.err == nil {
			tx.learn(r, known)
		}
	}
	return nil
}

// ScanAhead makes one scan of all records of the kind, if there are no more of them than
// most, for those who scan many parts of it next. They count as read, all of them, and
// that there are no others. It reports whether it did: if not, as where there are more
// or where the store cannot read one of them, it is as if it had not been called.
func (r *Record[N, T]) ScanAhead(tx *Tx, most int) (bool, error) {
	prefix, err := tx.key(Ref{r.Kind, r.Shared, Path{}})
	if err != nil {
		return false, err
	}
	return tx.scanAhead(prefix+"/", most)
}

func (tx *Tx) scanAhead(prefix string, most int) (bool, error) {
	if tx.scanOf[prefix] != nil {
		return true, nil
	}
	if tx.fault != nil {
		return false, tx.fault
	}
	defer func(start time.Time) { tx.t.report.countRead(start) }(time.Now())
	tx.fixed = true
	var all []kv.Entry
	for e, err := range tx.snap.Scan(tx.ctx, prefix) {
		switch {
		case errors.Is(err, kv.ErrCorrupt):
			return false, nil // whoever needs that one finds out
		case err != nil:
			return false, tx.fail(err)
		case len(all) == most:
			return false, nil
		}
		all = append(all, e)
	}
	tx.takeScan(prefix, all)
	return true, nil
}

// PrefetchKeys is Prefetch for records of which only the keys are known.
func (tx *Tx) PrefetchKeys(keys ...string) error { return tx.load(keys...) }
