package pawl

import (
	"bytes"
	"context"

	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/internal/secret"
	"github.com/pawlkv/pawl/txn"
)

// Bounds of an extra record, in bytes.
const (
	MaxExtraSpace = records.MaxExtraSpace
	MaxExtraName  = records.MaxExtraName
	MaxExtraValue = records.MaxExtraValue
)

// Extra is a record that a program around Pawl keeps with an account: what belongs to
// the device and has to go where its keys go, and nothing that Pawl looks into. It is
// sealed, copied and moved as all records are, and kept until it is deleted.
type Extra struct {
	secret.Guard // the value may be a secret
	Name         string
	Value        []byte
}

// Extra returns the value of an extra record, nil if there is none. Whoever uses such
// records gives theirs a space of its own. It fails with ErrExtra, ErrFormat1,
// account.ErrRetired, or kv.ErrCorrupt.
func (m *Machine) Extra(ctx context.Context, space, name string) (value []byte, err error) {
	n := records.ExtraName{Space: space, Name: name}
	if err := n.Check(nil); err != nil {
		return nil, err
	}
	err = m.viewExtras(ctx, func(tx *txn.Tx) error {
		value, err = records.ReadExtra(tx, n)
		return err
	})
	return value, err
}

// ChangeExtra changes an extra record in one transaction: change is given its value,
// nil if there is none, and returns the new one, nil for none. It may be called several
// times, must not call the Machine, and its error ends the call, with nothing changed.
// One that cannot be read is not changed until it was repaired. Errors: ErrExtra,
// those of Extra, and that of change.
func (m *Machine) ChangeExtra(ctx context.Context, space, name string, change func(old []byte) ([]byte, error)) error {
	n := records.ExtraName{Space: space, Name: name}
	if err := n.Check(nil); err != nil {
		return err
	}
	return records.OnRaised(ctx, m.account, func() error {
		return m.account.Do(ctx, func(tx *txn.Tx) error {
			if _, err := m.account.ActiveRaised(tx); err != nil {
				return err
			}
			old, err := records.ReadExtra(tx, n)
			if err != nil {
				return err
			}
			value, err := change(old)
			if err != nil || value == nil && old == nil {
				return err
			}
			if err := n.Check(value); err != nil {
				return err
			}
			return records.PutExtra(tx, n, value)
		})
	})
}

// Extras returns the extra records of a space, in no order, from one view of all of
// them: it is for few. One that cannot be read is left out, and the error is its
// kv.ErrCorrupt, beside the others. Otherwise it fails as Extra does.
func (m *Machine) Extras(ctx context.Context, space string) (all []Extra, err error) {
	if err := (records.ExtraName{Space: space, Name: space}).Check(nil); err != nil {
		return nil, err
	}
	var damaged error
	err = m.viewExtras(ctx, func(tx *txn.Tx) error {
		all, damaged = nil, nil
		for e, err := range records.Extras.ScanUnder(tx, txn.PathOf(space)) {
			switch {
			case machine.IsSetAside(err):
			case machine.IsDamage(err):
				damaged = err
			case err != nil:
				return err
			default:
				all = append(all, Extra{Name: e.Name, Value: bytes.Clone(e.Value)})
			}
		}
		return nil
	})
	if err == nil {
		err = damaged
	}
	return all, err
}

// viewExtras looks at an account, which is raised for it if it must be.
func (m *Machine) viewExtras(ctx context.Context, look func(tx *txn.Tx) error) error {
	return records.OnRaised(ctx, m.account, func() error {
		_, err := txn.View(ctx, m.account.DB, func(tx *txn.Tx) (struct{}, error) {
			if _, err := m.account.ActiveRaised(tx); err != nil {
				return struct{}{}, err
			}
			return struct{}{}, look(tx)
		})
		return err
	})
}
