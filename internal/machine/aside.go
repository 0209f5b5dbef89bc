package machine

import (
	"strconv"
	"time"

	"github.com/pawlkv/pawl/internal/record"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/txn"
)

// Aside is what was set aside: a copy of what was stored, sealed as it was found
// and sealed again, which nothing ever reads or puts back. It is for somebody who
// wants to know. One that names a record which was missing says that this is
// known, and has no copy.
type Aside struct {
	Of    string // the key that it stood under, or what is missing
	N     int    // the n-th of that key, from 0
	Kind  string
	Name  []byte // the id of a session, where it is known
	Why   string
	At    int64 // milliseconds since 1970
	Bytes []byte
}

// AsideName names what was set aside.
type AsideName struct {
	Of string
	N  int
}

// Asides: what was set aside of an account, aside/<key>/<number>, and what was
// set aside of the records that all accounts share.
var (
	Asides       = asides(false)
	SharedAsides = asides(true)
)

func asides(shared bool) txn.Record[AsideName, Aside] {
	return txn.Record[AsideName, Aside]{
		Kind: "aside", Codec: txn.Msgpack[Aside](1), Shared: shared,
		Name: func(a Aside) AsideName { return AsideName{a.Of, a.N} },
		Path: func(n AsideName) txn.Path { return txn.PathOf(n.Of, strconv.Itoa(n.N)) },
	}
}

// SetAside sets aside what stands under a key at a version, and leaves a mark in
// its place. It returns false, and does nothing, if something else stands there
// now.
func SetAside(tx *txn.Tx, a *Account, key string, version kv.Version, of Aside) (bool, error) {
	e, err := tx.Entry(key)
	if err != nil || e.Version != version {
		return false, err
	}
	of.Of, of.Bytes = key, e.Value
	scope, kind := txn.KindOf(key)
	of.Kind = kind
	r := &Asides
	if _, shared := a.DB.Scope(); scope == shared {
		r = &SharedAsides
	}
	if err := putAside(tx, r, a.Store.Now(), of); err != nil {
		return false, err
	}
	return true, tx.SetAside(key, a.Store.Now())
}

// PutAside writes what was set aside of an account, under the first number that
// is free.
func PutAside(tx *txn.Tx, a *Account, of Aside) error {
	return putAside(tx, &Asides, a.Store.Now(), of)
}

// putAside writes under the first number that is free.
func putAside(tx *txn.Tx, r *txn.Record[AsideName, Aside], now time.Time, of Aside) error {
	of.At = record.Millis(now)
	for ; ; of.N++ {
		_, taken, err := r.Get(tx, r.Name(of))
		switch {
		case err != nil && !IsDamage(err):
			return err
		case err == nil && !taken:
			return r.Put(tx, of)
		}
	}
}

// Note notes that something which all accounts would share is known to be gone.
func Note(tx *txn.Tx, a *Account, of, kind, why string) error {
	if _, known, err := SharedAsides.Get(tx, AsideName{of, 0}); known || err != nil {
		return err
	}
	return putAside(tx, &SharedAsides, a.Store.Now(), Aside{Of: of, Kind: kind, Why: why})
}

// RecordsOf is what a note on the records of a lost account is of, by the first
// segment of their keys.
func RecordsOf(scope string) string { return "records of " + scope }
