package group

import (
	"crypto/aes"
	"encoding/binary"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/internal/message"
)

const signatureSize = 64

// Tags of the fields of a message.
const (
	tagIndex      = 1<<3 | message.Varint
	tagCiphertext = 2<<3 | message.Bytes
)

// Message is a parsed message:
//
//	03 | 08 index | 12 length ciphertext | MAC (8) | Ed25519 signature (64)
//
// It refers to the bytes it was parsed from, which must not change while it is in
// use. Nothing in it is verified before a key has decrypted it.
type Message struct {
	// Index is the number of the message in its session, from 0.
	Index uint32

	ciphertext wire // one or more AES blocks
	raw        wire // the whole message: MAC and signature are over bytes as received
}

// wire is public bytes of a message.
type wire []byte

// ParseMessage reads a message, as bytes and not base64. Fields may come in any
// order, unknown ones are skipped, and of a repeated one the last counts. It fails
// with [ErrMalformed], also for an index above 2^32-1, or [ErrVersion].
func ParseMessage(body []byte) (Message, error) {
	rest, err := version(body, "message", messageVersion)
	if err != nil {
		return Message{}, err
	}
	if len(rest) < message.MACSize+signatureSize {
		return Message{}, malformed("message of %d bytes has no room for MAC and signature", len(body))
	}
	fields, err := readFields(rest[:len(rest)-message.MACSize-signatureSize])
	if err != nil {
		return Message{}, err
	}
	return fields.message(body)
}

// fields are those of a message while it is read.
type fields struct {
	index      uint64
	hasIndex   bool
	ciphertext []byte
}

func readFields(rest []byte) (f fields, err error) {
	for len(rest) > 0 {
		var field message.Field
		if field, rest, err = message.ReadField(rest); err != nil {
			return f, malformed("%v", err)
		}
		switch field.Tag {
		case tagIndex:
			f.index, f.hasIndex = field.Number, true
		case tagCiphertext:
			f.ciphertext = field.Bytes
		}
	}
	return f, nil
}

func (f *fields) message(body []byte) (Message, error) {
	switch {
	case !f.hasIndex:
		return Message{}, malformed("message has no index")
	case f.index > maxIndex:
		return Message{}, malformed("message index %d exceeds 32 bits", f.index)
	case len(f.ciphertext) == 0:
		return Message{}, malformed("message has no ciphertext")
	case len(f.ciphertext)%aes.BlockSize != 0:
		return Message{}, malformed("ciphertext of %d bytes is not whole blocks", len(f.ciphertext))
	}
	return Message{Index: uint32(f.index), ciphertext: f.ciphertext, raw: body}, nil
}

// signed splits the message into what the signature covers and the signature.
func (m *Message) signed() (covered []byte, signature account.Signature) {
	n := len(m.raw) - signatureSize
	return m.raw[:n], account.Signature(m.raw[n:])
}

// authenticated splits what comes before the signature into what the MAC covers
// and the MAC.
func (m *Message) authenticated() (covered, mac []byte) {
	n := len(m.raw) - signatureSize
	return m.raw[:n-message.MACSize], m.raw[n-message.MACSize : n]
}

// messageSize is the length of a message in the encoding we emit.
func messageSize(index uint32, ciphertext int) int {
	return 1 + 1 + message.VarintSize(uint64(index)) + message.BytesSize(ciphertext) + message.MACSize + signatureSize
}

// appendHeader writes everything that comes before the ciphertext.
func appendHeader(b []byte, index uint32, ciphertext int) []byte {
	b = append(b, messageVersion)
	b = binary.AppendUvarint(append(b, tagIndex), uint64(index))
	return message.AppendHeader(b, tagCiphertext, ciphertext)
}

// seal returns the message for plaintext at the ratchet's index, in one buffer of
// exactly its size.
func (r *state) seal(key account.SigningKey, plaintext []byte) []byte {
	padded := message.PaddedSize(len(plaintext))
	c := r.cipher()
	b := appendHeader(make([]byte, 0, messageSize(r.index, padded)), r.index, padded)
	b = c.AppendEncrypted(b, plaintext)
	mac := c.MAC(b)
	b = append(b, mac[:]...)
	signature := key.Sign(b)
	return append(b, signature[:]...)
}

// open verifies the MAC of a message at the ratchet's index and decrypts it.
func (r *state) open(m Message) ([]byte, error) {
	c := r.cipher()
	covered, mac := m.authenticated()
	text, ok := c.Open(covered, mac, m.ciphertext)
	if !ok {
		return nil, ErrMAC
	}
	return text, nil
}
