package txn

import (
	"errors"
	"fmt"
	"sync"

	"github.com/pawlkv/pawl/kv"
)

// write is what fn last wrote to a key. It is encoded and sealed at the
// commit, once, however often it was replaced.
type write struct {
	key     string
	coder   coder
	value   any
	deleted bool
	bytes   int // of the sealed value, once it is sealed

	// A join whose base fn has not seen: see Join.
	base  *read
	delta any
	join  func(a, b any) (any, error)
}

func (tx *Tx) put(w *write) {
	old := tx.writes[w.key]
	if old != nil {
		if old.base != nil {
			old.base.joined = false
		}
		*old = *w
		return
	}
	if tx.writes == nil {
		tx.writes = make(map[string]*write, 8)
	}
	tx.writes[w.key] = w
	tx.written = append(tx.written, w)
}

// Joiner is a join-semilattice: Join is commutative, associative and
// idempotent (see [JoinLaws]), and changes neither operand. Whoever writes
// last, the outcome holds what each writer knew.
//
// Where some values do not join, T also has
//
//	Joins(other T) bool
//
// and Join is asked only where it says yes. Of two others nobody but the caller can
// say what is to be kept: see [ErrApart].
type Joiner[T any] interface {
	Join(other T) T
}

// JoinRecord is a Record whose values can be joined:
//
//	var inbound = txn.JoinRecord[roomSession, group.Inbound]{Record: txn.Record[roomSession, group.Inbound]{Kind: "group-in", ...}}
//
// Join only what fn does not decide on. Never join what is allocated, counted
// or used up.
type JoinRecord[N any, T Joiner[T]] struct {
	Record[N, T]
}

// Join writes the join of v and what is stored. If at the commit only records
// that were joined have changed, the values are joined again and fn does not
// run again. A record that fn also gets, scans or puts is an ordinary read.
//
// It fails with [ErrApart] where v and what is stored do not join, and writes
// nothing: fn gets the record, decides, and puts it. Where what somebody else
// stored meanwhile does not join, that is a conflict like any other, and fn runs
// again.
func (r *JoinRecord[N, T]) Join(tx *Tx, v T) error {
	if err := tx.writable(); err != nil {
		return err
	}
	key, err := tx.key(r.Ref(r.Name(v)))
	if err != nil {
		return err
	}
	if w := tx.writes[key]; w != nil {
		return joinOwn(w, v)
	}
	if err := tx.load(key); err != nil {
		return err
	}
	w := &write{key: key, coder: &r.Record, base: tx.reads[key], delta: v, join: joinAny[T]}
	w.base.joined = true
	if err := tx.joinBase(w); err != nil {
		if errors.Is(err, ErrApart) {
			w.base.joined, w.base.seen = false, true // fn knows of it now
		}
		return err
	}
	tx.put(w)
	return nil
}

// Peek returns a record as this attempt knows it, with what this transaction wrote,
// and does not count as reading it: nothing validates the answer, and a join that
// runs again does not ask for it again. It is for what is said of a join, never for
// what is written. Whoever decides by it gets the record. Errors are those of Get.
func (r *JoinRecord[N, T]) Peek(tx *Tx, name N) (v T, ok bool, err error) {
	key, err := tx.key(r.Ref(name))
	if err != nil {
		return v, false, err
	}
	if w := tx.writes[key]; w != nil {
		if w.isSetAside() {
			return v, false, &RecordError{key, ErrSetAside}
		}
		v, ok = w.value.(T)
		return v, ok && !w.deleted, nil
	}
	if err := tx.load(key); err != nil {
		return v, false, err
	}
	got, ok, err := tx.open(&r.Record, tx.reads[key])
	if !ok || err != nil {
		return v, false, err
	}
	v, ok = got.(T)
	return v, ok, nil
}

// joinOwn joins v to what this transaction wrote before.
func joinOwn[T Joiner[T]](w *write, v T) error {
	if w.deleted {
		w.value, w.deleted = v, false
		return nil
	}
	old, ok := w.value.(T)
	if !ok {
		return fmt.Errorf("%w: key %q holds %T and %T at once", kv.ErrInvalid, w.key, w.value, v)
	}
	if !joins(old, v) {
		return ErrApart
	}
	if w.delta != nil {
		w.delta = w.delta.(T).Join(v) // both join with the value, so with each other
	}
	w.value = old.Join(v)
	return nil
}

// joins reports whether two values join.
func joins[T Joiner[T]](a, b T) bool {
	some, partial := any(a).(interface{ Joins(T) bool })
	return !partial || some.Joins(b)
}

// joinAny joins two values, or fails with [ErrApart].
func joinAny[T Joiner[T]](a, b any) (any, error) {
	x, y := a.(T), b.(T)
	if !joins(x, y) {
		return nil, ErrApart
	}
	return x.Join(y), nil
}

// joinBase sets the value to write from the base and the delta.
func (tx *Tx) joinBase(w *write) error {
	stored, ok, err := tx.open(w.coder, w.base)
	if err != nil {
		return err
	}
	w.value = w.delta
	if ok {
		w.value, err = w.join(stored, w.delta)
	}
	return err
}

// unseen reports whether w is a join whose base fn has not seen.
func (w *write) unseen() bool { return w.base != nil && !w.base.seen && !w.base.scanned }

// onlyJoins reports whether a conflict names nothing but joined records that
// fn has not seen.
func (tx *Tx) onlyJoins(conflict error) bool {
	keys, prefixes := conflictOf(conflict)
	for _, key := range keys {
		if w := tx.writes[key]; w == nil || !w.unseen() {
			return false
		}
	}
	return len(keys) > 0 && len(prefixes) == 0
}

// rejoin reads all joined records that fn has not seen anew, in one round
// trip, and joins again. What fn has seen stays as it was. It returns the
// version for the ID of the new commit.
func (t *transaction) rejoin() (kv.Version, error) {
	if err := t.contention.takeDue(); err != nil {
		return 0, err
	}
	t.report.Joins++
	snap := t.db.store.Snapshot()
	defer snap.Close()
	if err := t.tx.readBases(snap); err != nil {
		return 0, err
	}
	return t.tx.idVersionOf(snap)
}

func (tx *Tx) readBases(snap kv.Snapshot) error {
	var joined []*write
	var keys []string
	for _, w := range tx.written {
		if w.unseen() {
			joined = append(joined, w)
			keys = append(keys, w.key)
		}
	}
	entries, err := tx.fetch(snap, keys)
	if err != nil {
		return tx.fail(err)
	}
	for i, w := range joined {
		*w.base = read{key: w.key, version: entries[i].Version, sealed: entries[i].Value, joined: true}
		if err := tx.joinBase(w); err != nil {
			return err
		}
	}
	return nil
}

// JoinLaws returns an error that names the law which Join breaks on a, b and
// c, or nil. Call it with random values from a property test.
func JoinLaws[T Joiner[T]](a, b, c T, equal func(T, T) bool) error {
	switch {
	case !equal(a.Join(a), a):
		return fmt.Errorf("Join is not idempotent: a.Join(a) is not a")
	case !equal(a.Join(b), b.Join(a)):
		return fmt.Errorf("Join is not commutative: a.Join(b) is not b.Join(a)")
	case !equal(a.Join(b).Join(c), a.Join(b.Join(c))):
		return fmt.Errorf("Join is not associative: (a.Join(b)).Join(c) is not a.Join(b.Join(c))")
	}
	return nil
}

// plaintexts lends buffers for encodings; they are wiped before they go back.
var plaintexts = sync.Pool{New: func() any { return new([]byte) }}

// seal returns the kv write.
func (tx *Tx) seal(w *write) (kv.Write, error) {
	if w.deleted {
		return kv.Write{Key: w.key, Delete: true}, nil
	}
	probe := tx.Probe()
	buf := plaintexts.Get().(*[]byte)
	began := probe.Begin()
	plain, err := w.coder.encode((*buf)[:0], w.value)
	probe.End(Encoding, began)
	if err != nil {
		return kv.Write{}, fmt.Errorf("txn: encode a record of kind %s: %w", kindOf(w.key), err)
	}
	began = probe.Begin()
	sealed := tx.db.sealer.Seal(nil, w.key, plain)
	probe.End(Sealing, began)
	w.bytes = len(sealed)
	clear(plain)
	*buf = plain
	plaintexts.Put(buf)
	return kv.Write{Key: w.key, Value: sealed}, nil
}
