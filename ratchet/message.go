package ratchet

import (
	"crypto/aes"
	"encoding/binary"
	"fmt"

	"github.com/pawlkv/pawl/internal/message"
)

// MessageType tells the two kinds of Olm messages apart; Matrix events carry
// it beside the body.
type MessageType int

// The types of messages, with the numbers they have in events.
const (
	// PreKey messages open a session. They are sent until the peer answers.
	PreKey MessageType = 0
	// Normal messages are all others.
	Normal MessageType = 1
)

// String returns "pre-key" or "normal".
func (t MessageType) String() string {
	switch t {
	case PreKey:
		return "pre-key"
	case Normal:
		return "normal"
	}
	return "unknown"
}

// Message is an encrypted message as it goes on the wire. Body is the bytes
// that an event carries in base64.
type Message struct {
	Type MessageType
	Body []byte
}

// Tags of the fields of a normal message.
const (
	tagRatchetKey = 1<<3 | message.Bytes
	tagIndex      = 2<<3 | message.Varint
	tagCiphertext = 4<<3 | message.Bytes
)

// NormalMessage is a parsed message of type [Normal], or the one within a
// [PreKeyMessage]:
//
//	03 | 0A 20 ratchet key | 10 index | 22 length ciphertext | MAC (8)
//
// It refers to the bytes it was parsed from, which must not change while it
// is in use. Nothing in it is verified before a session has decrypted it.
type NormalMessage struct {
	// RatchetKey names the sender's chain.
	RatchetKey PublicKey
	// Index is the number of the message in its chain, from 0.
	Index uint32

	ciphertext wire // one or more AES blocks
	raw        wire // the whole message: the MAC is over the bytes as received
}

// wire is public bytes of a message.
type wire []byte

// normalFields is a normal message while it is read. Of a repeated field the
// last counts, so nothing is checked before the end.
type normalFields struct {
	ratchetKey, ciphertext []byte
	index                  uint64
	hasIndex               bool
}

// readVersion checks the first byte of a message.
func readVersion(b []byte) (rest []byte, err error) {
	if len(b) == 0 {
		return nil, malformed("empty message")
	}
	if b[0] != message.Version {
		return nil, &VersionError{Version: b[0]}
	}
	return b[1:], nil
}

// readKey checks a field that must be a public key.
func readKey(b []byte, what string) (PublicKey, error) {
	if len(b) != keySize {
		return PublicKey{}, malformed("%s of %d bytes, want %d", what, len(b), keySize)
	}
	return PublicKey(b), nil
}

// ParseNormalMessage reads a normal message. Fields may come in any order and
// unknown ones are skipped. It fails with [ErrMalformed] or [ErrVersion].
func ParseNormalMessage(body []byte) (NormalMessage, error) {
	rest, err := readVersion(body)
	if err != nil {
		return NormalMessage{}, err
	}
	if len(rest) < message.MACSize {
		return NormalMessage{}, malformed("message of %d bytes has no room for its MAC", len(body))
	}
	fields, err := readNormalFields(rest[:len(rest)-message.MACSize])
	if err != nil {
		return NormalMessage{}, err
	}
	return fields.message(body)
}

func readNormalFields(rest []byte) (n normalFields, err error) {
	for len(rest) > 0 {
		var f message.Field
		if f, rest, err = message.ReadField(rest); err != nil {
			return n, malformed("%v", err)
		}
		switch f.Tag {
		case tagRatchetKey:
			n.ratchetKey = f.Bytes
		case tagIndex:
			n.index, n.hasIndex = f.Number, true
		case tagCiphertext:
			n.ciphertext = f.Bytes
		}
	}
	return n, nil
}

func (n *normalFields) message(body []byte) (NormalMessage, error) {
	key, err := readKey(n.ratchetKey, "ratchet key")
	switch {
	case err != nil:
		return NormalMessage{}, err
	case !n.hasIndex:
		return NormalMessage{}, malformed("message has no index")
	case n.index > maxIndex:
		return NormalMessage{}, malformed("message index %d exceeds 32 bits", n.index)
	case len(n.ciphertext) == 0:
		return NormalMessage{}, malformed("message has no ciphertext")
	case len(n.ciphertext)%aes.BlockSize != 0:
		return NormalMessage{}, malformed("ciphertext of %d bytes is not whole blocks", len(n.ciphertext))
	}
	return NormalMessage{RatchetKey: key, Index: uint32(n.index), ciphertext: n.ciphertext, raw: body}, nil
}

// authenticated splits the message into what the MAC covers and the MAC.
func (m *NormalMessage) authenticated() (body, mac []byte) {
	n := len(m.raw) - message.MACSize
	return m.raw[:n], m.raw[n:]
}

// Authenticated returns what the message's MAC covers: all of it but the MAC, as
// it was received. Two messages of one sender that decrypt to the same have the
// same. It must not be changed.
func (m NormalMessage) Authenticated() []byte {
	body, _ := m.authenticated()
	return body[:len(body):len(body)]
}

// normalSize is the length of a normal message in the encoding we emit.
func normalSize(index uint32, ciphertext int) int {
	return 1 + message.BytesSize(keySize) + 1 + message.VarintSize(uint64(index)) + message.BytesSize(ciphertext) + message.MACSize
}

// appendNormalHeader writes everything that comes before the ciphertext.
func appendNormalHeader(b []byte, ratchetKey *PublicKey, index uint32, ciphertext int) []byte {
	b = append(b, message.Version)
	b = message.AppendBytes(b, tagRatchetKey, ratchetKey[:])
	b = binary.AppendUvarint(append(b, tagIndex), uint64(index))
	return message.AppendHeader(b, tagCiphertext, ciphertext)
}

// Tags of the fields of a pre-key message.
const (
	tagOneTimeKey  = 1<<3 | message.Bytes
	tagBaseKey     = 2<<3 | message.Bytes
	tagIdentityKey = 3<<3 | message.Bytes
	tagNormal      = 4<<3 | message.Bytes
)

// PreKeyMessage is a parsed message of type [PreKey]: a normal message and
// what the receiver needs to open its session.
//
//	03 | 0A 20 E_B | 12 20 E_A | 1A 20 I_A | 22 length normal message
//
// It has no MAC of its own: the three keys are proven by the normal message,
// which decrypts only in the session that they yield. It refers to the bytes
// it was parsed from.
type PreKeyMessage struct {
	OneTimeKey  PublicKey // E_B, the receiver's one-time or fallback key
	BaseKey     PublicKey // E_A, made by the sender for this session
	IdentityKey PublicKey // I_A, the sender's identity key
	Normal      NormalMessage
}

// SessionID returns the id of the session that m opens or belongs to.
func (m PreKeyMessage) SessionID() SessionID {
	return m.keys().SessionID()
}

// keys are those that open the session.
func (m PreKeyMessage) keys() PreKeys {
	return PreKeys{Identity: m.IdentityKey, Base: m.BaseKey, OneTime: m.OneTimeKey}
}

// preKeyFields is a pre-key message while it is read.
type preKeyFields struct {
	oneTime, base, identity, normal []byte
}

// ParsePreKeyMessage reads a pre-key message and the normal message within,
// by the rules of [ParseNormalMessage]. It fails with [ErrMalformed] or
// [ErrVersion].
func ParsePreKeyMessage(body []byte) (PreKeyMessage, error) {
	rest, err := readVersion(body)
	if err != nil {
		return PreKeyMessage{}, err
	}
	fields, err := readPreKeyFields(rest)
	if err != nil {
		return PreKeyMessage{}, err
	}
	return fields.message()
}

func readPreKeyFields(rest []byte) (p preKeyFields, err error) {
	for len(rest) > 0 {
		var f message.Field
		if f, rest, err = message.ReadField(rest); err != nil {
			return p, malformed("%v", err)
		}
		switch f.Tag {
		case tagOneTimeKey:
			p.oneTime = f.Bytes
		case tagBaseKey:
			p.base = f.Bytes
		case tagIdentityKey:
			p.identity = f.Bytes
		case tagNormal:
			p.normal = f.Bytes
		}
	}
	return p, nil
}

func (p *preKeyFields) message() (m PreKeyMessage, err error) {
	if m.OneTimeKey, err = readKey(p.oneTime, "one-time key"); err != nil {
		return PreKeyMessage{}, err
	}
	if m.BaseKey, err = readKey(p.base, "base key"); err != nil {
		return PreKeyMessage{}, err
	}
	if m.IdentityKey, err = readKey(p.identity, "identity key"); err != nil {
		return PreKeyMessage{}, err
	}
	if m.Normal, err = ParseNormalMessage(p.normal); err != nil {
		return PreKeyMessage{}, fmt.Errorf("message within the pre-key message: %w", err)
	}
	return m, nil
}

// preKeySize is the length of a pre-key message around a normal one of n bytes.
func preKeySize(n int) int { return 1 + 3*message.BytesSize(keySize) + message.BytesSize(n) }

// appendPreKeyHeader writes everything that comes before the normal message.
func appendPreKeyHeader(b []byte, k *PreKeys, normal int) []byte {
	b = append(b, message.Version)
	b = message.AppendBytes(b, tagOneTimeKey, k.OneTime[:])
	b = message.AppendBytes(b, tagBaseKey, k.Base[:])
	b = message.AppendBytes(b, tagIdentityKey, k.Identity[:])
	return message.AppendHeader(b, tagNormal, normal)
}
