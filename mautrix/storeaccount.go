package pawlmautrix

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"

	"maunium.net/go/mautrix/crypto"
	"maunium.net/go/mautrix/crypto/olm"
	"maunium.net/go/mautrix/id"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/ratchet"
)

// accountHandle is the account, for mautrix-go.
type accountHandle struct{ store *Store }

var _ olm.Account = accountHandle{}

// offer is an upload of one-time keys that mautrix-go makes.
type offer struct {
	pawl.Upload
	keys  map[string]id.Curve25519
	taken bool // they were returned
}

// accountState is what mautrix-go keeps with an account.
type accountState struct {
	Shared        bool                `json:"shared,omitempty"`
	BackupVersion id.KeyBackupVersion `json:"backup_version,omitempty"`
}

// PutAccount implements crypto.Store: it keeps the version of the key backup, and that
// the device's keys were uploaded. All else is the Machine's.
func (s *Store) PutAccount(ctx context.Context, a *crypto.OlmAccount) error {
	if a == nil {
		return fmt.Errorf("%w: no account", ErrHandle)
	}
	if _, ok := a.Internal.(accountHandle); !ok {
		return fmt.Errorf("%w: not an account of this store: %T", ErrHandle, a.Internal)
	}
	return change(ctx, s, spaceAccount, "account", func(v *accountState, _ bool) (bool, error) {
		now := accountState{Shared: a.Shared, BackupVersion: a.KeyBackupVersion}
		changed := *v != now
		*v = now
		return changed, nil
	})
}

// GetAccount implements crypto.Store. It never returns nil: another account would be
// made then.
func (s *Store) GetAccount(ctx context.Context) (*crypto.OlmAccount, error) {
	v, _, err := read[accountState](ctx, s, spaceAccount, "account")
	if err != nil {
		return nil, err
	}
	return &crypto.OlmAccount{Internal: accountHandle{s}, Shared: v.Shared || s.quiet, KeyBackupVersion: v.BackupVersion}, nil
}

// Pickle implements olm.Account: it fails with ErrHandle.
func (accountHandle) Pickle([]byte) ([]byte, error) { return nil, ErrHandle }

// Unpickle implements olm.Account: it fails with ErrHandle.
func (accountHandle) Unpickle(_, _ []byte) error { return ErrHandle }

// IdentityKeysJSON implements olm.Account.
func (a accountHandle) IdentityKeysJSON() ([]byte, error) {
	ed25519, curve25519, err := a.IdentityKeys()
	if err != nil {
		return nil, err
	}
	return json.Marshal(map[string]string{"ed25519": ed25519.String(), "curve25519": curve25519.String()})
}

// IdentityKeys implements olm.Account.
func (a accountHandle) IdentityKeys() (id.Ed25519, id.Curve25519, error) {
	own, err := wait(a.store.machine.Identity)
	return id.Ed25519(own.Ed25519.String()), id.Curve25519(own.Curve25519.String()), err
}

// Sign implements olm.Account, for JSON objects, which are all that mautrix-go signs.
func (a accountHandle) Sign(message []byte) ([]byte, error) {
	own, err := wait(a.store.machine.Identity)
	if err != nil {
		return nil, err
	}
	signed, err := wait(func(ctx context.Context) (json.RawMessage, error) { return a.store.machine.Sign(ctx, message) })
	if err != nil {
		return nil, err
	}
	var object struct {
		Signatures map[string]map[string]string `json:"signatures"`
	}
	if err := json.Unmarshal(signed, &object); err != nil {
		return nil, err
	}
	return []byte(object.Signatures[string(own.UserID)]["ed25519:"+string(own.DeviceID)]), nil
}

// mostOneTimeKeys is twice as many as mautrix-go keeps on the server: servers refuse more
// than some hundreds.
const mostOneTimeKeys = 100

// MaxNumberOfOneTimeKeys implements olm.Account. Where Pawl uploads that is no business of
// mautrix-go's.
func (a accountHandle) MaxNumberOfOneTimeKeys() uint {
	if a.store.quiet {
		return 0
	}
	return mostOneTimeKeys
}

// GenOneTimeKeys implements olm.Account: it is an offer of that many keys, in which none
// is that was in another. Of an earlier one that was not marked nobody knows what became
// of it: it is given up.
func (a accountHandle) GenOneTimeKeys(n uint) error {
	s := a.store
	if s.quiet || n == 0 {
		return nil
	}
	s.mu.Lock()
	earlier := s.offer
	s.offer = nil
	s.mu.Unlock()
	if earlier != nil {
		if _, err := wait(func(ctx context.Context) (struct{}, error) { return struct{}{}, s.machine.Abandon(ctx, earlier.Upload) }); err != nil {
			return err
		}
	}
	upload, err := wait(func(ctx context.Context) (pawl.Upload, error) {
		return s.machine.KeysForUpload(ctx, int(min(n, pawl.MaxUploadKeys)))
	})
	if err != nil {
		return err
	}
	var body struct {
		Keys map[string]struct {
			Key id.Curve25519 `json:"key"`
		} `json:"one_time_keys"`
	}
	if err := json.Unmarshal(upload.Body, &body); err != nil {
		return err
	}
	upload.Fallback = 0 // mautrix-go uploads none
	made := &offer{Upload: upload, keys: map[string]id.Curve25519{}}
	for name, key := range body.Keys {
		_, name, _ = strings.Cut(name, ":")
		made.keys[name] = key.Key
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.offer = made
	return nil
}

// OneTimeKeys implements olm.Account: it returns the keys of the last offer, once.
func (a accountHandle) OneTimeKeys() (map[string]id.Curve25519, error) {
	a.store.mu.Lock()
	defer a.store.mu.Unlock()
	if a.store.offer == nil || a.store.offer.taken {
		return nil, nil
	}
	a.store.offer.taken = true
	return a.store.offer.keys, nil
}

// MarkKeysAsPublished implements olm.Account, for the last offer. If the store is away
// the keys stay offered, and are never offered again.
func (a accountHandle) MarkKeysAsPublished() {
	s := a.store
	s.mu.Lock()
	made := s.offer
	s.offer = nil
	s.mu.Unlock()
	if made != nil {
		_, _ = wait(func(ctx context.Context) (struct{}, error) {
			return struct{}{}, s.machine.MarkPublished(ctx, made.Upload)
		})
	}
}

// NewOutboundSession implements olm.Account: the session is made by the first Encrypt.
func (a accountHandle) NewOutboundSession(identity, oneTime id.Curve25519) (olm.Session, error) {
	peer, err := ratchet.ParsePublicKey(string(identity))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", olm.ErrBadInput, err)
	}
	key, err := ratchet.ParsePublicKey(string(oneTime))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", olm.ErrBadInput, err)
	}
	return &sessionHandle{store: a.store, peer: peer, oneTime: &key}, nil
}

// NewInboundSession implements olm.Account. Who sent a message is in it.
func (a accountHandle) NewInboundSession(message string) (olm.Session, error) {
	m, err := parsePreKey(message)
	if err != nil {
		return nil, err
	}
	return &sessionHandle{store: a.store, peer: m.IdentityKey}, nil
}

// NewInboundSessionFrom implements olm.Account: the session is made by Decrypt, with the
// use of the one-time key.
func (a accountHandle) NewInboundSessionFrom(identity *id.Curve25519, message string) (olm.Session, error) {
	m, err := parsePreKey(message)
	if err != nil {
		return nil, err
	}
	if identity != nil && string(*identity) != m.IdentityKey.String() {
		return nil, fmt.Errorf("%w: it is by another device than its event says", olm.ErrBadInput)
	}
	return &sessionHandle{store: a.store, peer: m.IdentityKey}, nil
}

// RemoveOneTimeKeys implements olm.Account: Decrypt has used it up.
func (accountHandle) RemoveOneTimeKeys(olm.Session) error { return nil }

func parsePreKey(message string) (ratchet.PreKeyMessage, error) {
	body, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(message, "="))
	if err != nil {
		return ratchet.PreKeyMessage{}, fmt.Errorf("%w: %w", olm.ErrLibolmInvalidBase64, err)
	}
	m, err := ratchet.ParsePreKeyMessage(body)
	return m, asOlm(err)
}
