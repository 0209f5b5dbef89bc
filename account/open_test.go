package account

import (
	"bytes"
	"crypto/rand"
	"errors"
	"testing"

	"github.com/pawlkv/pawl/otk"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/session"
)

// meeting is Alice's first message to Bob on one of his keys.
type meeting struct {
	alice, bob Account
	key        otk.Key
	outbound   session.Session
	body       []byte
}

func meet(t *testing.T, fallback bool) meeting {
	t.Helper()
	m := meeting{alice: newAccount(t, "@alice:example.org"), bob: newAccount(t, "@bob:example.org")}
	pair, err := ratchet.GenerateKeyPair(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	m.key = otk.NewKey(1, pair, fallback, noon)
	if m.outbound, err = m.alice.OpenOutbound(rand.Reader, m.bob.Identity(), m.key.Public(), at(noon)); err != nil {
		t.Fatal(err)
	}
	state, err := m.outbound.Ratchet()
	if err != nil {
		t.Fatal(err)
	}
	next, message, err := state.Encrypt(rand.Reader, []byte("hello"))
	if err != nil {
		t.Fatal(err)
	}
	m.outbound = m.outbound.Sent(next, noon)
	m.body = message.Body
	return m
}

func (m meeting) message(t *testing.T) ratchet.PreKeyMessage {
	t.Helper()
	parsed, err := ratchet.ParsePreKeyMessage(m.body)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

func TestOpenInboundUsesUpAOneTimeKey(t *testing.T) {
	m := meet(t, false)
	in, err := m.bob.OpenInbound(m.key, m.alice.Identity(), m.message(t), at(noon))
	if err != nil {
		t.Fatal(err)
	}
	if string(in.Plaintext.Bytes) != "hello" || in.Session.ID() != m.outbound.ID() || in.Session.Peer() != m.alice.Identity() ||
		in.Session.Origin() != session.WithOneTimeKey || in.Session.LastReceived() != session.NextStamp(noon) {
		t.Errorf("opened session %v with %v by %v, plaintext %q", in.Session.ID(), in.Session.Peer(), in.Session.Origin(), in.Plaintext.Bytes)
	}
	if m.outbound.Peer() != m.bob.Identity() || m.outbound.Origin() != session.Outbound {
		t.Errorf("outbound session with %v by %v", m.outbound.Peer(), m.outbound.Origin())
	}
	if id, _, used := in.Key.Used(); !used || id != in.Session.ID() {
		t.Error("the key to store is no tombstone of the session")
	}
	if _, _, used := m.key.Used(); used {
		t.Error("OpenInbound changed the key it was given")
	}
	var usedErr *otk.UsedError
	if _, err := m.bob.OpenInbound(in.Key, m.alice.Identity(), m.message(t), at(noon)); !errors.As(err, &usedErr) || usedErr.Session != in.Session.ID() {
		t.Errorf("the same message again: %v, want a UsedError with the session", err)
	}
	for _, s := range []session.Session{in.Session, m.outbound} {
		encoded, err := s.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if back, err := session.DecodeSession(encoded); err != nil || back.ID() != in.Session.ID() {
			t.Errorf("stored session: %v", err)
		}
	}
}

func TestOpenInboundKeepsAFallbackKey(t *testing.T) {
	m := meet(t, true)
	in, err := m.bob.OpenInbound(m.key, m.alice.Identity(), m.message(t), at(noon))
	if err != nil {
		t.Fatal(err)
	}
	before, _ := m.key.Encode()
	after, err := in.Key.Encode()
	if err != nil || !bytes.Equal(before, after) || in.Session.Origin() != session.WithFallbackKey {
		t.Errorf("fallback key changed, or the session is by %v: %v", in.Session.Origin(), err)
	}
}

func TestOpenInboundConsumesNothingOnFailure(t *testing.T) {
	m := meet(t, false)
	other := meet(t, false)
	parse := func(body []byte) ratchet.PreKeyMessage {
		parsed, err := ratchet.ParsePreKeyMessage(body)
		if err != nil {
			t.Fatal(err)
		}
		return parsed
	}
	badMAC := bytes.Clone(m.body)
	badMAC[len(badMAC)-1] ^= 1
	good := m.message(t)
	zeroBase := good
	zeroBase.BaseKey = ratchet.PublicKey{}
	foreign := good
	foreign.IdentityKey = other.alice.Identity()
	for name, test := range map[string]struct {
		key     otk.Key
		sender  ratchet.PublicKey
		message ratchet.PreKeyMessage
		want    error
	}{
		"wrong MAC":              {m.key, m.alice.Identity(), parse(badMAC), ratchet.ErrMAC},
		"claimed sender differs": {m.key, other.alice.Identity(), good, ErrSender},
		"identity key swapped":   {m.key, other.alice.Identity(), foreign, ratchet.ErrMAC},
		"another one-time key":   {other.key, m.alice.Identity(), good, ErrOneTimeKey},
		"base key of low order":  {m.key, m.alice.Identity(), zeroBase, ratchet.ErrZeroSecret},
		"no key at all":          {otk.Key{}, m.alice.Identity(), good, ErrOneTimeKey},
	} {
		in, err := m.bob.OpenInbound(test.key, test.sender, test.message, at(noon))
		if !errors.Is(err, test.want) || in.Plaintext.Bytes != nil {
			t.Errorf("%s: %v, want %v", name, err, test.want)
		}
	}
	var sender *SenderError
	_, err := m.bob.OpenInbound(m.key, other.alice.Identity(), good, at(noon))
	if !errors.As(err, &sender) || sender.Claimed != other.alice.Identity() || sender.Message != m.alice.Identity() {
		t.Errorf("%v, want a SenderError with both keys", err)
	}
	if _, err := m.bob.OpenInbound(m.key, m.alice.Identity(), good, at(noon)); err != nil {
		t.Errorf("after all these failures the message does not open its session: %v", err)
	}
}

func TestOpenOutboundRefusesLowOrderKeys(t *testing.T) {
	m := meet(t, false)
	if _, err := m.alice.OpenOutbound(rand.Reader, m.bob.Identity(), ratchet.PublicKey{}, at(noon)); !errors.Is(err, ratchet.ErrZeroSecret) {
		t.Errorf("one-time key of zeros: %v, want ErrZeroSecret", err)
	}
	if _, err := m.alice.OpenOutbound(rand.Reader, ratchet.PublicKey{1}, m.key.Public(), at(noon)); !errors.Is(err, ratchet.ErrZeroSecret) {
		t.Errorf("identity key 1: %v, want ErrZeroSecret", err)
	}
}

// TestKeysFromBeforeARecovery: a session that one of them opens only receives, and
// so does one that is opened before a recovery that is needed.
func TestKeysFromBeforeARecovery(t *testing.T) {
	m := meet(t, false) // key 1
	raised := m.bob.Raise(Lineage{})
	for name, c := range map[string]struct {
		bob  Account
		only bool
	}{
		"no recovery":                  {raised, false},
		"a key of before":              {raised.RequireRecovery(Behind, noon).Recovered(2), true},
		"a key of after":               {raised.RequireRecovery(Behind, noon).Recovered(1), false},
		"one that is needed":           {raised.RequireRecovery(Behind, noon), true},
		"keys that began anew":         {raised.BeginKeys(2), true},
		"one that is needed, format 1": {m.bob.RequireRecovery(Behind, noon), true},
	} {
		in, err := c.bob.OpenInbound(m.key, m.alice.Identity(), m.message(t), at(noon))
		if err != nil || in.Session.ReceiveOnly() != c.only {
			t.Errorf("%s: only receives %v, %v, want %v", name, in.Session.ReceiveOnly(), err, c.only)
		}
	}
}
