package machine

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/txn"
	"github.com/pawlkv/pawl/txn/seal"
)

// Tools are what calls need beside the store.
type Tools struct {
	Now  func() time.Time // may go backwards
	Rand io.Reader        // cryptographic, and safe for concurrent use
	Log  *slog.Logger
	Txn  []txn.Option // but the sealer
}

// Store is a kv.Store whose keyring is open. Everything about it may be used
// from any number of goroutines once [Open] and, where there is a witness,
// lineage have returned.
type Store struct {
	Tools
	Keyring *Keyring
	ID      seal.StoreID
	DB      *txn.DB // of the records that belong to no account
	Behind  string  // how far the store went back, if this handle found that; ends an error
	// Generation is that in which the store agrees with its witness, 0 if there
	// is none.
	Generation uint64
	// Unwitnessed: the store has a witness, and this handle does not have it.
	Unwitnessed bool
	// Lost: the store is new, and the caller's witness knows another in its place.
	Lost bool

	ring         seal.Keyring
	raised       atomic.Bool // the store is known to be of the newest format
	someUnmarked atomic.Bool // there may be accounts that could not be marked
}

// LostTail is what an engine offers that knows by itself how far its store had
// come: the version to which it goes and the one that was committed, both 0 if
// nothing is missing.
type LostTail interface {
	LostTail() (kept, committed kv.Version)
}

// Open opens the keyring of a store, or makes one if the store is empty.
//
// Errors: seal.ErrPassphrase, seal.ErrFormat, kv.ErrCorrupt (there are entries
// but no keyring) and those of kv.
func Open(ctx context.Context, engine kv.Store, unlock seal.Unlock, t Tools) (*Store, error) {
	s := &Store{Tools: t, Keyring: &Keyring{rand: t.Rand, unlocks: []seal.Unlock{unlock}, db: unsealed(engine)}}
	var err error
	if s.ring, err = s.Keyring.open(ctx); err != nil {
		return nil, err
	}
	s.ID = s.ring.Store()
	s.Use(engine)
	return s, nil
}

// OpenSealed opens a store whose keyring is not, or not yet, in the engine. It
// fails with seal.ErrPassphrase, seal.ErrFormat or seal.ErrVersion.
func OpenSealed(keyring []byte, engine kv.Store, unlock seal.Unlock, t Tools) (*Store, error) {
	stored, err := txn.Plaintext.Open(nil, KeyringKey, keyring)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", seal.ErrFormat, err)
	}
	s := &Store{Tools: t, Keyring: &Keyring{rand: t.Rand, unlocks: []seal.Unlock{unlock}}}
	if s.ring, err = seal.Open(stored, unlock); err != nil {
		return nil, err
	}
	s.ID = s.ring.Store()
	s.Use(engine)
	return s, nil
}

// Use makes the store's transactions go through an engine.
func (s *Store) Use(engine kv.Store) {
	s.Keyring.db = unsealed(engine)
	s.DB = s.Sealed(engine)
}

// Sealed returns a database on an engine that holds this store's records, or a
// copy of them.
func (s *Store) Sealed(engine kv.Store) *txn.DB {
	return txn.New(engine, append([]txn.Option{txn.WithSealer(sealer{s.ring})}, s.Txn...)...)
}

// Digest returns what stands for a name of some kind in this store: the first 16
// bytes of the keyed hash that blinds the names of records (docs/format.md). The
// kind keeps it apart from the others.
func (s *Store) Digest(kind, name string) (d [16]byte) {
	b, err := base64.RawURLEncoding.DecodeString(s.ring.Blind(kind + "\x00" + name))
	if err != nil || len(b) != len(d) {
		panic("pawl: a blinded name is not 16 bytes in base64url") // the keyring makes them so
	}
	copy(d[:], b)
	return d
}

// views is how often a view that is lost, because the engine changed hands, is
// taken again.
const views = 20

// View calls f with a snapshot, and again with another if that one is lost.
func View[T any](engine kv.Store, f func(kv.Snapshot) (T, error)) (v T, err error) {
	for range views {
		snap := engine.Snapshot()
		v, err = f(snap)
		snap.Close()
		if !errors.Is(err, kv.ErrConflict) {
			break
		}
	}
	return v, err
}
