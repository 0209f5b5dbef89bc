package ratchet

import (
	"bytes"
	"encoding/binary"

	"github.com/pawlkv/pawl/internal/message"
)

// Pieces of messages in encodings that we do not emit.

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

func bytesField(tag uint64, value []byte) []byte {
	return join(binary.AppendUvarint(nil, tag), binary.AppendUvarint(nil, uint64(len(value))), value)
}

func numberField(tag, value uint64) []byte {
	return join(binary.AppendUvarint(nil, tag), binary.AppendUvarint(nil, value))
}

// overlong is v with n bytes more than it needs.
func overlong(v uint64, n int) []byte {
	b := binary.AppendUvarint(nil, v)
	b[len(b)-1] |= 0x80
	for range n - 1 {
		b = append(b, 0x80)
	}
	return append(b, 0)
}

// normalParts are the fields of one normal message and the key it is under.
type normalParts struct {
	key                       messageKey
	ratchet, index, encrypted []byte // whole fields
}

const sampleText = "a text of more than one block"

func sampleParts() normalParts {
	key := messageKey{1, 2, 3}
	c := key.cipher()
	text := c.AppendEncrypted(nil, []byte(sampleText))
	ratchetKey := NewKeyPair([32]byte{7}).Public()
	return normalParts{
		key:       key,
		ratchet:   bytesField(tagRatchetKey, ratchetKey[:]),
		index:     numberField(tagIndex, 300),
		encrypted: bytesField(tagCiphertext, text),
	}
}

// seal puts a version before the fields and their MAC behind.
func (p normalParts) seal(fields ...[]byte) []byte {
	b := join(append([][]byte{{message.Version}}, fields...)...)
	c := p.key.cipher()
	mac := c.MAC(b)
	return append(b, mac[:]...)
}

func (p normalParts) canonical() []byte { return p.seal(p.ratchet, p.index, p.encrypted) }

// preKeyParts are the fields of one pre-key message.
type preKeyParts struct {
	oneTime, base, identity, normal []byte
}

func samplePreKeyParts() preKeyParts {
	public := func(b byte) []byte { k := NewKeyPair([32]byte{b}).Public(); return k[:] }
	return preKeyParts{
		oneTime:  bytesField(tagOneTimeKey, public(21)),
		base:     bytesField(tagBaseKey, public(22)),
		identity: bytesField(tagIdentityKey, public(23)),
		normal:   bytesField(tagNormal, sampleParts().canonical()),
	}
}

func (p preKeyParts) canonical() []byte {
	return join([]byte{message.Version}, p.oneTime, p.base, p.identity, p.normal)
}

// encoded is the canonical encoding of a parsed message.
func (m *NormalMessage) encoded() []byte {
	_, mac := m.authenticated()
	b := appendNormalHeader(nil, &m.RatchetKey, m.Index, len(m.ciphertext))
	return join(b, m.ciphertext, mac)
}

func (m *PreKeyMessage) encoded() []byte {
	k := m.keys()
	return join(appendPreKeyHeader(nil, &k, len(m.Normal.raw)), m.Normal.raw)
}
