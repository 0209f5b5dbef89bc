package ratchet

import (
	"github.com/pawlkv/pawl/internal/message"
	"github.com/pawlkv/pawl/internal/message/messagetest"
)

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
		ratchet:   messagetest.BytesField(tagRatchetKey, ratchetKey[:]),
		index:     messagetest.NumberField(tagIndex, 300),
		encrypted: messagetest.BytesField(tagCiphertext, text),
	}
}

// seal puts a version before the fields and their MAC behind.
func (p normalParts) seal(fields ...[]byte) []byte {
	b := messagetest.Join(append([][]byte{{message.Version}}, fields...)...)
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
		oneTime:  messagetest.BytesField(tagOneTimeKey, public(21)),
		base:     messagetest.BytesField(tagBaseKey, public(22)),
		identity: messagetest.BytesField(tagIdentityKey, public(23)),
		normal:   messagetest.BytesField(tagNormal, sampleParts().canonical()),
	}
}

func (p preKeyParts) canonical() []byte {
	return messagetest.Join([]byte{message.Version}, p.oneTime, p.base, p.identity, p.normal)
}

// encoded is the canonical encoding of a parsed message.
func (m *NormalMessage) encoded() []byte {
	_, mac := m.authenticated()
	b := appendNormalHeader(nil, &m.RatchetKey, m.Index, len(m.ciphertext))
	return messagetest.Join(b, m.ciphertext, mac)
}

func (m *PreKeyMessage) encoded() []byte {
	k := m.keys()
	return messagetest.Join(appendPreKeyHeader(nil, &k, len(m.Normal.raw)), m.Normal.raw)
}
