package ratchet

import (
	"crypto/aes"
	"encoding/binary"
)

// Tags of the fields of a normal message.
const (
	tagRatchetKey = 1<<3 | wireBytes
	tagIndex      = 2<<3 | wireVarint
	tagCiphertext = 4<<3 | wireBytes
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

// ParseNormalMessage reads a normal message. Fields may come in any order and
// unknown ones are skipped. It fails with [ErrMalformed] or [ErrVersion].
func ParseNormalMessage(body []byte) (NormalMessage, error) {
	rest, err := readVersion(body)
	if err != nil {
		return NormalMessage{}, err
	}
	if len(rest) < macSize {
		return NormalMessage{}, malformed("message of %d bytes has no room for its MAC", len(body))
	}
	fields, err := readNormalFields(rest[:len(rest)-macSize])
	if err != nil {
		return NormalMessage{}, err
	}
	return fields.message(body)
}

func readNormalFields(rest []byte) (n normalFields, err error) {
	for len(rest) > 0 {
		var f field
		if f, rest, err = readField(rest); err != nil {
			return n, err
		}
		switch f.tag {
		case tagRatchetKey:
			n.ratchetKey = f.bytes
		case tagIndex:
			n.index, n.hasIndex = f.number, true
		case tagCiphertext:
			n.ciphertext = f.bytes
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
	n := len(m.raw) - macSize
	return m.raw[:n], m.raw[n:]
}

// normalSize is the length of a normal message in the encoding we emit.
func normalSize(index uint32, ciphertext int) int {
	return 1 + bytesSize(keySize) + 1 + varintSize(uint64(index)) + bytesSize(ciphertext) + macSize
}

// appendNormalHeader writes everything that comes before the ciphertext.
func appendNormalHeader(b []byte, ratchetKey *PublicKey, index uint32, ciphertext int) []byte {
	b = append(b, version)
	b = appendBytes(b, tagRatchetKey, ratchetKey[:])
	b = binary.AppendUvarint(append(b, tagIndex), uint64(index))
	return appendHeader(b, tagCiphertext, ciphertext)
}
