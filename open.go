package pawl

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/witness"
	"github.com/pawlkv/pawl/txn"
	"github.com/pawlkv/pawl/txn/seal"
)

// Store is a kv.Store with Pawl's records in it: any number of accounts,
// sealed under one data key. Its methods may be called from any number of
// goroutines, and any number of Stores may be open on one kv.Store.
type Store struct {
	opts options

	mu      sync.Mutex
	unlocks []seal.Unlock // that this handle may have put on the keyring, newest last

	behind string // how far the store went back, if this handle found that; ends an error

	boot *txn.DB // reads the keyring, which is not sealed
	db   *txn.DB
}

// keyring is the record that everything else is sealed under. It protects
// itself; see txn/seal.
var keyring = txn.Single[[]byte]{Kind: "keyring", Codec: plainBytes{}, Shared: true}

type plainBytes struct{}

func (plainBytes) Append(dst, v []byte) ([]byte, error) { return append(dst, v...), nil }
func (plainBytes) Decode(b []byte) ([]byte, error)      { return b, nil }

// Open opens the records in store, and prepares an empty store for them. It
// needs WithPassphrase or WithKey, which an empty store takes as its own. The
// caller keeps the kv.Store open for as long as the Store is used, and closes
// it.
//
// Errors: ErrNoKey; seal.ErrPassphrase (the passphrase or key is not this
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
	s := &Store{opts: o, unlocks: []seal.Unlock{o.unlock}, boot: txn.New(store, txn.WithSealer(txn.Plaintext))}
	ring, err := s.unlock(ctx)
	if err != nil {
		return nil, err
	}
	s.use(store, ring)
	if o.witness == nil {
		return s, nil
	}
	mark, err := s.attest(ctx, ring.Store())
	if err != nil {
		return nil, err
	}
	s.use(witness.Wrap(store, o.witness, mark, witness.OnError(s.unwitnessed)), ring)
	return s, nil
}

// use makes the store's transactions go through an engine.
func (s *Store) use(store kv.Store, ring seal.Keyring) {
	s.boot = txn.New(store, txn.WithSealer(txn.Plaintext))
	s.db = txn.New(store, append([]txn.Option{txn.WithSealer(ring)}, s.opts.txn...)...)
}

// unlock reads the keyring, or makes one for an empty store. Of two that make
// one at the same time the slower finds the other's.
func (s *Store) unlock(ctx context.Context) (seal.Keyring, error) {
	return txn.Do(ctx, s.boot, func(tx *txn.Tx) (seal.Keyring, error) {
		stored, ok, err := keyring.Get(tx)
		if err != nil {
			return seal.Keyring{}, err
		}
		if ok {
			return seal.Open(stored, s.opts.unlock)
		}
		if err := s.checkEmpty(tx); err != nil {
			return seal.Keyring{}, err
		}
		ring, made, err := seal.Create(s.opts.rand, s.opts.unlock)
		if err != nil {
			return seal.Keyring{}, err
		}
		return ring, keyring.Put(tx, made)
	})
}

// checkEmpty keeps a store whose keyring was lost from getting another one,
// under which nothing in it would open.
func (s *Store) checkEmpty(tx *txn.Tx) error {
	stray, err := view(s.boot.Store(), func(snap kv.Snapshot) (string, error) {
		for e, err := range snap.Scan(tx.Context(), "") {
			if err != nil || e.Key != "_/keyring" { // made by another process meanwhile: the commit will conflict
				return e.Key, err
			}
		}
		return "", nil
	})
	if err == nil && stray != "" {
		err = fmt.Errorf("%w: it has entries (%q) but no keyring", kv.ErrCorrupt, stray)
	}
	return err
}

// ChangePassphrase seals the data key under another passphrase. One record is
// rewritten; handles that are open keep working. It fails with
// seal.ErrPassphrase if somebody else has changed it since this Store was
// opened or changed it last.
func (s *Store) ChangePassphrase(ctx context.Context, passphrase []byte) error {
	return s.rewrap(ctx, seal.Passphrase(passphrase))
}

// ChangeKey is ChangePassphrase for a store under a raw key.
func (s *Store) ChangeKey(ctx context.Context, key [32]byte) error {
	return s.rewrap(ctx, seal.RawKey(key))
}

func (s *Store) rewrap(ctx context.Context, next seal.Unlock) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	known := s.unlocks
	// Before the commit: if its outcome stays unknown, either may be right.
	s.unlocks = append(s.unlocks, next)
	_, err := txn.Do(ctx, s.boot, func(tx *txn.Tx) (struct{}, error) {
		stored, ok, err := keyring.Get(tx)
		if err != nil {
			return struct{}{}, err
		}
		if !ok {
			return struct{}{}, corrupt("the keyring is gone")
		}
		ring, err := openAny(stored, known)
		if err != nil {
			return struct{}{}, err
		}
		made, err := ring.Rewrap(s.opts.rand, next)
		if err != nil {
			return struct{}{}, err
		}
		return struct{}{}, keyring.Put(tx, made)
	})
	return err
}

// openAny opens a keyring with the newest unlock that fits.
func openAny(stored []byte, unlocks []seal.Unlock) (ring seal.Keyring, err error) {
	for _, u := range slices.Backward(unlocks) {
		if ring, err = seal.Open(stored, u); !errors.Is(err, seal.ErrPassphrase) {
			return ring, err
		}
	}
	return ring, err
}

// Stats returns the cumulated statistics of all transactions on this handle.
func (s *Store) Stats() txn.Stats { return s.db.Stats() }
