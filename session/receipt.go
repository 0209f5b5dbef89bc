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

// ReceiptID names a message of a sender.
type ReceiptID [32]byte

// ReceiptOf returns the id of the receipt of m from sender, where m is the message
// within a pre-key message, or a normal one: SHA-256 of the sender's identity key
// and of what the message's MAC covers. So however a message is packed, it has
// one receipt.
func ReceiptOf(sender ratchet.PublicKey, m ratchet.NormalMessage) (id ReceiptID) {
	h := sha256.New()
	h.Write(sender[:])
	h.Write(m.Authenticated())
	h.Sum(id[:0])
	return id
}

// ReceiptOf1 is ReceiptOf in format 1: SHA-256 of the sender's identity key, the
// message type as 8 bytes and the length of the body as 8 bytes, both
// big-endian, and the body. All but the body have a fixed length, so two
// messages never hash the same bytes.
func ReceiptOf1(sender ratchet.PublicKey, m ratchet.Message) (id ReceiptID) {
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
	order   Order // 0: in format 1, whose receipts have other names
}

// NewReceipt returns the receipt of the message named by id, decrypted in a
// session. The key is the zero one when the message's whole effect is committed
// with it.
func NewReceipt(id ReceiptID, session ratchet.SessionID, key ratchet.MessageKey, at Moment) Receipt {
	return Receipt{id: id, session: session, key: key, created: NextStamp(at.Time), order: at.Order}
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

// Order returns in which order the message was decrypted, 0 in format 1.
func (r Receipt) Order() Order { return r.order }

// Named1 reports a receipt of format 1, which is named by [ReceiptOf].
func (r Receipt) Named1() bool { return r.order == 0 }

// Expires returns when the message's key is to be erased.
func (r Receipt) Expires() Stamp { return NextStamp(r.created.Time().Add(ReceiptLife)) }

// Moved returns the receipt with another time: its own was of a wrong clock.
func (r Receipt) Moved(to time.Time) Receipt {
	r.created = NextStamp(to)
	return r
}

// Acknowledged returns the receipt without the key.
func (r Receipt) Acknowledged() Receipt {
	r.key = ratchet.MessageKey{}
	return r
}

// Expired reports whether the message's key is to be erased.
func (r Receipt) Expired(now time.Time) bool { return NextStamp(now) >= r.Expires() }

// Forgettable reports whether the receipt may be deleted.
func (r Receipt) Forgettable(now time.Time) bool {
	return now.Sub(r.created.Time()) >= ReceiptMemory
}

const (
	receiptVersion1 = 1
	receiptVersion2 = 2
	receiptFields   = 5
	receiptSize     = 128 // bytes of an encoded receipt, rounded up
)

// Encode returns the record: in version 2 if it has an order, else in version 1.
func (r Receipt) Encode() ([]byte, error) {
	version := byte(receiptVersion2)
	if r.Named1() {
		version = receiptVersion1
	}
	return record.Encode(version, receiptFields, receiptSize, func(w *record.Writer) {
		w.Bytes(r.id[:])
		w.Bytes(r.session[:])
		var key [32]byte
		w.Bytes(r.key.Append(key[:0]))
		w.Uint(uint64(r.created))
		if r.Named1() {
			w.Uint(uint64(r.Expires()))
		} else {
			w.Order(r.order)
		}
	}), nil
}

// DecodeReceipt reads a record written by [Receipt.Encode]. It fails with
// [ErrFormat] or [ErrVersion].
func DecodeReceipt(b []byte) (Receipt, error) {
	var out Receipt
	err := record.DecodeOneOf("receipt", b,
		record.Layout{Version: receiptVersion1, Count: receiptFields, Fields: out.read1},
		record.Layout{Version: receiptVersion2, Count: receiptFields, Fields: out.read2})
	if err != nil {
		return Receipt{}, err
	}
	return out, nil
}

func (r *Receipt) read1(in *record.Reader) {
	r.readMessage(in)
	in.Check(r.created <= readStamp(in), "times")
}

func (r *Receipt) read2(in *record.Reader) {
	r.readMessage(in)
	r.order = in.Order()
	in.Check(r.order != 0, "order")
}

func (r *Receipt) readMessage(in *record.Reader) {
	in.Fixed(r.id[:])
	in.Fixed(r.session[:])
	if key := in.Bytes(32); len(key) > 0 {
		var err error
		r.key, err = ratchet.RestoreMessageKey(key)
		in.Check(err == nil, "length of a message key")
	}
	r.created = readStamp(in)
	in.Check(r.created != 0, "time")
}
