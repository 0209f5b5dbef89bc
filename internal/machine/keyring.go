package machine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/txn"
	"github.com/pawlkv/pawl/txn/seal"
)

// KeyringKey is where the keyring is stored. Without it nobody opens a store.
const KeyringKey = "_/keyring"

// keyring is the record that everything else is sealed under. It protects
// itself; see txn/seal.
var keyring = txn.Single[[]byte]{Kind: "keyring", Codec: plainBytes{}, Shared: true}

type plainBytes struct{}

func (plainBytes) Append(dst, v []byte) ([]byte, error) { return append(dst, v...), nil }
func (plainBytes) Decode(b []byte) ([]byte, error)      { return b, nil }

// Keyring is the keyring of a store, and what this handle opens it with. Its
// methods may be called from any number of goroutines.
type Keyring struct {
	rand io.Reader
	db   *txn.DB // of the one record that is not sealed

	mu      sync.Mutex
	unlocks []seal.Unlock // that this handle may have put on the keyring, newest last
}

// unsealed returns the database of the keyring in a store.
func unsealed(store kv.Store) *txn.DB { return txn.New(store, txn.WithSealer(txn.Plaintext)) }

// open reads the keyring, or makes one for an empty store. Of two that make one
// at the same time the slower finds the other's.
func (k *Keyring) open(ctx context.Context) (seal.Keyring, error) {
	return txn.Do(ctx, k.db, func(tx *txn.Tx) (seal.Keyring, error) {
		stored, ok, err := readKeyring(tx)
		if err != nil {
			return seal.Keyring{}, err
		}
		if ok {
			return openAny(stored, k.unlocks)
		}
		if err := checkEmpty(tx.Context(), k.db.Store()); err != nil {
			return seal.Keyring{}, err
		}
		ring, made, err := seal.Create(k.rand, k.unlocks[0])
		if err != nil {
			return seal.Keyring{}, err
		}
		return ring, keyring.Put(tx, made)
	})
}

// readKeyring reads the record as it is stored. One that the engine cannot
// read, or that is another record's, is as damaged as one whose checksum does
// not hold.
func readKeyring(tx *txn.Tx) (stored []byte, ok bool, err error) {
	stored, ok, err = keyring.Get(tx)
	if IsDamage(err) {
		err = fmt.Errorf("%w: %w", seal.ErrFormat, err)
	}
	return stored, ok, err
}

// Check fails if the keyring is damaged or gone, so that nobody could open the
// store again.
func (k *Keyring) Check(ctx context.Context) error {
	_, err := txn.View(ctx, k.db, func(tx *txn.Tx) ([]byte, error) { return k.stored(tx) })
	return err
}

// openAny opens a keyring with the newest unlock that fits.
func openAny(stored []byte, unlocks []seal.Unlock) (ring seal.Keyring, err error) {
	for _, u := range slices.Backward(unlocks) {
		if ring, err = seal.Open(stored, u); !errors.Is(err, seal.ErrPassphrase) {
			return ring, damagedKeyring(err)
		}
	}
	return ring, err
}

// damagedKeyring makes an error of a keyring's form a kv.ErrCorrupt too.
func damagedKeyring(err error) error {
	if errors.Is(err, seal.ErrFormat) {
		return fmt.Errorf("%w: %w", kv.ErrCorrupt, err)
	}
	return err
}

// checkEmpty keeps a store whose keyring was lost from getting another one,
// under which nothing in it would open.
func checkEmpty(ctx context.Context, store kv.Store) error {
	stray, err := View(store, func(snap kv.Snapshot) (string, error) {
		for e, err := range snap.Scan(ctx, "") {
			if err != nil || e.Key != KeyringKey { // made by another process meanwhile: the commit will conflict
				return e.Key, err
			}
		}
		return "", nil
	})
	if err == nil && stray != "" {
		err = fmt.Errorf("%w: it has entries (%q) but no keyring", kv.ErrCorrupt, stray)
	}
	if err == nil {
		err = checkNotLost(store)
	}
	return err
}

// checkNotLost keeps another store from being made in the place of one of which
// nothing is left: there is no account that could be recovered.
func checkNotLost(store kv.Store) error {
	e, ok := kv.As[LostTail](store)
	if !ok {
		return nil
	}
	if _, committed := e.LostTail(); committed != 0 {
		return fmt.Errorf("%w: it is empty, and %d versions were committed in it", kv.ErrCorrupt, committed)
	}
	return nil
}

// Change seals the data key under another passphrase or key. It fails with
// seal.ErrPassphrase if somebody else has changed it since this handle opened
// or changed it last.
func (k *Keyring) Change(ctx context.Context, next seal.Unlock) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	known := k.unlocks
	// Before the commit: if its outcome stays unknown, either may be right.
	k.unlocks = append(k.unlocks, next)
	_, err := txn.Do(ctx, k.db, func(tx *txn.Tx) (struct{}, error) {
		stored, err := k.stored(tx)
		if err != nil {
			return struct{}{}, err
		}
		ring, err := openAny(stored, known)
		if err != nil {
			return struct{}{}, err
		}
		made, err := ring.Rewrap(k.rand, next)
		if err != nil {
			return struct{}{}, err
		}
		return struct{}{}, keyring.Put(tx, made)
	})
	return err
}

func (k *Keyring) stored(tx *txn.Tx) ([]byte, error) {
	b, ok, err := readKeyring(tx)
	switch {
	case err == nil && !ok:
		err = Corrupt("the keyring is gone")
	case err == nil:
		if err = seal.Check(b); err != nil {
			err = damagedKeyring(err)
		}
	}
	return b, err
}

// CopyTo gives a copy of the store the keyring as it is now.
func (k *Keyring) CopyTo(ctx context.Context, to kv.Store) error {
	stored, err := txn.View(ctx, k.db, k.stored)
	if err != nil {
		return err
	}
	_, err = txn.Do(ctx, unsealed(to), func(tx *txn.Tx) (struct{}, error) { return struct{}{}, keyring.Put(tx, stored) })
	return err
}
