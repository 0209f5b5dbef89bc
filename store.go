package pawl

import (
	"context"
	"errors"
	"time"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/internal/machine/lineage"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/txn"
	"github.com/pawlkv/pawl/txn/seal"
)

// Store is a kv.Store with Pawl's records in it: any number of accounts,
// sealed under one data key. Its methods may be called from any number of
// goroutines, and any number of Stores may be open on one kv.Store.
type Store struct {
	store *machine.Store
	cost  seal.Cost // for new passphrases; zero: as recorded
}

// Open opens the records in store, and prepares an empty store for them. It
// needs WithPassphrase or WithKey, which an empty store takes as its own. The
// caller keeps the kv.Store open for as long as the Store is used, and closes
// it.
//
// Errors: ErrNoKey; seal.ErrCost; seal.ErrPassphrase (the passphrase or key is not this
// store's); seal.ErrFormat (a newer program wrote the store, or its keyring is
// damaged); kv.ErrCorrupt (the store has entries but no keyring); those of kv
// and, if it cannot be read or written, of the witness.
func Open(ctx context.Context, store kv.Store, opts ...Option) (*Store, error) {
	o := defaults()
	for _, set := range opts {
		set(&o)
	}
	if !o.unlocked {
		return nil, ErrNoKey
	}
	if o.cost != (seal.Cost{}) {
		if err := o.cost.Check(); err != nil {
			return nil, err
		}
	}
	s, err := machine.Open(ctx, store, o.unlock.WithCost(o.cost), o.tools)
	if err == nil {
		w, watch := o.witnessOf(store)
		err = lineage.Compare(ctx, s, w, watch)
	}
	if err != nil {
		return nil, err
	}
	s.Format(ctx) // raises it if it can
	return &Store{s, o.cost}, nil
}

// ChangePassphrase seals the data key under another passphrase: one record is
// rewritten, and the old one is erased from the engine's files, as by Erase. What
// deriving it takes stays as recorded, unless WithCost was given.
// Handles that are open keep working. It fails with seal.ErrPassphrase if somebody
// else has changed it since this Store was opened or changed it last. With
// ErrNotErased it was changed all the same.
func (s *Store) ChangePassphrase(ctx context.Context, passphrase []byte) error {
	return s.store.Reseal(ctx, seal.Passphrase(passphrase).WithCost(s.cost))
}

// ChangeKey is ChangePassphrase for a store under a raw key.
func (s *Store) ChangeKey(ctx context.Context, key [32]byte) error {
	return s.store.Reseal(ctx, seal.RawKey(key))
}

// Erase erases all that was ever deleted or overwritten from the engine's files,
// which may rewrite much of them while reads and commits wait: what Sweep and
// Acknowledge have deleted, say. Of an engine that offers no such call (a method
// Flatten) it asks nothing.
func (s *Store) Erase(ctx context.Context) error { return s.store.Erase(ctx) }

// Identity is the public part of an account.
type Identity struct {
	UserID     matrix.UserID     `json:"user_id"`
	DeviceID   matrix.DeviceID   `json:"device_id"`
	Curve25519 ratchet.PublicKey `json:"-"` // names the device in encrypted events
	Ed25519    account.VerifyKey `json:"-"` // signs
	Created    time.Time         `json:"-"`
}

// Create makes an account with new identity keys. It fails with
// ErrAccountExists, matrix.ErrUserID, matrix.ErrDeviceID, or kv.ErrCorrupt if
// the store has records of this account but not its own, or is empty while the caller's
// witness has seen another: another identity never takes the place of one that was lost.
func (s *Store) Create(ctx context.Context, user matrix.UserID, device matrix.DeviceID) (*Machine, error) {
	a, err := s.store.Create(ctx, machine.AccountName{User: user, Device: device})
	if err != nil {
		return nil, err
	}
	return newMachine(a), nil
}

// Machine returns an account of the store, or ErrNoAccount.
func (s *Store) Machine(ctx context.Context, user matrix.UserID, device matrix.DeviceID) (*Machine, error) {
	a := s.store.Account(machine.AccountName{User: user, Device: device})
	v, err := txn.View(ctx, a.DB, a.Read)
	if err != nil {
		return nil, err
	}
	if !v.Raised() {
		records.Raise(ctx, a)
	}
	return newMachine(a), nil
}

// OpenOrCreate is Machine, and Create if there is no such account: for programs
// that do the same at every start.
func (s *Store) OpenOrCreate(ctx context.Context, user matrix.UserID, device matrix.DeviceID) (*Machine, error) {
	m, err := s.Machine(ctx, user, device)
	if !errors.Is(err, ErrNoAccount) {
		return m, err
	}
	m, err = s.Create(ctx, user, device)
	if errors.Is(err, ErrAccountExists) { // another process was first
		return s.Machine(ctx, user, device)
	}
	return m, err
}

// Delete deletes an account with all its records: its keys, sessions and room keys. From
// its first commit on nobody has the account, not even who has it open: all calls fail with
// ErrNoAccount. The rest may take many commits; interrupted, call it again. Repair goes
// on with it, too, and so does Create.
//
// Export first what is to be kept (Machine.ExportRoomKeys), and log the device out: under
// its name Create makes another identity, which the server refuses. What was deleted may
// stay in the engine's files for a while; see Erase. It fails with ErrNoAccount,
// account.ErrRetired (the account was moved to another store) and, if its own record is
// damaged, kv.ErrCorrupt.
func (s *Store) Delete(ctx context.Context, user matrix.UserID, device matrix.DeviceID) error {
	return s.store.Delete(ctx, machine.AccountName{User: user, Device: device})
}

// Accounts returns the identities of all accounts in the store, in no order.
// Where the records of some are damaged the error is a kv.ErrCorrupt, and the
// others are returned with it.
func (s *Store) Accounts(ctx context.Context) ([]Identity, error) {
	found, damaged, err := s.store.Identities(ctx)
	return convert(found, func(id machine.Identity) Identity { return Identity(id) }), errors.Join(err, damaged.Err())
}

// Stats returns the cumulated statistics of all transactions on this handle.
func (s *Store) Stats() txn.Stats { return s.store.DB.Stats() }

// convert returns the values as those of another type; nil for nil.
func convert[A, B any](values []A, to func(A) B) []B {
	if values == nil {
		return nil
	}
	converted := make([]B, len(values))
	for i, v := range values {
		converted[i] = to(v)
	}
	return converted
}
