package machine

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/txn"
)

// IsDamage reports whether an error says that some record is damaged or missing,
// and nothing worse: the call can do all that does not need that record. A
// record that a newer program wrote is not damaged, and where the engine cannot
// tell which records there are nothing can be done without them.
func IsDamage(err error) bool {
	if err == nil {
		return false // nearly always: looking into an error costs an allocation
	}
	var record *txn.RecordError
	return errors.As(err, &record) && errors.Is(record, kv.ErrCorrupt) || errors.As(err, new(*Contradiction))
}

// IsSetAside reports whether an error says that a record was damaged and set
// aside: it is gone, and known to be.
func IsSetAside(err error) bool { return errors.Is(err, txn.ErrSetAside) }

// Contradiction is a kv.ErrCorrupt: records that contradict each other, found
// while working and not by Check.
type Contradiction struct{ what string }

// Corrupt returns a Contradiction.
func Corrupt(format string, args ...any) error {
	return &Contradiction{fmt.Sprintf(format, args...)}
}

// Error implements error.
func (c *Contradiction) Error() string { return fmt.Sprintf("%v: %s", kv.ErrCorrupt, c.what) }

// Is makes errors.Is(err, kv.ErrCorrupt) true.
func (c *Contradiction) Is(target error) bool { return target == kv.ErrCorrupt }

// Damages are what a call had to do without: each record once.
type Damages struct{ list []error }

// Note adds an error that IsDamage, and reports whether it is one. Others are
// the caller's to return.
func (d *Damages) Note(err error) bool {
	if !IsDamage(err) {
		return false
	}
	d.Add(err)
	return true
}

// Add adds errors, each if there is none yet of the same record.
func (d *Damages) Add(errs ...error) {
	for _, err := range errs {
		if !slices.ContainsFunc(d.list, func(known error) bool { return sameRecord(known, err) }) {
			d.list = append(d.list, err)
		}
	}
}

func sameRecord(a, b error) bool {
	var one, two *txn.RecordError
	if errors.As(a, &one) && errors.As(b, &two) {
		return one.Key == two.Key
	}
	return a.Error() == b.Error()
}

// Len returns how many there are.
func (d *Damages) Len() int { return len(d.list) }

// All returns them in the order in which they were found.
func (d *Damages) All() []error { return slices.Clip(d.list) }

// Err returns them as one error, nil if there are none.
func (d *Damages) Err() error { return errors.Join(d.list...) }

// Tell tells the log, once the transaction is committed, what it did without.
func (s *Store) Tell(tx *txn.Tx, damages []error) {
	if len(damages) == 0 {
		return
	}
	tx.OnCommit(func() {
		for _, err := range damages {
			s.Log.Warn("a damaged record was passed over: 'pawl check' and Store.Check list all", slog.Any("error", err))
		}
	})
}
