package txn

import (
	"iter"
	"strings"

	"github.com/pawlkv/pawl/kv"
)

// Scope returns the first segment of the keys of the DB's records, and that of
// records that all accounts share.
func (db *DB) Scope() (own, shared string) { return db.scope, sharedScope }

// KindOf returns the kind in a key, which is readable, "" if there is none, and
// the scope before it.
func KindOf(key string) (scope, kind string) {
	scope, rest, _ := strings.Cut(key, "/")
	kind, _, _ = strings.Cut(rest, "/")
	return scope, kind
}

// Entries yields what is stored under the keys with a prefix, of whatever kind
// and sealed, in the order of the keys: what there is beside the records that
// the caller knows. Writes of this transaction are not among them. It is
// validated like a scan.
func (tx *Tx) Entries(prefix string) iter.Seq2[kv.Entry, error] {
	return func(yield func(kv.Entry, error) bool) {
		if tx.done.Load() {
			yield(kv.Entry{}, ErrDone)
			return
		}
		s, err := tx.scanned(prefix)
		if err != nil {
			yield(kv.Entry{}, err)
			return
		}
		for _, e := range s.read.Entries {
			if !yield(kv.Entry{Key: e.Key, Version: e.Version, Value: tx.reads[e.Key].sealed}, nil) {
				return
			}
		}
	}
}
