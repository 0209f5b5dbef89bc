package pawl

import (
	"context"

	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/internal/machine/lineage"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/internal/machine/upkeep"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/matrix"
)

// Finding is something in a store that is broken.
type Finding struct {
	User   matrix.UserID   // of the account that it concerns; "" if it is the store's
	Device matrix.DeviceID // likewise
	Kind   string          // of the record: "session"
	Broken string          // what is the matter
	Repair string          // what Repair does about it; "" if nothing can be done here
}

// Check verifies every invariant of the account over one snapshot and returns
// what is broken, a line each, sorted; nothing means that all hold:
//
//   - every record opens and decodes, is stored once and under its own name,
//     and its keys belong together;
//   - a peer lists exactly its live sessions;
//   - every key in the pool has its record, with the pool's id, and every
//     unused key is in the pool; no id is there twice;
//   - a one-time key is used up exactly when the session it opened exists;
//   - the session of every receipt that keeps a message key exists.
//
// It reads everything and writes nothing. The error is of the store, or of a
// record that a newer version wrote. [Store.Check] is about all accounts, and
// about what belongs to none.
func (m *Machine) Check(ctx context.Context) ([]string, error) {
	found, err := upkeep.Check(ctx, m.account, records.Kinds())
	return convert(found, func(f records.Finding) string { return f.Broken }), err
}

// Check is Machine.Check of all accounts that can be read, and finds what is
// damaged of the accounts themselves and of what they share. It reads everything
// and writes nothing.
func (s *Store) Check(ctx context.Context) ([]Finding, error) {
	return s.mend(ctx, func(ctx context.Context, _ *machine.Account, check checker) ([]records.Finding, error) {
		return check(ctx)
	})
}

// Repair does what can be done about what Check finds, and returns it. What
// cannot be read is set aside: a sealed copy is kept as a record that nothing
// reads (of kind "aside"), and a mark stands in its place, so that the record is
// known to be gone and is never taken for one that was not there. What can be
// made again from other records is as after a recovery: keys of a lost pool are
// never offered again and their ids jump, sessions of a lost list only receive.
// What Check does not find is left alone.
//
// No call puts back what was set aside. An account whose own record is damaged is
// lost: another of its name cannot be made in this store.
//
// Afterwards Check finds nothing but what has no Repair. Others may use the store
// meanwhile. Accounts that were moved away are left as they are. Errors: those of
// kv; kv.ErrNewer if a newer version wrote anything, and then nothing is changed.
func (s *Store) Repair(ctx context.Context) ([]Finding, error) {
	if _, err := s.Check(ctx); err != nil {
		return nil, err
	}
	return s.mend(ctx, upkeep.Repair)
}

// KeyringKey is the key of the keyring among the entries of a store. Without it
// nothing opens; an older copy of the store has it too.
const KeyringKey = machine.KeyringKey

// Salvage makes a store, in an engine that holds nothing, of what could be read of
// one that does not open, or that cannot be read to its end: the entries that the
// engine's own Salvage returns (kv/badgerkv, kv/sqlitekv). It opens with the same
// passphrase or key, which opts have to give. All accounts must be recovered
// before they send, since the newest that was done with them may be lost, and what
// the entries lack of each other is repaired, as Repair says: that is returned.
//
// Do not use the damaged store again: a device lives in one store. Errors:
// kv.ErrInvalid (there is something in the engine), ErrNoKeyring,
// seal.ErrPassphrase and those of kv. After an error the engine holds no store.
func Salvage(ctx context.Context, entries []kv.Entry, to kv.Store, opts ...Option) ([]Finding, error) {
	o := defaults()
	for _, set := range opts {
		set(&o)
	}
	if !o.unlocked {
		return nil, ErrNoKey
	}
	if err := lineage.Salvage(ctx, entries, to, o.unlock, o.tools); err != nil {
		return nil, err
	}
	s, err := Open(ctx, to, opts...)
	if err != nil {
		return nil, err
	}
	return s.Repair(ctx)
}

type checker = func(context.Context) ([]records.Finding, error)

// mend calls what checks or repairs for the store and for each account.
func (s *Store) mend(ctx context.Context, do func(context.Context, *machine.Account, checker) ([]records.Finding, error)) ([]Finding, error) {
	checkStore := func(ctx context.Context) ([]records.Finding, error) { return upkeep.CheckStore(ctx, s.store) }
	found, err := do(ctx, upkeep.Common(s.store), checkStore)
	all := findings(machine.AccountName{}, found)
	if err != nil {
		return all, err
	}
	ids, _, err := s.store.Identities(ctx) // what is damaged of the others was found
	if err != nil {
		return all, err
	}
	for _, id := range ids {
		a := s.store.Account(machine.AccountName{User: id.UserID, Device: id.DeviceID})
		check := func(ctx context.Context) ([]records.Finding, error) { return upkeep.Check(ctx, a, records.Kinds()) }
		found, err := do(ctx, a, check)
		all = append(all, findings(a.Name, found)...)
		if err != nil {
			return all, err
		}
	}
	return all, nil
}

func findings(of machine.AccountName, found []records.Finding) []Finding {
	return convert(found, func(f records.Finding) Finding {
		repair := ""
		if f.Fix != nil {
			repair = f.Fix.Says
		}
		return Finding{of.User, of.Device, f.Kind, f.Broken, repair}
	})
}
