package records

import (
	"bytes"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/pawlkv/pawl/internal/machine"
	frame "github.com/pawlkv/pawl/internal/record"
	"github.com/pawlkv/pawl/txn"
)

// Bounds of an extra record, in bytes.
const (
	MaxExtraSpace = 64
	MaxExtraName  = 1024
	MaxExtraValue = 256 << 10
)

// Extra is a record of a program around Pawl, which keeps it with the account. Pawl
// does not look into it.
type Extra struct {
	Space string // whose it is
	Name  string
	Value []byte
}

// ExtraName names an extra record.
type ExtraName struct{ Space, Name string }

// Extras: records of programs around Pawl, extra/<space>/<name>.
var Extras = txn.Record[ExtraName, Extra]{
	Kind: "extra", Codec: machine.Encoded[Extra]{Read: decodeExtra},
	Name: func(e Extra) ExtraName { return ExtraName{e.Space, e.Name} },
	Path: func(n ExtraName) txn.Path { return txn.PathOf(n.Space, n.Name) },
}

func extraKind() Kind { return Kind{Records: many(&Extras)} }

const (
	extraVersion = 2
	extraFields  = 3
)

// ErrExtra: see package pawl.
var ErrExtra = errors.New("pawl: not an extra record that can be kept")

// Check fails with ErrExtra if the record is out of bounds.
func (n ExtraName) Check(value []byte) error {
	switch {
	case n.Space == "" || len(n.Space) > MaxExtraSpace:
		return fmt.Errorf("%w: a space of %d bytes, of 1 to %d", ErrExtra, len(n.Space), MaxExtraSpace)
	case n.Name == "" || len(n.Name) > MaxExtraName:
		return fmt.Errorf("%w: a name of %d bytes, of 1 to %d", ErrExtra, len(n.Name), MaxExtraName)
	case !utf8.ValidString(n.Space) || !utf8.ValidString(n.Name):
		return fmt.Errorf("%w: a space or a name that is no UTF-8", ErrExtra)
	case len(value) > MaxExtraValue:
		return fmt.Errorf("%w: a value of %d bytes, of at most %d", ErrExtra, len(value), MaxExtraValue)
	}
	return nil
}

// Encode returns the record.
func (e Extra) Encode() ([]byte, error) {
	if err := Extras.Name(e).Check(e.Value); err != nil {
		return nil, err
	}
	size := len(e.Space) + len(e.Name) + len(e.Value) + 16
	return frame.Encode(extraVersion, extraFields, size, func(w *frame.Writer) {
		w.Text(e.Space)
		w.Text(e.Name)
		w.Bytes(e.Value)
	}), nil
}

func decodeExtra(b []byte) (e Extra, err error) {
	err = frame.Decode("extra", b, extraVersion, extraFields, func(r *frame.Reader) {
		e.Space, e.Name = r.Text(MaxExtraSpace), r.Text(MaxExtraName)
		e.Value = bytes.Clone(r.Bytes(MaxExtraValue))
		r.Check(e.Space != "", "space")
		r.Check(e.Name != "", "name")
	})
	if err != nil {
		return Extra{}, err
	}
	return e, nil
}

// ReadExtra returns an extra record, nil if there is none, or what there was is known
// to be lost.
func ReadExtra(tx *txn.Tx, n ExtraName) ([]byte, error) {
	e, ok, err := Extras.Get(tx, n)
	if machine.IsSetAside(err) || err == nil && !ok {
		return nil, nil
	}
	return bytes.Clone(e.Value), err // a cache may have the record
}

// PutExtra stores an extra record; nil deletes it.
func PutExtra(tx *txn.Tx, n ExtraName, value []byte) error {
	if value == nil {
		return Extras.Delete(tx, n)
	}
	return Extras.Put(tx, Extra{Space: n.Space, Name: n.Name, Value: bytes.Clone(value)}) // the value is the caller's
}
