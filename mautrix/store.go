package pawlmautrix

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
	"weak"

	"github.com/cenkalti/backoff/v5"
	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/crypto"
	"maunium.net/go/mautrix/id"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/session"
)

// Store is a crypto.Store and a mautrix.SyncStore on a [pawl.Machine], for mautrix-go's
// own OlmMachine. Its methods may be called from any number of goroutines, and any
// number of processes may have one of the same account.
//
// What mautrix-go gets of it are handles: each Sign, Encrypt and Decrypt is a
// transaction of the Machine's, so what mautrix-go puts and updates afterwards is known
// already, and does nothing. No private key leaves through Pickle. What mautrix-go
// keeps beside keys (devices as it has verified them, signatures, secrets, the version
// of a backup, filters) is kept as extra records of the account, together with what
// Pawl knows of devices and identities by itself.
//
// mautrix-go panics where an Olm Encrypt fails, so handles wait for a store that is away
// for up to 30 seconds before they do.
type Store struct {
	machine *pawl.Machine
	// quiet: Pawl receives and uploads, and its helper hands on what is not Pawl's.
	quiet bool
	// expiry: it is stored of every key when it came.
	expiry bool
	told   atomic.Uint64 // how often mautrix-go has put devices, which says how far they are trusted
	kick   func()        // there may be requests; nil: nobody sends any

	mu       sync.Mutex
	offer    *offer
	claimed  map[ratchet.PublicKey]ratchet.PublicKey             // one-time keys of peers, for the next Encrypt
	receipts map[[32]byte]handled                                // of messages that were decrypted here
	given    map[weak.Pointer[crypto.InboundGroupSession]]uint32 // from which index on
	removed  map[id.RoomID]uint64                                // how often sessions were removed, when one was looked for
	handed   map[[32]byte]int                                    // messages that are handed on now
	token    string                                              // of the response that is being processed
}

// handled is a message that was decrypted.
type handled struct {
	receipt session.ReceiptID
	at      time.Time // when mautrix-go said that it was; zero: not yet
}

var (
	_ crypto.Store      = (*Store)(nil)
	_ mautrix.SyncStore = (*Store)(nil)
)

// ErrHandle: what was given is no handle of this store, or one was to be pickled.
var ErrHandle = errors.New("pawlmautrix: keys stay in the store")

// NewStore returns the store of an account.
func NewStore(m *pawl.Machine) *Store {
	return &Store{
		machine: m, claimed: map[ratchet.PublicKey]ratchet.PublicKey{}, receipts: map[[32]byte]handled{},
		given: map[weak.Pointer[crypto.InboundGroupSession]]uint32{}, removed: map[id.RoomID]uint64{},
		handed: map[[32]byte]int{},
	}
}

// patient is how long a handle waits for a store that is away.
const patient = 30 * time.Second

// wait calls until it has an answer that is final, or for as long as handles wait.
func wait[T any](call func(context.Context) (T, error)) (T, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patient)
	defer cancel()
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval, pause.MaxInterval = 20*time.Millisecond, time.Second
	for {
		v, err := call(ctx)
		if err == nil || final(err) || pawl.CodeOf(err) == pawl.CodeOther { // the last are not the store's
			return v, err
		}
		select {
		case <-ctx.Done():
			return v, err
		case <-time.After(pause.NextBackOff()):
		}
	}
}

// Flush implements crypto.Store: everything is stored already.
func (s *Store) Flush(context.Context) error { return nil }

// The spaces of what is kept as extra records.
const (
	spaceAccount    = "mautrix"
	spaceDevices    = "mautrix.devices"
	spaceIdentities = "mautrix.cross-signing"
	spaceSignatures = "mautrix.signatures"
	spaceSecrets    = "mautrix.secrets"
	spaceInbound    = "mautrix.group-in"
	spaceOutbound   = "mautrix.group-out"
	spaceShared     = "mautrix.group-shared"
	spaceWithheld   = "mautrix.withheld"
	spaceIndices    = "mautrix.indices"
	spaceHashes     = "mautrix.hashes"
)

// read returns an extra record as JSON; the zero value if there is none.
func read[T any](ctx context.Context, s *Store, space, name string) (v T, ok bool, err error) {
	raw, err := s.machine.Extra(ctx, space, name)
	if err != nil || raw == nil {
		return v, false, err
	}
	return v, true, json.Unmarshal(raw, &v)
}

// change changes an extra record as JSON. The function returns false to leave it.
func change[T any](ctx context.Context, s *Store, space, name string, do func(v *T, ok bool) (bool, error)) error {
	return s.machine.ChangeExtra(ctx, space, name, func(old []byte) ([]byte, error) {
		var v T
		if old != nil {
			if err := json.Unmarshal(old, &v); err != nil {
				return nil, fmt.Errorf("failed to read what is kept of %s: %w", space, err)
			}
		}
		changed, err := do(&v, old != nil)
		if err != nil || !changed {
			return old, err
		}
		return json.Marshal(v)
	})
}

func put[T any](ctx context.Context, s *Store, space, name string, v T) error {
	return change(ctx, s, space, name, func(old *T, _ bool) (bool, error) {
		*old = v
		return true, nil
	})
}

func (s *Store) drop(ctx context.Context, space, name string) error {
	return s.machine.ChangeExtra(ctx, space, name, func([]byte) ([]byte, error) { return nil, nil })
}

// rows returns all extra records of a space, by their names.
func rows[T any](ctx context.Context, s *Store, space string) (map[string]T, error) {
	all, err := s.machine.Extras(ctx, space)
	out := make(map[string]T, len(all))
	for _, e := range all {
		var v T
		if err := json.Unmarshal(e.Value, &v); err != nil {
			return nil, err
		}
		out[e.Name] = v
	}
	return out, err
}

// PutSecret implements crypto.Store.
func (s *Store) PutSecret(ctx context.Context, name id.Secret, value string) error {
	return put(ctx, s, spaceSecrets, string(name), value)
}

// GetSecret implements crypto.Store.
func (s *Store) GetSecret(ctx context.Context, name id.Secret) (string, error) {
	value, _, err := read[string](ctx, s, spaceSecrets, string(name))
	return value, err
}

// DeleteSecret implements crypto.Store.
func (s *Store) DeleteSecret(ctx context.Context, name id.Secret) error {
	return s.drop(ctx, spaceSecrets, string(name))
}

// LoadNextBatch implements mautrix.SyncStore.
func (s *Store) LoadNextBatch(ctx context.Context, _ id.UserID) (string, error) {
	token, _, err := read[string](ctx, s, spaceAccount, "token")
	s.mu.Lock()
	defer s.mu.Unlock()
	s.token = ""
	return token, err
}

// SaveNextBatch implements mautrix.SyncStore. mautrix-go saves a token before it
// processes what it covers; it is stored when the next one comes.
func (s *Store) SaveNextBatch(ctx context.Context, _ id.UserID, token string) error {
	s.mu.Lock()
	processed := s.token
	s.token = token
	s.mu.Unlock()
	if processed == "" {
		return nil
	}
	return put(ctx, s, spaceAccount, "token", processed)
}

// SaveFilterID implements mautrix.SyncStore.
func (s *Store) SaveFilterID(ctx context.Context, _ id.UserID, filter string) error {
	return put(ctx, s, spaceAccount, "filter", filter)
}

// LoadFilterID implements mautrix.SyncStore.
func (s *Store) LoadFilterID(ctx context.Context, _ id.UserID) (string, error) {
	filter, _, err := read[string](ctx, s, spaceAccount, "filter")
	return filter, err
}
