package group

import (
	"crypto/subtle"
	"encoding/binary"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/internal/secret"
)

// SessionID names a session: its Ed25519 public key.
type SessionID account.VerifyKey

// String returns the id in unpadded base64, 43 characters, as events carry it.
func (id SessionID) String() string { return account.VerifyKey(id).String() }

// ParseSessionID reads what String writes and nothing else, else [ErrMalformed].
func ParseSessionID(s string) (SessionID, error) {
	k, err := account.ParseVerifyKey(s)
	if err != nil {
		return SessionID{}, malformed("session id is not 43 characters of unpadded base64")
	}
	return SessionID(k), nil
}

// Key is a room key: what reads a session from an index on. The zero Key is none.
type Key struct {
	secret.Guard
	id      SessionID
	ratchet secret.Value[state]
}

// Sizes of keys, in bytes.
const (
	ratchetSize = 4 + parts*partSize // index and parts

	// ExportedKeySize is that of the export format.
	ExportedKeySize = 1 + ratchetSize + 32
	// SharedKeySize is that of the sharing format.
	SharedKeySize = ExportedKeySize + signatureSize
)

// ParseSharedKey reads the sharing format, which m.room_key carries in base64:
//
//	02 | index (4) | R_0 to R_3 (128) | Ed25519 public key (32) | signature (64)
//
// The signature, by that key over everything before it, is verified. It fails with
// [ErrMalformed], [ErrVersion] or [ErrSignature].
func ParseSharedKey(b []byte) (Key, error) {
	rest, err := version(b, "shared key", sharedVersion)
	if err != nil {
		return Key{}, err
	}
	if len(b) != SharedKeySize {
		return Key{}, malformed("shared key of %d bytes, want %d", len(b), SharedKeySize)
	}
	k := readKey(rest)
	n := len(b) - signatureSize
	if account.Verify(account.VerifyKey(k.id), b[:n], account.Signature(b[n:])) != nil {
		return Key{}, ErrSignature
	}
	return k, nil
}

// ParseExportedKey reads the export format, which m.forwarded_room_key, key backup
// and key files carry in base64:
//
//	01 | index (4) | R_0 to R_3 (128) | Ed25519 public key (32)
//
// It proves nothing. It fails with [ErrMalformed] or [ErrVersion].
func ParseExportedKey(b []byte) (Key, error) {
	rest, err := version(b, "exported key", exportVersion)
	if err != nil {
		return Key{}, err
	}
	if len(b) != ExportedKeySize {
		return Key{}, malformed("exported key of %d bytes, want %d", len(b), ExportedKeySize)
	}
	return readKey(rest), nil
}

// readKey reads index, ratchet and public key, which are there.
func readKey(b []byte) Key {
	return Key{id: SessionID(b[ratchetSize : ratchetSize+32]), ratchet: secret.Hide(readRatchet(b))}
}

// readRatchet reads index and parts, which are there.
func readRatchet(b []byte) (r state) {
	r.index = binary.BigEndian.Uint32(b)
	for i := range r.parts {
		copy(r.parts[i][:], b[4+i*partSize:])
	}
	return r
}

// append writes what readRatchet reads.
func (r *state) append(b []byte) []byte {
	b = binary.BigEndian.AppendUint32(b, r.index)
	for i := range r.parts {
		b = append(b, r.parts[i][:]...)
	}
	return b
}

// IsZero reports whether k is the zero Key.
func (k Key) IsZero() bool { return k.ratchet.IsZero() }

// ID returns the id of the session.
func (k Key) ID() SessionID { return k.id }

// Index returns the first index that the key reads, 0 for the zero Key.
func (k Key) Index() uint32 {
	if r := k.ratchet.Peek(); r != nil {
		return r.index
	}
	return 0
}

// Advance returns the key that reads from an index on, and nothing before it. It
// fails with [ErrTooEarly] for an index before the key's own, and with [ErrNoKey].
func (k Key) Advance(index uint32) (Key, error) {
	r, err := k.at(index)
	if err != nil {
		return Key{}, err
	}
	return Key{id: k.id, ratchet: secret.Hide(r)}, nil
}

// at returns the key's ratchet at an index.
func (k Key) at(index uint32) (state, error) {
	r := k.ratchet.Peek()
	switch {
	case r == nil:
		return state{}, ErrNoKey
	case index < r.index:
		return state{}, &IndexError{First: r.index, Index: index}
	}
	return r.at(index), nil
}

// Connected reports whether both keys are of one session, and the earlier one,
// advanced, is the later one: whatever the later one decrypts, the earlier one
// does. It proves less of the indices between them: where a multiple of 256 lies
// between, part of the earlier ratchet is overwritten on the way and may have
// been anything.
func (k Key) Connected(other Key) bool {
	if k.id != other.id || k.IsZero() || other.IsZero() {
		return false
	}
	if k.Index() > other.Index() {
		k, other = other, k
	}
	later := other.ratchet.Peek()
	advanced := k.ratchet.Peek().at(later.index)
	same := 1
	for i := range later.parts {
		same &= subtle.ConstantTimeCompare(advanced.parts[i][:], later.parts[i][:])
	}
	return same == 1
}

// Export appends the key in the export format to b. It fails with [ErrNoKey].
func (k Key) Export(b []byte) ([]byte, error) {
	r := k.ratchet.Peek()
	if r == nil {
		return b, ErrNoKey
	}
	return append(r.append(append(b, exportVersion)), k.id[:]...), nil
}

// Decrypt verifies m and returns its plaintext, which belongs to the caller. The
// signature is verified first, then the MAC, and nothing is decrypted before. It
// fails with
//
//   - [ErrSignature]: not by the owner of this session, or changed on its way;
//   - [ErrTooEarly] (an [IndexError]): the key does not reach back to it;
//   - [ErrMAC]: by the owner, but not with this ratchet;
//   - [ErrMalformed]: the zero Message;
//   - [ErrNoKey]: the zero Key.
func (k Key) Decrypt(m Message) ([]byte, error) {
	if k.IsZero() {
		return nil, ErrNoKey
	}
	if err := k.id.verify(m); err != nil {
		return nil, err
	}
	r, err := k.at(m.Index)
	if err != nil {
		return nil, err
	}
	return r.open(m)
}

// verify checks the signature of a message.
func (id SessionID) verify(m Message) error {
	return verify(m, func(covered []byte, signature account.Signature) error {
		return account.Verify(account.VerifyKey(id), covered, signature)
	})
}

// verify checks the signature of a message by what verifies its sender's.
func verify(m Message, signed func([]byte, account.Signature) error) error {
	if len(m.raw) == 0 {
		return malformed("empty message")
	}
	covered, signature := m.signed()
	if signed(covered, signature) != nil {
		return ErrSignature
	}
	return nil
}
