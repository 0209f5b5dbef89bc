package records

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/pawlkv/pawl/internal/machine"
	frame "github.com/pawlkv/pawl/internal/record"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/txn"
)

// unlist sets aside an event that cannot be read, and takes it off the list, if that
// can be read.
func (k Kept[T]) unlist(_ *Checkup, u unread) *Fix {
	return inOne("set it aside, and take it off the list", func(tx *txn.Tx, a *machine.Account) error {
		done, err := machine.SetAside(tx, a, u.key, u.version, machine.Aside{Why: u.says})
		if err != nil || !done {
			return err
		}
		s, err := k.Shelf(tx)
		if machine.IsDamage(err) {
			return nil
		}
		if err != nil {
			return err
		}
		for _, i := range s.Items {
			key, err := k.Records.Key(tx, i.N)
			if err != nil {
				return err
			}
			if key == u.key {
				return k.List.Put(tx, s.without(i.N))
			}
		}
		return nil
	})
}

// check: the list has exactly those that there are.
func (k Kept[T]) check(c *Checkup) {
	s, err := k.Shelf(c.Tx)
	if err != nil {
		return // the check complains of it
	}
	version, err := k.List.Version(c.Tx)
	if err != nil {
		return
	}
	listed := map[uint64]bool{}
	for _, i := range s.Items {
		listed[i.N] = true
		if there := at(c, k.Records, i.N); there != whole && there != broken {
			c.Find(k.List.Kind, k.listAgain(version), "%s names event %d, which is missing", k.List.Kind, i.N)
		}
	}
	for v := range readable(c, k.Records) {
		if n := k.item(v).N; !listed[n] {
			c.Find(k.List.Kind, k.listAgain(version), "%s does not name event %d", k.List.Kind, n)
		}
	}
}

// listAgain makes the list of what there is, unless the one that was looked at has
// changed.
func (k Kept[T]) listAgain(version kv.Version) *Fix {
	return &Fix{"make the list again", func(ctx context.Context, a *machine.Account) error {
		made, err := txn.View(ctx, a.DB, k.find)
		if err != nil {
			return err
		}
		return a.Do(ctx, func(tx *txn.Tx) error {
			key, err := k.List.Key(tx)
			if err != nil {
				return err
			}
			e, err := tx.Entry(key)
			if err != nil || e.Version != version {
				return err
			}
			if _, err := a.Active(tx); err != nil {
				return err
			}
			return k.List.Put(tx, made)
		})
	}}
}

// find makes a list of all that can be read.
func (k Kept[T]) find(tx *txn.Tx) (s Shelf, err error) {
	for v, err := range k.Records.Scan(tx) {
		switch {
		case machine.IsDamage(err):
		case err != nil:
			return s, err
		default:
			s.Items = append(s.Items, k.item(v))
		}
	}
	slices.SortFunc(s.Items, func(a, b Item) int { return cmp.Compare(a.N, b.N) })
	if len(s.Items) > MaxKept {
		return s, fmt.Errorf("pawl: %d events of kind %s are kept", len(s.Items), k.Records.Kind)
	}
	if n := len(s.Items); n > 0 {
		s.Next = s.Items[n-1].N + 1
	}
	s.Due = true // whatever the list said
	return s, nil
}

// times tells when the events came. Of what cannot be read nothing is known.
func (k Kept[T]) times(tx *txn.Tx, add func(frame.Order, time.Time)) error {
	s, err := k.Shelf(tx)
	if machine.IsDamage(err) {
		return nil
	}
	for _, i := range s.Items {
		add(i.At.Order, i.At.Time)
	}
	return err
}

// right puts right when they came.
func (k Kept[T]) right(tx *txn.Tx, t truth) error {
	s, err := k.Shelf(tx)
	if err != nil {
		if machine.IsDamage(err) {
			err = nil
		}
		return err
	}
	changed := false
	s.Items = slices.Clone(s.Items)
	for n, i := range s.Items {
		if t.wrong(i.At.Order, i.At.Time) {
			s.Items[n].At.Time, changed = t.of(event{i.At.Order, i.At.Time}), true
		}
	}
	if !changed {
		return nil
	}
	return k.List.Put(tx, s)
}

// sweep deletes those whose time is over, in commits of some.
func (k Kept[T]) sweep(ctx context.Context, s *Sweep) error {
	most := max(s.Account.Store.PerCommit(machine.Share{Bytes: 64, Writes: 1, Checks: 1}), 1)
	for more := true; more; {
		var err error
		more, err = txn.Do(ctx, s.Account.DB, func(tx *txn.Tx) (bool, error) { return k.sweepSome(tx, s, most) })
		if err != nil {
			return err
		}
	}
	return nil
}

func (k Kept[T]) sweepSome(tx *txn.Tx, s *Sweep, most int) (more bool, err error) {
	v, err := s.Account.Active(tx)
	if err != nil {
		return false, err
	}
	list, err := k.Shelf(tx)
	if err != nil {
		if s.Damaged.Note(err) {
			err = nil
		}
		return false, err
	}
	first := v.Created()
	if first.After(s.Now) {
		first = time.Time{}
	}
	list, gone, changed := list.expired(first, s.Now)
	if !changed {
		return false, nil
	}
	gone, more = gone[:min(len(gone), most)], len(gone) > most
	for _, n := range gone {
		if err := k.Records.Delete(tx, n); err != nil {
			return false, err
		}
	}
	return more, k.List.Put(tx, list.without(gone...))
}
