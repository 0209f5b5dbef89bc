package group

import (
	"fmt"
	"io"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/internal/secret"
)

// Sender is one state of a session that we send in. It never changes:
// [Sender.Encrypt] returns the one that follows. The zero Sender is none, and its
// methods fail with [ErrNoKey].
type Sender struct {
	secret.Guard
	state secret.Value[sender]
}

type sender struct {
	signing account.SigningKey
	ratchet state
}

// NewSender begins a session at index 0. It reads 160 bytes from rand, which must
// be a cryptographic source: the ratchet, then the seed of the signing key. The
// error is rand's.
func NewSender(rand io.Reader) (Sender, error) {
	var s sender
	for i := range s.ratchet.parts {
		if _, err := io.ReadFull(rand, s.ratchet.parts[i][:]); err != nil {
			return Sender{}, fmt.Errorf("group: random bytes for a session: %w", err)
		}
	}
	var err error
	if s.signing, err = account.GenerateSigningKey(rand); err != nil {
		return Sender{}, err
	}
	return Sender{state: secret.Hide(s)}, nil
}

// IsZero reports whether s is the zero Sender.
func (s Sender) IsZero() bool { return s.state.IsZero() }

// ID returns the id of the session.
func (s Sender) ID() SessionID {
	if st := s.state.Peek(); st != nil {
		return SessionID(st.signing.Public())
	}
	return SessionID{}
}

// Index returns the index of the next message, and how many were encrypted.
func (s Sender) Index() uint32 {
	if st := s.state.Peek(); st != nil {
		return st.ratchet.index
	}
	return 0
}

// Encrypt returns the message for plaintext and the sender after it. It fails with
// [ErrExhausted] at the last index, 2^32-1, which is never used, and with
// [ErrNoKey].
//
// The sender it was called on still holds the key of this message. Store the next
// one before the message leaves, or the key will be used twice.
func (s Sender) Encrypt(plaintext []byte) (Sender, []byte, error) {
	next, message, err := s.Begin(plaintext)
	if err != nil {
		return Sender{}, nil, err
	}
	return next, message(), nil
}

// Begin is Encrypt for whoever has something to do while the message is made, most of
// which is its signature: storing the next sender, say. The message is made by the
// function that it returns, from the plaintext as it is then, and is the same each
// time.
func (s Sender) Begin(plaintext []byte) (next Sender, message func() []byte, err error) {
	st := s.state.Peek()
	switch {
	case st == nil:
		return Sender{}, nil, ErrNoKey
	case st.ratchet.index == maxIndex:
		return Sender{}, nil, ErrExhausted
	}
	after := *st
	after.ratchet.advance(st.ratchet.index + 1)
	return Sender{state: secret.Hide(after)}, func() []byte { return st.ratchet.seal(st.signing, plaintext) }, nil
}

// Key returns the key that reads what is encrypted from now on: our own copy.
func (s Sender) Key() Key {
	st := s.state.Peek()
	if st == nil {
		return Key{}
	}
	return Key{id: s.ID(), ratchet: secret.Hide(st.ratchet)}
}

// Share returns the key in the sharing format at the sender's index; see
// [ParseSharedKey]. It fails with [ErrNoKey].
func (s Sender) Share() ([]byte, error) {
	st := s.state.Peek()
	if st == nil {
		return nil, ErrNoKey
	}
	return st.share(&st.ratchet), nil
}

// ShareAt returns what Share does for a key of this session, at the key's index:
// what a device that was given the session then is given again. It fails with
// [ErrNoKey] for a key of another session.
func (s Sender) ShareAt(k Key) ([]byte, error) {
	st := s.state.Peek()
	if st == nil || k.IsZero() || k.id != s.ID() {
		return nil, ErrNoKey
	}
	return st.share(k.ratchet.Peek()), nil
}

func (s *sender) share(r *state) []byte {
	id := s.signing.Public()
	b := r.append(append(make([]byte, 0, SharedKeySize), sharedVersion))
	b = append(b, id[:]...)
	signature := s.signing.Sign(b)
	return append(b, signature[:]...)
}

// The bytes of a sender: version 1, index (4), R_0 to R_3 (128), Ed25519 public
// key (32), private key in expanded form (64).
const (
	senderVersion = 1
	senderSize    = 1 + ratchetSize + 32 + 64
)

// AppendBinary appends the sender's 229 bytes to b, for sealed storage only: they
// hold all its secrets. It fails with [ErrNoKey].
func (s Sender) AppendBinary(b []byte) ([]byte, error) {
	st := s.state.Peek()
	if st == nil {
		return b, ErrNoKey
	}
	public, expanded := st.signing.Public(), st.signing.Expanded()
	b = st.ratchet.append(append(b, senderVersion))
	return append(append(b, public[:]...), expanded[:]...), nil
}

// DecodeSender reads what AppendBinary wrote, and vouches for nothing within: it
// fails with [ErrFormat] for another length or version. It keeps no reference to b.
func DecodeSender(b []byte) (Sender, error) {
	if len(b) != senderSize || b[0] != senderVersion {
		return Sender{}, fmt.Errorf("%w: sender of %d bytes, want %d of version %d", ErrFormat, len(b), senderSize, senderVersion)
	}
	keys := b[1+ratchetSize:]
	return Sender{state: secret.Hide(sender{
		signing: account.RestoreSigningKey(account.VerifyKey(keys[:32]), account.ExpandedKey(keys[32:])),
		ratchet: readRatchet(b[1:]),
	})}, nil
}
