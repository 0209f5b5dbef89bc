package txn

import (
	"fmt"
	"iter"

	"github.com/pawlkv/pawl/kv"
)

// Record is a kind of typed records, declared once as a package variable:
//
//	var sessions = txn.Record[session.Session]{Kind: "session", Codec: txn.Binary(session.Decode)}
//
// Its key is the path <account>/<kind>/<id>... with any number of id segments.
// Methods may be called from any number of goroutines, each with its own Tx.
// Errors of reads: ErrDone, ErrNoSealer, a *RecordError, and those of
// kv.Snapshot, which end the attempt. Errors of writes: ErrReadOnly, ErrDone,
// ErrNoSealer.
type Record[T any] struct {
	Kind   string // "session"; readable in the key, without '/'
	Codec  Codec[T]
	Shared bool // the same records in all accounts of the store
}

// Found is one answer of GetAll.
type Found[T any] struct {
	Value T
	OK    bool // false: there is no such record
}

// Ref names a record for [Tx.Prefetch].
func (r *Record[T]) Ref(id ...string) Ref { return Ref{r.Kind, r.Shared, id} }

// Get returns a record; ok is false if there is none.
func (r *Record[T]) Get(tx *Tx, id ...string) (v T, ok bool, err error) {
	key, err := tx.path(r.Kind, r.Shared, id)
	if err != nil {
		return v, false, err
	}
	return r.get(tx, key)
}

func (r *Record[T]) get(tx *Tx, key string) (v T, ok bool, err error) {
	got, ok, err := tx.get(r, key)
	if !ok || err != nil {
		return v, false, err
	}
	if v, ok = got.(T); !ok {
		return v, false, fmt.Errorf("%w: records of kind %s are %T and %T at once", kv.ErrInvalid, r.Kind, got, v)
	}
	return v, true, nil
}

// GetAll returns an answer for each id, in their order, with one round trip
// at most.
func (r *Record[T]) GetAll(tx *Tx, ids ...[]string) ([]Found[T], error) {
	keys := make([]string, len(ids))
	for i, id := range ids {
		key, err := tx.path(r.Kind, r.Shared, id)
		if err != nil {
			return nil, err
		}
		keys[i] = key
	}
	if err := tx.load(keys...); err != nil {
		return nil, err
	}
	found := make([]Found[T], len(ids))
	for i, key := range keys {
		v, ok, err := r.get(tx, key)
		if err != nil {
			return nil, err
		}
		found[i] = Found[T]{v, ok}
	}
	return found, nil
}

// Version returns the version at which the record is stored, 0 if it is not.
// What this transaction wrote has no version yet and does not count.
func (r *Record[T]) Version(tx *Tx, id ...string) (kv.Version, error) {
	key, err := tx.path(r.Kind, r.Shared, id)
	if err != nil {
		return 0, err
	}
	if err := tx.load(key); err != nil {
		return 0, err
	}
	known := tx.reads[key]
	tx.see(known)
	return known.version, nil
}

// Put writes a record. The value must not change afterwards.
func (r *Record[T]) Put(tx *Tx, v T, id ...string) error {
	return r.write(tx, id, &write{coder: r, value: v})
}

// Delete removes a record; there need not be one.
func (r *Record[T]) Delete(tx *Tx, id ...string) error {
	return r.write(tx, id, &write{coder: r, deleted: true})
}

func (r *Record[T]) write(tx *Tx, id []string, w *write) error {
	if err := tx.writable(); err != nil {
		return err
	}
	key, err := tx.path(r.Kind, r.Shared, id)
	if err != nil {
		return err
	}
	w.key = key
	tx.put(w)
	return nil
}

// Scan yields the records whose id begins with the segments and has more of
// them, with this transaction's own writes, in no meaningful order (names are
// blinded). All of them are read when the loop begins. A record that cannot be
// read is yielded as a *RecordError and the scan goes on; any other error is
// the last.
func (r *Record[T]) Scan(tx *Tx, id ...string) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var zero T
		prefix, err := tx.path(r.Kind, r.Shared, id)
		if err != nil {
			yield(zero, err)
			return
		}
		keys, err := tx.scan(prefix + "/")
		if err != nil {
			yield(zero, err)
			return
		}
		for _, key := range keys {
			v, ok, err := r.get(tx, key)
			if (ok || err != nil) && !yield(v, err) {
				return
			}
		}
	}
}

func (r *Record[T]) encode(dst []byte, v any) ([]byte, error) { return r.Codec.Append(dst, v.(T)) }
func (r *Record[T]) decode(b []byte) (any, error)             { return r.Codec.Decode(b) }

// Prefetch reads records of any kinds in one round trip. They count as read
// only when they are got: what fn does not look at is not validated.
func (tx *Tx) Prefetch(refs ...Ref) error {
	keys := make([]string, len(refs))
	for i, ref := range refs {
		key, err := tx.path(ref.kind, ref.shared, ref.id)
		if err != nil {
			return err
		}
		keys[i] = key
	}
	return tx.load(keys...)
}
