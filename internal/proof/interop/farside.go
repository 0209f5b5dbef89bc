package interop

import (
	"errors"
	"fmt"

	"github.com/pawlkv/pawl/internal/proof/story"
	"github.com/pawlkv/pawl/ratchet"
)

// farSide is a device as a client of that implementation would keep it: its
// sessions, the one that heard last first.
type farSide struct {
	account  Account
	identity ratchet.PublicKey
	sessions []Session
}

// NewPeer makes story peers that an implementation keeps.
func NewPeer(of Implementation) story.NewPeer {
	return func(uint64) (story.Peer, error) { return newFarSide(of) }
}

func newFarSide(of Implementation) (story.Peer, error) {
	account, err := of.NewAccount()
	if err != nil {
		return nil, err
	}
	identity, err := ratchet.ParsePublicKey(account.IdentityKey())
	return &farSide{account: account, identity: identity}, err
}

func (f *farSide) Identity() ratchet.PublicKey { return f.identity }

func (f *farSide) OneTimeKey() (ratchet.PublicKey, error) {
	keys, err := f.account.OneTimeKeys(1)
	if err != nil {
		return ratchet.PublicKey{}, err
	}
	return ratchet.ParsePublicKey(keys[0])
}

func (f *farSide) Open(to, oneTimeKey ratchet.PublicKey, plaintext []byte) (ratchet.Message, error) {
	s, err := f.account.Outbound(to.String(), oneTimeKey.String())
	if err != nil {
		return ratchet.Message{}, err
	}
	f.prefer(s)
	return f.Encrypt(to, plaintext)
}

func (f *farSide) Encrypt(_ ratchet.PublicKey, plaintext []byte) (ratchet.Message, error) {
	if len(f.sessions) == 0 {
		return ratchet.Message{}, errors.New("no session")
	}
	m, err := f.sessions[0].Encrypt(plaintext)
	return ratchet.Message{Type: ratchet.MessageType(m.Type), Body: m.Body}, err
}

func (f *farSide) Decrypt(from ratchet.PublicKey, m ratchet.Message) ([]byte, error) {
	message := Message{Type: int(m.Type), Body: m.Body}
	if m.Type == ratchet.PreKey {
		return f.decryptPreKey(from, message)
	}
	var failures []error
	for _, s := range f.sessions {
		plaintext, err := s.Decrypt(message)
		if err == nil {
			f.prefer(s)
			return plaintext, nil
		}
		failures = append(failures, err)
	}
	return nil, fmt.Errorf("none of %d sessions: %w", len(f.sessions), errors.Join(failures...))
}

// decryptPreKey uses the session that the message is of, or opens it.
func (f *farSide) decryptPreKey(from ratchet.PublicKey, m Message) ([]byte, error) {
	for _, s := range f.sessions {
		ours, err := s.Matches(from.String(), m)
		if err != nil {
			return nil, err
		}
		if ours {
			return f.decryptIn(s, m)
		}
	}
	s, err := f.account.Inbound(from.String(), m)
	if err != nil {
		return nil, err
	}
	plaintext, err := f.decryptIn(s, m)
	if err != nil {
		return nil, err
	}
	return plaintext, f.account.Consume(s)
}

func (f *farSide) decryptIn(s Session, m Message) ([]byte, error) {
	plaintext, err := s.Decrypt(m)
	if err == nil {
		f.prefer(s)
	}
	return plaintext, err
}

// prefer makes s the session to send in.
func (f *farSide) prefer(s Session) {
	rest := []Session{s}
	for _, other := range f.sessions {
		if other.ID() != s.ID() {
			rest = append(rest, other)
		}
	}
	f.sessions = rest
}
