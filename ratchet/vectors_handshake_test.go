package ratchet_test

import (
	"bytes"
	"testing"

	"github.com/pawlkv/pawl/internal/testfiles"
	"github.com/pawlkv/pawl/ratchet"
)

// handshakeVector is a triple Diffie-Hellman with all that enters and leaves it.
type handshakeVector struct {
	Name          string           `json:"name"`
	AliceIdentity vectorKey        `json:"alice_identity"`
	AliceBase     vectorKey        `json:"alice_base"`
	AliceRatchet  vectorKey        `json:"alice_ratchet"`
	BobIdentity   vectorKey        `json:"bob_identity"`
	BobOneTime    vectorKey        `json:"bob_one_time"`
	Secret        testfiles.Hex    `json:"secret"`
	RootKey       testfiles.Hex    `json:"root_key"`
	ChainKey      testfiles.Hex    `json:"chain_key"`
	SessionID     string           `json:"session_id"`
	Plaintext     testfiles.Hex    `json:"plaintext"`
	Body          testfiles.Base64 `json:"body"`
}

func runHandshakes(t *testing.T, f testfiles.Vectors) {
	for _, v := range testfiles.List[handshakeVector](t, f) {
		t.Run(v.Name, func(t *testing.T) { v.run(t) })
	}
}

func (v handshakeVector) run(t *testing.T) {
	random := append(bytes.Clone(v.AliceBase.Private), v.AliceRatchet.Private...)
	bobIdentity, bobOneTime := v.BobIdentity.pair(t), v.BobOneTime.pair(t)
	alice, err := ratchet.NewOutbound(bytes.NewReader(random), v.AliceIdentity.pair(t), bobIdentity.Public(), bobOneTime.Public())
	if err != nil {
		t.Fatal(err)
	}
	if got := record(t, alice); !bytes.Equal(got, v.record()) {
		t.Fatalf("Alice's state is\n%x\nexpected\n%x", got, v.record())
	}
	_, m, err := alice.Encrypt(nil, v.Plaintext)
	if err != nil {
		t.Fatal(err)
	}
	if m.Type != ratchet.PreKey || !bytes.Equal(m.Body, v.Body) {
		t.Fatalf("first message, type %v\n%x\nexpected\n%x", m.Type, m.Body, []byte(v.Body))
	}
	parsed, err := ratchet.ParsePreKeyMessage(v.Body)
	if err != nil {
		t.Fatal(err)
	}
	bob, err := ratchet.NewInbound(bobIdentity, bobOneTime, parsed)
	if err != nil {
		t.Fatal(err)
	}
	if alice.ID() != bob.ID() || bob.ID().String() != v.SessionID || parsed.SessionID() != bob.ID() {
		t.Fatalf("session ids %v and %v, expected %s", alice.ID(), bob.ID(), v.SessionID)
	}
	_, plaintext, err := bob.Decrypt(parsed.Normal)
	if err != nil || !bytes.Equal(plaintext.Bytes, v.Plaintext) {
		t.Fatalf("decrypted to %q, %v", plaintext.Bytes, err)
	}
}

// record is Alice's new session: it shows the root and chain keys.
func (v handshakeVector) record() []byte {
	return recordFields{
		Initiated:   true,
		IdentityKey: v.AliceIdentity.Public, BaseKey: v.AliceBase.Public, OneTimeKey: v.BobOneTime.Public,
		RootKey: v.RootKey,
		Sender:  &recordSender{Public: v.AliceRatchet.Public, Private: v.AliceRatchet.Private, ChainKey: v.ChainKey},
	}.encode()
}
