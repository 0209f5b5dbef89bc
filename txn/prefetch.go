package txn

import (
	"github.com/pawlkv/pawl/internal/parallel"
)

// Prefetch reads records of any kinds in one round trip. They count as read
// only when they are got: what fn does not look at is not validated.
func (tx *Tx) Prefetch(refs ...Ref) error {
	keys := make([]string, len(refs))
	for i, ref := range refs {
		key, err := tx.key(ref)
		if err != nil {
			return err
		}
		keys[i] = key
	}
	return tx.load(keys...)
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

// PrefetchKeys is Prefetch for records of which only the keys are known.
func (tx *Tx) PrefetchKeys(keys ...string) error { return tx.load(keys...) }
