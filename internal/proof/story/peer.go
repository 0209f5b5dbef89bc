package story

import (
	"context"
	"fmt"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/ratchet"
)

// Peer is the far side: one device that nobody else uses, and which is right.
// It is for one goroutine.
type Peer interface {
	// Identity is its Curve25519 identity key.
	Identity() ratchet.PublicKey
	// OneTimeKey makes a one-time key and returns its public part.
	OneTimeKey() (ratchet.PublicKey, error)
	// Open encrypts the first message of a new session with a device, opened
	// with one of that device's keys.
	Open(to, oneTimeKey ratchet.PublicKey, plaintext []byte) (ratchet.Message, error)
	// Encrypt encrypts in the session that most recently received a message.
	Encrypt(to ratchet.PublicKey, plaintext []byte) (ratchet.Message, error)
	// Decrypt decrypts, opening a session where the message asks for it.
	Decrypt(from ratchet.PublicKey, m ratchet.Message) ([]byte, error)
}

// NewPeer makes a Peer whose keys follow from a seed, where it takes one.
type NewPeer func(seed uint64) (Peer, error)

// PawlPeer is a Peer that is a Pawl account on a store of its own.
func PawlPeer(seed uint64) (Peer, error) {
	ctx := context.Background()
	store, err := pawl.Open(ctx, memkv.New(), pawl.WithKey([32]byte{1}), pawl.WithRand(newRand(seed, peerStream)))
	if err != nil {
		return nil, err
	}
	m, err := store.Create(ctx, "@bob:example.org", "DESK")
	if err != nil {
		return nil, err
	}
	who, err := m.Identity(ctx)
	return &pawlPeer{m, who.Curve25519}, err
}

type pawlPeer struct {
	machine  *pawl.Machine
	identity ratchet.PublicKey
}

func (p *pawlPeer) Identity() ratchet.PublicKey { return p.identity }

func (p *pawlPeer) OneTimeKey() (ratchet.PublicKey, error) {
	u, err := p.machine.KeysForUpload(context.Background(), 1)
	if err != nil {
		return ratchet.PublicKey{}, err
	}
	keys, _, err := parseUpload(u.Body)
	for _, key := range keys {
		return key, err
	}
	return ratchet.PublicKey{}, fmt.Errorf("story: an upload without a one-time key: %w", err)
}

func (p *pawlPeer) Open(to, oneTimeKey ratchet.PublicKey, plaintext []byte) (ratchet.Message, error) {
	e, err := p.machine.Encrypt(context.Background(), to, plaintext, pawl.WithOneTimeKey(oneTimeKey))
	return e.Message, err
}

func (p *pawlPeer) Encrypt(to ratchet.PublicKey, plaintext []byte) (ratchet.Message, error) {
	e, err := p.machine.Encrypt(context.Background(), to, plaintext)
	return e.Message, err
}

func (p *pawlPeer) Decrypt(from ratchet.PublicKey, m ratchet.Message) ([]byte, error) {
	d, err := p.machine.Decrypt(context.Background(), from, m)
	if err == nil && d.Duplicate {
		return nil, fmt.Errorf("story: the far side got one message twice")
	}
	return d.Plaintext, err
}
