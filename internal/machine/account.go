package machine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/txn"
)

// Errors of finding an account and of what it may do; see package pawl.
var (
	ErrAccountExists = errors.New("pawl: the store already has this account")
	ErrNoAccount     = errors.New("pawl: the store has no such account")
	ErrUnwitnessed   = errors.New("pawl: nothing is sent from a store that has a witness and was opened without it")
	ErrNeedsRecovery = errors.New("pawl: nothing is sent until the account is recovered ('pawl recover', Machine.Recover)")
	ErrFormat1       = errors.New("pawl: the account is of format 1, which has no place for this: close the older programs that have the store open")
)

// AccountName names an account of a store.
type AccountName struct {
	User   matrix.UserID
	Device matrix.DeviceID
}

// Accounts are the records of all accounts. They stand here and not with the
// other kinds because every call begins with one.
var Accounts = txn.Record[AccountName, account.Account]{
	Kind: "account", Codec: Encoded[account.Account]{Read: account.Decode}, Shared: true, Steady: true,
	Name: func(a account.Account) AccountName { return AccountName{a.User(), a.Device()} },
	Path: func(n AccountName) txn.Path { return txn.PathOf(string(n.User), string(n.Device)) },
}

// AccountsPrefix begins the keys of all accounts' records.
const AccountsPrefix = "_/account/"

// String returns the name as errors say it.
func (n AccountName) String() string { return fmt.Sprintf("%s %s", n.User, n.Device) }

// Account is one account of a store, which need not be there.
type Account struct {
	Store *Store
	DB    *txn.DB // of the account's records
	Name  AccountName
	// Recent is what this handle's requests carry.
	Recent Recent
}

// Account returns the account with a name.
func (s *Store) Account(name AccountName) *Account {
	// The length keeps "@a:b" "CD" and "@a:bC" "D" apart.
	scope := strconv.Itoa(len(name.User)) + ":" + string(name.User) + string(name.Device)
	return &Account{Store: s, DB: s.DB.Account(scope), Name: name}
}

// Create makes an account with new keys. It fails with ErrAccountExists,
// matrix.ErrUserID, matrix.ErrDeviceID, account.ErrRetired (the store's accounts
// were moved) or, if what is left of such an account is damaged or the store that had it
// was lost, kv.ErrCorrupt.
func (s *Store) Create(ctx context.Context, name AccountName) (*Account, error) {
	made, err := account.New(s.Rand, name.User, name.Device, s.Now())
	if err != nil {
		return nil, err
	}
	if s.Format(ctx) >= kv.Format2 {
		made = made.Raise(account.Lineage{})
	}
	return s.Account(name), s.Add(ctx, made, func(*txn.Tx) error { return nil })
}

// errLost: a new identity must not take the place of one that the server still knows.
var errLost = fmt.Errorf("%w: the store is empty, and its witness has seen another: that was lost, and its devices with it; log in as a new device, with a witness of its own", kv.ErrCorrupt)

// Add puts an account into the store, with what else belongs into that commit. It
// fails as Create does.
func (s *Store) Add(ctx context.Context, made account.Account, with func(*txn.Tx) error) error {
	if s.Lost {
		return errLost
	}
	name := AccountName{made.User(), made.Device()}
	if err := s.finishDeleting(ctx, name); err != nil {
		return err
	}
	a := s.Account(name)
	return s.doUnmoved(ctx, a, func(tx *txn.Tx) error {
		_, exists, err := Accounts.Get(tx, name)
		if err != nil {
			return err
		}
		if exists {
			return fmt.Errorf("%w: %s", ErrAccountExists, name)
		}
		if err := a.checkNew(tx); err != nil {
			return err
		}
		if err := Accounts.Put(tx, made); err != nil {
			return err
		}
		return with(tx)
	})
}

// Do runs a transaction without a result.
func (a *Account) Do(ctx context.Context, fn func(tx *txn.Tx) error) error {
	_, err := txn.Do(ctx, a.DB, func(tx *txn.Tx) (struct{}, error) { return struct{}{}, fn(tx) })
	return err
}

// Ref names the account's record for [txn.Tx.Prefetch].
func (a *Account) Ref() txn.Ref { return Accounts.Ref(a.Name) }

// Read reads the account's record, or fails with ErrNoAccount.
func (a *Account) Read(tx *txn.Tx) (account.Account, error) {
	v, ok, err := Accounts.Get(tx, a.Name)
	if err == nil && !ok {
		if err = a.checkNew(tx); err == nil {
			err = fmt.Errorf("%w: %s", ErrNoAccount, a.Name)
		}
	}
	if err != nil {
		return v, err
	}
	if v.Deleted() {
		return account.Account{}, fmt.Errorf("%w: %s is being deleted", ErrNoAccount, a.Name)
	}
	v, _, err = a.mark(tx, v)
	return v, err
}

// checkNew tells an account that was never made from one whose record is gone:
// that one has others.
func (a *Account) checkNew(tx *txn.Tx) error {
	scope, _ := a.DB.Scope()
	e, any, err := tx.AnyEntry(scope + "/")
	if err != nil || !any {
		return err
	}
	if _, known, err := SharedAsides.Get(tx, AsideName{RecordsOf(scope), 0}); known || err != nil {
		return cmp.Or(err, fmt.Errorf("%w: %s", txn.ErrSetAside, a.Name))
	}
	_, kind := txn.KindOf(e.Key)
	return Corrupt("there is a record of %s (%s), and the account's own is missing", a.Name, kind)
}

// Active is Read for calls that change or release something. All of them read
// the record, so that moving the account away conflicts with each. It fails
// with account.ErrRetired.
func (a *Account) Active(tx *txn.Tx) (account.Account, error) {
	v, err := a.Read(tx)
	if err != nil {
		return v, err
	}
	if to, retired := v.Retired(); retired {
		return v, fmt.Errorf("%w: %s", account.ErrRetired, to.Path)
	}
	return v, nil
}

// Sending is Active for calls after which the peer or the server has something
// that must never be made from an older state of the store. It fails with
// ErrNeedsRecovery or ErrUnwitnessed.
func (a *Account) Sending(tx *txn.Tx) (account.Account, error) {
	v, err := a.Active(tx)
	if err != nil {
		return v, err
	}
	if why, needed := v.NeedsRecovery(); needed {
		about := ""
		if why.Cause == account.Behind {
			about = a.Store.Behind
		}
		return v, fmt.Errorf("%w: %s%s", ErrNeedsRecovery, why.Cause, about)
	}
	if a.Store.Unwitnessed {
		return v, ErrUnwitnessed
	}
	return v, nil
}

// ActiveRaised is Active for what only accounts of format 2 have. It fails with
// ErrFormat1; see records.OnRaised.
func (a *Account) ActiveRaised(tx *txn.Tx) (account.Account, error) { return needRaised(a.Active(tx)) }

// SendingRaised is Sending for what only accounts of format 2 have.
func (a *Account) SendingRaised(tx *txn.Tx) (account.Account, error) {
	return needRaised(a.Sending(tx))
}

func needRaised(v account.Account, err error) (account.Account, error) {
	if err == nil && !v.Raised() {
		err = ErrFormat1
	}
	return v, err
}

// Identity is the public part of an account.
type Identity struct {
	UserID     matrix.UserID
	DeviceID   matrix.DeviceID
	Curve25519 ratchet.PublicKey
	Ed25519    account.VerifyKey
	Created    time.Time
}

// IdentityOf returns the public part of an account.
func IdentityOf(a account.Account) Identity {
	return Identity{a.User(), a.Device(), a.Identity(), a.Fingerprint(), a.Created()}
}

// Identity reads the account's public keys, or fails with ErrNoAccount.
func (a *Account) Identity(ctx context.Context) (Identity, error) {
	return txn.View(ctx, a.DB, func(tx *txn.Tx) (Identity, error) {
		v, err := a.Read(tx)
		return IdentityOf(v), err
	})
}

// EachAccount calls fn with each account of the store that can be read and is not being
// deleted, in no order. It returns what is damaged of the others; any other error is the last.
func EachAccount(tx *txn.Tx, fn func(account.Account)) (damaged Damages, err error) {
	for a, err := range Accounts.Scan(tx) {
		if err != nil && !damaged.Note(err) {
			return damaged, err
		}
		if err == nil && !a.Deleted() {
			fn(a)
		}
	}
	return damaged, nil
}

// Identities returns those of all accounts that can be read, in no order, and
// what is damaged of the others.
func (s *Store) Identities(ctx context.Context) (all []Identity, damaged Damages, err error) {
	damaged, err = txn.View(ctx, s.DB, func(tx *txn.Tx) (Damages, error) {
		all = nil
		return EachAccount(tx, func(a account.Account) { all = append(all, IdentityOf(a)) })
	})
	return all, damaged, err
}
