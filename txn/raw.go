package txn

import (
	"encoding/binary"
	"fmt"
	"iter"
	"strings"
	"time"

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

// Entry returns what is stored under a key, sealed, whatever this transaction
// has written; its version is 0 if there is nothing.
func (tx *Tx) Entry(key string) (kv.Entry, error) {
	if err := tx.load(key); err != nil {
		return kv.Entry{}, err
	}
	known := tx.reads[key]
	if known.unread {
		return kv.Entry{}, known.err
	}
	tx.see(known)
	if known.version == 0 || known.sealed != nil {
		return kv.Entry{Key: key, Version: known.version, Value: known.sealed}, nil
	}
	// It came from the cache, which has no bytes.
	entries, err := tx.fetch(tx.snap, []string{key})
	switch {
	case err != nil:
		return kv.Entry{}, tx.fail(err)
	case entries[0].Version != known.version:
		return kv.Entry{}, tx.fail(&kv.ConflictError{Keys: []string{key}})
	}
	return entries[0], nil
}

// Key returns the key that a record of a name is stored under.
func (r *Record[N, T]) Key(tx *Tx, name N) (string, error) { return tx.key(r.Ref(name)) }

// Key returns the key of the record.
func (s *Single[T]) Key(tx *Tx) (string, error) { return tx.key(s.Ref()) }

// Stored is what is stored under one key of a kind: a value, or why it cannot
// be read.
type Stored[T any] struct {
	Key     string
	Version kv.Version
	Value   T
	Err     error // a *RecordError, ErrSetAside among them
}

// Stored yields all that is stored of the kind, in the order of the keys, what
// was set aside included. Otherwise it is Scan.
func (r *Record[N, T]) Stored(tx *Tx) iter.Seq2[Stored[T], error] {
	return func(yield func(Stored[T], error) bool) {
		prefix, err := tx.key(Ref{r.Kind, r.Shared, Path{}})
		if err != nil {
			yield(Stored[T]{}, err)
			return
		}
		for e, err := range tx.Entries(prefix + "/") {
			if err != nil {
				yield(Stored[T]{}, err)
				return
			}
			v, _, err := getAs[T](tx, r, e.Key)
			if !yield(Stored[T]{e.Key, e.Version, v, err}, nil) {
				return
			}
		}
	}
}

// setAsideVersion is the format version of what stands in the place of a record
// that was set aside. No codec has it.
const setAsideVersion = 0

// setAside stands in the place of a record. It says when it was put there.
type setAside struct{ at time.Time }

func (setAside) encode(dst []byte, v any) ([]byte, error) {
	dst = append(dst, setAsideVersion)
	return binary.BigEndian.AppendUint64(dst, uint64(max(v.(setAside).at.UnixMilli(), 0))), nil
}

func (setAside) decode([]byte) (any, error) { return nil, ErrSetAside }

func (setAside) steady() bool { return false }

// checkSetAside returns a *SetAsideError if this is what stands in the place of
// a record.
func checkSetAside(plain []byte) error {
	if len(plain) != 9 || plain[0] != setAsideVersion {
		return nil
	}
	return &SetAsideError{time.UnixMilli(int64(binary.BigEndian.Uint64(plain[1:]))).UTC()}
}

// SetAside lets a mark stand in the place of what is stored under a key, which
// may be nothing. From then on reading the record is an [ErrSetAside], and scans
// pass it over. Writing it puts a record in its place again.
func (tx *Tx) SetAside(key string, now time.Time) error {
	return tx.writeKey(&write{key: key, coder: setAside{}, value: setAside{now}})
}

// Drop deletes whatever is stored under a key.
func (tx *Tx) Drop(key string) error {
	return tx.writeKey(&write{key: key, coder: setAside{}, deleted: true})
}

func (tx *Tx) writeKey(w *write) error {
	if err := tx.writable(); err != nil {
		return err
	}
	if tx.done.Load() {
		return ErrDone
	}
	tx.put(w)
	return nil
}

// isSetAside reports whether a write puts a mark in the place of a record.
func (w *write) isSetAside() bool {
	_, is := w.value.(setAside)
	return is && !w.deleted
}

// SetAsideError is an [ErrSetAside] that says when.
type SetAsideError struct{ At time.Time }

// Error implements error.
func (e *SetAsideError) Error() string {
	return fmt.Sprintf("%v, on %s", ErrSetAside, e.At.Format(time.DateOnly))
}

// Is makes errors.Is(err, ErrSetAside) true.
func (e *SetAsideError) Is(target error) bool { return target == ErrSetAside }
