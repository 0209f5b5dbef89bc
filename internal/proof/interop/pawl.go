package interop

import (
	cryptorand "crypto/rand"
	"errors"
	"fmt"

	"github.com/pawlkv/pawl/internal/proof/interop/pickle"
	"github.com/pawlkv/pawl/internal/proof/interop/record"
	"github.com/pawlkv/pawl/ratchet"
)

// Pawl is this repository's implementation.
type Pawl struct{}

// Name implements [Implementation].
func (Pawl) Name() string { return "pawl" }

// SkippedInAll implements [Implementation]: the bound is per chain.
func (Pawl) SkippedInAll() int { return ratchet.MaxReceiverChains * ratchet.MaxSkippedKeys }

// NewAccount implements [Implementation].
func (Pawl) NewAccount() (Account, error) {
	identity, err := ratchet.GenerateKeyPair(cryptorand.Reader)
	if err != nil {
		return nil, err
	}
	return &pawlAccount{identity: identity, oneTime: map[ratchet.PublicKey]ratchet.KeyPair{}}, nil
}

// RestoreAccount implements [Implementation].
func (Pawl) RestoreAccount(state pickle.Account) (Account, error) {
	a := &pawlAccount{
		identity: ratchet.NewKeyPair(state.IdentityPrivate),
		oneTime:  map[ratchet.PublicKey]ratchet.KeyPair{},
	}
	for _, k := range append(state.OneTimeKeys, state.FallbackKeys...) {
		pair := ratchet.NewKeyPair(k.Private)
		if pair.Public() != k.Public {
			return nil, fmt.Errorf("one-time key %d: public part %v, computed %v", k.ID, ratchet.PublicKey(k.Public), pair.Public())
		}
		a.oneTime[k.Public] = pair
	}
	return a, nil
}

// Restore implements [Implementation].
func (Pawl) Restore(state pickle.Session) (Session, error) {
	s, err := ratchet.DecodeSession(record.Encode(state))
	if err != nil {
		return nil, err
	}
	return &pawlSession{value: s}, nil
}

// Error implements [Implementation].
func (Pawl) Error(v Verdict) error {
	return map[Verdict]error{
		Malformed:    ratchet.ErrMalformed,
		WrongVersion: ratchet.ErrVersion,
		WrongMAC:     ratchet.ErrMAC,
		KeyGone:      ratchet.ErrKeyGone,
		Gap:          ratchet.ErrGap,
		UnknownChain: ratchet.ErrUnknownChain,
		ZeroSecret:   ratchet.ErrZeroSecret,
	}[v]
}

// ErrUnknownOneTimeKey is Pawl's refusal of a pre-key message whose one-time
// key this account does not have.
var ErrUnknownOneTimeKey = errors.New("interop: no such one-time key")

// pawlAccount holds the keys; opening sessions is the ratchet's.
type pawlAccount struct {
	identity ratchet.KeyPair
	oneTime  map[ratchet.PublicKey]ratchet.KeyPair
}

func (a *pawlAccount) IdentityKey() string { return a.identity.Public().String() }

func (a *pawlAccount) OneTimeKeys(n int) ([]string, error) {
	keys := make([]string, n)
	for i := range keys {
		pair, err := ratchet.GenerateKeyPair(cryptorand.Reader)
		if err != nil {
			return nil, err
		}
		a.oneTime[pair.Public()] = pair
		keys[i] = pair.Public().String()
	}
	return keys, nil
}

func (a *pawlAccount) Outbound(identityKey, oneTimeKey string) (Session, error) {
	peer, err := ratchet.ParsePublicKey(identityKey)
	if err != nil {
		return nil, err
	}
	oneTime, err := ratchet.ParsePublicKey(oneTimeKey)
	if err != nil {
		return nil, err
	}
	s, err := ratchet.NewOutbound(cryptorand.Reader, a.identity, peer, oneTime)
	if err != nil {
		return nil, err
	}
	return &pawlSession{value: s}, nil
}

func (a *pawlAccount) Inbound(from string, m Message) (Session, error) {
	prekey, err := ratchet.ParsePreKeyMessage(m.Body)
	if err != nil {
		return nil, err
	}
	if prekey.IdentityKey.String() != from {
		return nil, fmt.Errorf("interop: message of %v, not of %v", prekey.IdentityKey, from)
	}
	return a.InboundAny(m)
}

func (a *pawlAccount) InboundAny(m Message) (Session, error) {
	prekey, err := ratchet.ParsePreKeyMessage(m.Body)
	if err != nil {
		return nil, err
	}
	oneTime, ok := a.oneTime[prekey.OneTimeKey]
	if !ok {
		return nil, ErrUnknownOneTimeKey
	}
	s, err := ratchet.NewInbound(a.identity, oneTime, prekey)
	if err != nil {
		return nil, err
	}
	return &pawlSession{value: s}, nil
}

func (a *pawlAccount) Consume(s Session) error {
	delete(a.oneTime, s.(*pawlSession).value.PreKeys().OneTime)
	return nil
}

func (a *pawlAccount) State() (pickle.Account, error) {
	state := pickle.Account{IdentityPublic: a.identity.Public(), IdentityPrivate: a.identity.Private()}
	for public, pair := range a.oneTime {
		state.LastID++
		state.OneTimeKeys = append(state.OneTimeKeys, pickle.OneTimeKey{ID: state.LastID, Published: true, Public: public, Private: pair.Private()})
	}
	return state, nil
}

// pawlSession keeps the newest of a row of session values.
type pawlSession struct {
	value ratchet.Session
}

func (s *pawlSession) ID() string { return s.value.ID().String() }

func (s *pawlSession) Encrypt(plaintext []byte) (Message, error) {
	next, m, err := s.value.Encrypt(cryptorand.Reader, plaintext)
	if err != nil {
		return Message{}, err
	}
	s.value = next
	return Message{Type: int(m.Type), Body: m.Body}, nil
}

func (s *pawlSession) Decrypt(m Message) ([]byte, error) {
	normal, err := parse(m)
	if err != nil {
		return nil, err
	}
	next, plaintext, err := s.value.Decrypt(normal)
	if err != nil {
		return nil, err
	}
	s.value = next
	return plaintext.Bytes, nil
}

// parse finds the normal message in m.
func parse(m Message) (ratchet.NormalMessage, error) {
	if m.Type != int(ratchet.PreKey) {
		return ratchet.ParseNormalMessage(m.Body)
	}
	prekey, err := ratchet.ParsePreKeyMessage(m.Body)
	return prekey.Normal, err
}

func (s *pawlSession) Matches(from string, m Message) (bool, error) {
	prekey, err := ratchet.ParsePreKeyMessage(m.Body)
	if err != nil {
		return false, err
	}
	return prekey.IdentityKey.String() == from && prekey.SessionID() == s.value.ID(), nil
}

func (s *pawlSession) State() (pickle.Session, error) {
	b, err := s.value.AppendBinary(nil)
	if err != nil {
		return pickle.Session{}, err
	}
	return record.Decode(b)
}
