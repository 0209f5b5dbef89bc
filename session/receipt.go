package session

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"time"

	"github.com/pawlkv/pawl/internal/record"
	"github.com/pawlkv/pawl/internal/secret"
	"github.com/pawlkv/pawl/ratchet"
)

// ReceiptID names a message as it was received: SHA-256 of the sender's
// identity key, the message type as 8 bytes and the length of the body as 8
// bytes, both big-endian, and the body. All but the body have a fixed length,
// so two messages never hash the same bytes.
type ReceiptID [32]byte

// ReceiptOf returns the id of the receipt of m from sender.
func ReceiptOf(sender ratchet.PublicKey, m ratchet.Message) (id ReceiptID) {
	h := sha256.New()
	h.Write(sender[:])
	var numbers [16]byte
	binary.BigEndian.PutUint64(numbers[:], uint64(m.Type))
	binary.BigEndian.PutUint64(numbers[8:], uint64(len(m.Body)))
	h.Write(numbers[:])
	h.Write(m.Body)
	h.Sum(id[:0])
	return id
}

// String returns the id in hexadecimal, 64 digits.
func (id ReceiptID) String() string { return hex.EncodeToString(id[:]) }

// Receipt says that a message was decrypted and its effect stored. It keeps
// the message's key, so that the same message can be answered again, until the
// caller has acknowledged the plaintext.
type Receipt struct {
	secret.Guard
	id      ReceiptID
	session ratchet.SessionID
	key     ratchet.MessageKey // none once erased
	created Stamp
	expires Stamp
}

// NewReceipt returns the receipt of the message named by id, decrypted in a
// session. The key is the zero one when the message's whole effect is committed
// with it.
func NewReceipt(id ReceiptID, session ratchet.SessionID, key ratchet.MessageKey, now time.Time) Receipt {
	created := NextStamp(now)
	expires := NextStamp(created.Time().Add(ReceiptLife))
	return Receipt{id: id, session: session, key: key, created: created, expires: expires}
}

// ID returns the message's name, under which the receipt is stored.
func (r Receipt) ID() ReceiptID { return r.id }

// Session returns the session that decrypted the message.
func (r Receipt) Session() ratchet.SessionID { return r.session }

// Key returns the message's key, or false when it was erased: the message can
// only be answered with "already processed".
func (r Receipt) Key() (ratchet.MessageKey, bool) { return r.key, !r.key.IsZero() }

// Created returns when the message was decrypted.
func (r Receipt) Created() Stamp { return r.created }

// Expires returns when the message's key is to be erased.
func (r Receipt) Expires() Stamp { return r.expires }

// Acknowledged returns the receipt without the key.
func (r Receipt) Acknowledged() Receipt {
	r.key = ratchet.MessageKey{}
	return r
}

// Expired reports whether the message's key is to be erased.
func (r Receipt) Expired(now time.Time) bool { return NextStamp(now) >= r.expires }

// Forgettable reports whether the receipt may be deleted.
func (r Receipt) Forgettable(now time.Time) bool {
	return now.Sub(r.created.Time()) >= ReceiptMemory
}

const (
	receiptVersion = 1
	receiptFields  = 5
	receiptSize    = 128 // bytes of an encoded receipt, rounded up
)

// Encode returns the record.
func (r Receipt) Encode() ([]byte, error) {
	return record.Encode(receiptVersion, receiptFields, receiptSize, func(w *record.Writer) {
		w.Bytes(r.id[:])
		w.Bytes(r.session[:])
		var key [32]byte
		w.Bytes(r.key.Append(key[:0]))
		w.Uint(uint64(r.created))
		w.Uint(uint64(r.expires))
	}), nil
}

// DecodeReceipt reads a record written by [Receipt.Encode]. It fails with
// [ErrFormat] or [ErrVersion].
func DecodeReceipt(b []byte) (Receipt, error) {
	var out Receipt
	err := record.Decode("receipt", b, receiptVersion, receiptFields, func(r *record.Reader) {
		r.Fixed(out.id[:])
		r.Fixed(out.session[:])
		if key := r.Bytes(32); len(key) > 0 {
			var err error
			out.key, err = ratchet.RestoreMessageKey(key)
			r.Check(err == nil, "length of a message key")
		}
		out.created = readStamp(r)
		out.expires = readStamp(r)
		r.Check(out.created != 0 && out.created <= out.expires, "times")
	})
	if err != nil {
		return Receipt{}, err
	}
	return out, nil
}
