package pawl

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/txn"
)

// Machine is one account of a store: what a Matrix client calls. It keeps
// nothing of the account's state, so any number of Machines may work on one
// account, and all methods may be called from any number of goroutines.
//
// An account that was moved to another store (account.ErrRetired) only
// inspects.
type Machine struct {
	store  *Store
	db     *txn.DB
	user   matrix.UserID
	device matrix.DeviceID
	hints  hints
}

// Identity is the public part of an account.
type Identity struct {
	UserID     matrix.UserID     `json:"user_id"`
	DeviceID   matrix.DeviceID   `json:"device_id"`
	Curve25519 ratchet.PublicKey `json:"-"` // names the device in encrypted events
	Ed25519    account.VerifyKey `json:"-"` // signs
	Created    time.Time         `json:"-"`
}

// Create makes an account with new identity keys. It fails with
// ErrAccountExists, matrix.ErrUserID or matrix.ErrDeviceID.
func (s *Store) Create(ctx context.Context, user matrix.UserID, device matrix.DeviceID) (*Machine, error) {
	made, err := account.New(s.opts.rand, user, device, s.opts.now())
	if err != nil {
		return nil, err
	}
	_, err = txn.Do(ctx, s.db, func(tx *txn.Tx) (struct{}, error) {
		_, exists, err := accounts.Get(tx, accountName{user, device})
		if err != nil {
			return struct{}{}, err
		}
		if exists {
			return struct{}{}, fmt.Errorf("%w: %s %s", ErrAccountExists, user, device)
		}
		return struct{}{}, accounts.Put(tx, made)
	})
	if err != nil {
		return nil, err
	}
	return s.machine(user, device), nil
}

// Machine returns an account of the store, or ErrNoAccount.
func (s *Store) Machine(ctx context.Context, user matrix.UserID, device matrix.DeviceID) (*Machine, error) {
	m := s.machine(user, device)
	if _, err := m.Identity(ctx); err != nil {
		return nil, err
	}
	return m, nil
}

// Accounts returns the identities of all accounts in the store, in no order.
func (s *Store) Accounts(ctx context.Context) ([]Identity, error) {
	return txn.View(ctx, s.db, func(tx *txn.Tx) ([]Identity, error) {
		var found []Identity
		for a, err := range accounts.Scan(tx) {
			if err != nil {
				return nil, err
			}
			found = append(found, identityOf(a))
		}
		return found, nil
	})
}

func (s *Store) machine(user matrix.UserID, device matrix.DeviceID) *Machine {
	// The length keeps "@a:b" "CD" and "@a:bC" "D" apart.
	name := strconv.Itoa(len(user)) + ":" + string(user) + string(device)
	return &Machine{store: s, db: s.db.Account(name), user: user, device: device, hints: newHints()}
}

// Identity returns the account's public keys.
func (m *Machine) Identity(ctx context.Context) (Identity, error) {
	return txn.View(ctx, m.db, func(tx *txn.Tx) (Identity, error) {
		a, err := m.account(tx)
		return identityOf(a), err
	})
}

func identityOf(a account.Account) Identity {
	return Identity{a.User(), a.Device(), a.Identity(), a.Fingerprint(), a.Created()}
}

// account reads the account's record.
func (m *Machine) account(tx *txn.Tx) (account.Account, error) {
	a, ok, err := accounts.Get(tx, accountName{m.user, m.device})
	if err == nil && !ok {
		err = fmt.Errorf("%w: %s %s", ErrNoAccount, m.user, m.device)
	}
	return a, err
}

// active is account for calls that change or release something. All of them
// read the record, so that moving the account away conflicts with each.
func (m *Machine) active(tx *txn.Tx) (account.Account, error) {
	a, err := m.account(tx)
	if err != nil {
		return a, err
	}
	if to, retired := a.Retired(); retired {
		return a, fmt.Errorf("%w: %s", account.ErrRetired, to.Path)
	}
	return a, nil
}

// sending is active for calls after which the peer or the server has something
// that must never be made from an older state of the store.
func (m *Machine) sending(tx *txn.Tx) (account.Account, error) {
	a, err := m.active(tx)
	if err != nil {
		return a, err
	}
	if why, needed := a.NeedsRecovery(); needed {
		about := ""
		if why.Cause == account.Behind {
			about = m.store.behind
		}
		return a, fmt.Errorf("%w: %s%s", ErrNeedsRecovery, why.Cause, about)
	}
	return a, nil
}

func (m *Machine) accountRef() txn.Ref { return accounts.Ref(accountName{m.user, m.device}) }

func (m *Machine) now() time.Time { return m.store.opts.now() }
