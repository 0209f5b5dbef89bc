package txn

import (
	"errors"
	"fmt"
	"iter"

	"github.com/pawlkv/pawl/kv"
)

// Record is a kind of typed records, declared once as a package variable:
//
//	var sessions = txn.Record[ratchet.SessionID, session.Session]{
//		Kind:  "session",
//		Codec: txn.Binary(session.Decode),
//		Name:  session.Session.ID,
//		Path:  txn.Spelled[ratchet.SessionID],
//	}
//
// A value knows its name N, so that none can be stored under another's. The
// key is <account>/<kind>/<segments of the name's path>. Methods may be called
// from any number of goroutines, each with its own Tx. Errors of reads:
// ErrDone, ErrNoSealer, a *RecordError, after which the attempt goes on, and
// those of kv.Snapshot, which end it. Errors of writes: ErrReadOnly, ErrDone, ErrNoSealer. A kind that is
// no word, or a path that is too long, is a kv.ErrInvalid.
type Record[N, T any] struct {
	Kind   string       // "session"; readable in the key, without '/'
	Codec  Codec[T]     // the bytes of a value
	Name   func(T) N    // the name that a value is stored under
	Path   func(N) Path // how a name is spelled: another for any other name
	Shared bool         // the same records in all accounts of the store
	// Steady records are read by many calls and changed by few. Their values are
	// kept in memory, for as long as the store has the same bytes: a value of which
	// nothing may be left once it was replaced is not to be steady.
	Steady bool
}

// Found is one answer of GetAll.
type Found[T any] struct {
	Value T
	OK    bool  // false: there is no such record, or it cannot be read
	Err   error // a *RecordError: why it cannot
}

// Ref names a record for [Tx.Prefetch].
func (r *Record[N, T]) Ref(name N) Ref { return Ref{r.Kind, r.Shared, r.Path(name)} }

// Under names all records whose path begins with these segments and has more of them,
// for [Tx.PrefetchSome].
func (r *Record[N, T]) Under(first Path) Ref { return Ref{r.Kind, r.Shared, first} }

// Get returns a record; ok is false if there is none.
func (r *Record[N, T]) Get(tx *Tx, name N) (v T, ok bool, err error) {
	key, err := tx.key(r.Ref(name))
	if err != nil {
		return v, false, err
	}
	return getAs[T](tx, r, key)
}

// At returns the record that is stored under a key, as a watch tells it: of names
// that are not known keys are all there is.
func (r *Record[N, T]) At(tx *Tx, key string) (v T, ok bool, err error) { return getAs[T](tx, r, key) }

// GetAll returns an answer for each name, in their order, with one round trip
// at most. A record that cannot be read is one of the answers; any other error
// is that of the call.
func (r *Record[N, T]) GetAll(tx *Tx, names ...N) ([]Found[T], error) {
	keys := make([]string, len(names))
	for i, name := range names {
		key, err := tx.key(r.Ref(name))
		if err != nil {
			return nil, err
		}
		keys[i] = key
	}
	if err := tx.load(keys...); err != nil {
		return nil, err
	}
	found := make([]Found[T], len(names))
	for i, key := range keys {
		v, ok, err := getAs[T](tx, r, key)
		if err != nil && !errors.As(err, new(*RecordError)) {
			return nil, err
		}
		found[i] = Found[T]{v, ok, err}
	}
	return found, nil
}

// Version returns the version at which the record is stored, 0 if it is not.
// What this transaction wrote has no version yet and does not count.
func (r *Record[N, T]) Version(tx *Tx, name N) (kv.Version, error) {
	key, err := tx.key(r.Ref(name))
	if err != nil {
		return 0, err
	}
	return tx.version(key)
}

func (tx *Tx) version(key string) (kv.Version, error) {
	if err := tx.load(key); err != nil {
		return 0, err
	}
	known := tx.reads[key]
	tx.see(known)
	return known.version, nil
}

// Put writes a record under its name. The value must not change afterwards.
func (r *Record[N, T]) Put(tx *Tx, v T) error {
	return tx.write(r.Ref(r.Name(v)), &write{coder: r, value: v})
}

// Delete removes a record; there need not be one.
func (r *Record[N, T]) Delete(tx *Tx, name N) error {
	return tx.write(r.Ref(name), &write{coder: r, deleted: true})
}

// Scan yields all records of the kind, with this transaction's own writes, in
// no meaningful order (names are blinded). All of them are read when the loop
// begins. A record that cannot be read is yielded as a *RecordError and the
// scan goes on; any other error is the last. What was set aside is no record.
func (r *Record[N, T]) Scan(tx *Tx) iter.Seq2[T, error] { return r.ScanUnder(tx, Path{}) }

// ScanUnder is Scan for the records whose path begins with these segments and
// has more of them.
func (r *Record[N, T]) ScanUnder(tx *Tx, first Path) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var zero T
		prefix, err := tx.key(Ref{r.Kind, r.Shared, first})
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
			v, ok, err := getAs[T](tx, r, key)
			if errors.Is(err, ErrSetAside) {
				continue
			}
			if (ok || err != nil) && !yield(v, err) {
				return
			}
		}
	}
}

func (r *Record[N, T]) encode(dst []byte, v any) ([]byte, error) { return r.Codec.Append(dst, v.(T)) }
func (r *Record[N, T]) decode(b []byte) (any, error)             { return r.Codec.Decode(b) }
func (r *Record[N, T]) steady() bool                             { return r.Steady }

// Single is a kind of which there is one record in each account, or one in the
// store. It needs no name; it is a [Record] otherwise.
type Single[T any] struct {
	Kind   string
	Codec  Codec[T]
	Shared bool
	Steady bool // see [Record.Steady]
}

// Ref names the record for [Tx.Prefetch].
func (s *Single[T]) Ref() Ref { return Ref{s.Kind, s.Shared, Path{}} }

// Get returns the record; ok is false if there is none.
func (s *Single[T]) Get(tx *Tx) (v T, ok bool, err error) {
	key, err := tx.key(s.Ref())
	if err != nil {
		return v, false, err
	}
	return getAs[T](tx, s, key)
}

// Version returns the version at which the record is stored, as for a [Record].
func (s *Single[T]) Version(tx *Tx) (kv.Version, error) {
	key, err := tx.key(s.Ref())
	if err != nil {
		return 0, err
	}
	return tx.version(key)
}

// Put writes the record. The value must not change afterwards.
func (s *Single[T]) Put(tx *Tx, v T) error { return tx.write(s.Ref(), &write{coder: s, value: v}) }

// Delete removes the record; there need not be one.
func (s *Single[T]) Delete(tx *Tx) error { return tx.write(s.Ref(), &write{coder: s, deleted: true}) }

func (s *Single[T]) encode(dst []byte, v any) ([]byte, error) { return s.Codec.Append(dst, v.(T)) }
func (s *Single[T]) decode(b []byte) (any, error)             { return s.Codec.Decode(b) }
func (s *Single[T]) steady() bool                             { return s.Steady }

// getAs returns what is stored under a key as a value of the type that its kind
// was declared with.
func getAs[T any](tx *Tx, c coder, key string) (v T, ok bool, err error) {
	got, ok, err := tx.get(c, key)
	if !ok || err != nil {
		return v, false, err
	}
	if v, ok = got.(T); !ok {
		return v, false, fmt.Errorf("%w: records of kind %s are %T and %T at once", kv.ErrInvalid, kindOf(key), got, v)
	}
	return v, true, nil
}

func (tx *Tx) write(ref Ref, w *write) error {
	if err := tx.writable(); err != nil {
		return err
	}
	key, err := tx.key(ref)
	if err != nil {
		return err
	}
	w.key = key
	tx.put(w)
	return nil
}
