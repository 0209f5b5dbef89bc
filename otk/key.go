package otk

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/pawlkv/pawl/internal/record"
	"github.com/pawlkv/pawl/internal/secret"
	"github.com/pawlkv/pawl/ratchet"
)

// ID names a key among all that one account ever made, fallback keys
// included. The first is 1; none is given out twice.
type ID uint32

// idSize is 4 bytes in unpadded base64.
const idSize = 6

// String returns the id as uploads write it: "AAAAAQ" for 1.
func (id ID) String() string {
	return base64.RawStdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, uint32(id)))
}

// ParseID reads what String writes and nothing else, else [ErrMalformed].
func ParseID(s string) (ID, error) {
	b, err := base64.RawStdEncoding.Strict().DecodeString(s)
	if err != nil || len(b) != 4 || len(s) != idSize {
		return 0, fmt.Errorf("%w: want %d characters of unpadded base64", ErrMalformed, idSize)
	}
	return ID(binary.BigEndian.Uint32(b)), nil
}

// Key is one one-time or fallback key with its private part, or, once a
// one-time key was used, its tombstone.
type Key struct {
	secret.Guard
	id       ID
	fallback bool
	created  time.Time
	public   ratchet.PublicKey
	pair     ratchet.KeyPair // none once used
	usedBy   ratchet.SessionID
	usedAt   time.Time // zero while unused
	usedIn   Order     // 0 while unused, and in format 1
}

// Order says which of two things came later, and Moment when something happens:
// see package record.
type (
	Order  = record.Order
	Moment = record.Moment
)

// NewKey returns an unused key made of a key pair from elsewhere.
func NewKey(id ID, pair ratchet.KeyPair, fallback bool, created time.Time) Key {
	return Key{id: id, fallback: fallback, created: record.Time(created), public: pair.Public(), pair: pair}
}

// ID returns the key's id.
func (k Key) ID() ID { return k.id }

// Public returns the public key, which also names the record.
func (k Key) Public() ratchet.PublicKey { return k.public }

// Fallback reports a fallback key.
func (k Key) Fallback() bool { return k.fallback }

// Created returns when the key was made.
func (k Key) Created() time.Time { return k.created }

// Pair returns the key pair, or a [UsedError] if there is none any more.
func (k Key) Pair() (ratchet.KeyPair, error) {
	if session, _, used := k.Used(); used {
		return ratchet.KeyPair{}, &UsedError{Key: k.public, Session: session}
	}
	return k.pair, nil
}

// Used returns the session that a one-time key opened and when, and whether it
// did. A fallback key is never used up.
func (k Key) Used() (session ratchet.SessionID, at time.Time, used bool) {
	return k.usedBy, k.usedAt, !k.usedAt.IsZero()
}

// UsedIn returns the order in which a one-time key was used, 0 in format 1.
func (k Key) UsedIn() Order { return k.usedIn }

// Moved returns the tombstone with another time of use: its own was of a wrong
// clock.
func (k Key) Moved(to time.Time) Key {
	if !k.usedAt.IsZero() {
		k.usedAt = record.Time(laterThanZero(to))
	}
	return k
}

// Use returns the key as it is to be stored together with the session that it
// opened: a one-time key without its private part, a fallback key unchanged.
// It fails with a [UsedError] for a tombstone.
func (k Key) Use(session ratchet.SessionID, at Moment) (Key, error) {
	if _, err := k.Pair(); err != nil {
		return k, err
	}
	if k.fallback {
		return k, nil
	}
	k.pair, k.usedBy, k.usedIn = ratchet.KeyPair{}, session, at.Order
	// A clock that says "zero time" must not leave the key looking unused.
	k.usedAt = record.Time(laterThanZero(at.Time))
	return k, nil
}

func laterThanZero(now time.Time) time.Time {
	if now.IsZero() {
		return time.UnixMilli(1)
	}
	return now
}

const (
	keyVersion1 = 1
	keyFields1  = 7
	keyVersion2 = 2
	keyFields2  = 8
	keySize     = 128 // bytes of an encoded key, rounded up
)

// Encode returns the record: in version 2 if it has an order, else in version 1.
func (k Key) Encode() ([]byte, error) {
	if _, _, used := k.Used(); !used && k.pair.IsZero() {
		return nil, fmt.Errorf("otk: encode: key %v has no private part", k.id)
	}
	if k.usedIn == 0 {
		return record.Encode(keyVersion1, keyFields1, keySize, k.write), nil
	}
	return record.Encode(keyVersion2, keyFields2, keySize, func(w *record.Writer) {
		k.write(w)
		w.Order(k.usedIn)
	}), nil
}

func (k Key) write(w *record.Writer) {
	w.Uint(uint64(k.id))
	w.Bool(k.fallback)
	w.Time(k.created)
	w.Bytes(k.public[:])
	if _, _, used := k.Used(); used {
		w.Bytes(nil)
		w.Bytes(k.usedBy[:])
	} else {
		private := k.pair.Private()
		w.Bytes(private[:])
		w.Bytes(nil)
	}
	w.Time(k.usedAt)
}

// DecodeKey reads a record written by [Key.Encode]. It fails with [ErrFormat]
// or [ErrVersion]. That the two parts of the pair belong together is not
// computed here; see [Key.Check].
func DecodeKey(b []byte) (Key, error) {
	var k Key
	err := record.DecodeOneOf("one-time key", b,
		record.Layout{Version: keyVersion1, Count: keyFields1, Fields: k.read},
		record.Layout{Version: keyVersion2, Count: keyFields2, Fields: func(r *record.Reader) {
			k.read(r)
			k.usedIn = r.Order()
			r.Check(k.usedIn != 0 && !k.usedAt.IsZero(), "order")
		}})
	if err != nil {
		return Key{}, err
	}
	return k, nil
}

func (k *Key) read(r *record.Reader) {
	k.id = ID(r.Uint(1<<32 - 1))
	k.fallback = r.Bool()
	k.created = r.Time()
	r.Fixed(k.public[:])
	private, session := r.Bytes(32), r.Bytes(32)
	k.usedAt = r.Time()
	k.restore(r, private, session)
}

// restore sets what is either a private part or the mark of having been used.
func (k *Key) restore(r *record.Reader, private, session []byte) {
	switch used := !k.usedAt.IsZero(); {
	case !used && len(private) == 32 && len(session) == 0:
		k.pair = ratchet.RestoreKeyPair(k.public, ratchet.PrivateKey(private))
	case used && len(private) == 0 && len(session) == 32 && !k.fallback:
		k.usedBy = ratchet.SessionID(session)
	default:
		r.Fail("neither an unused key nor a tombstone")
	}
	r.Check(k.id != 0, "key id")
}

// Check computes the public key again and fails with [ErrFormat] if it is not
// the stored one. A tombstone has nothing to check.
func (k Key) Check() error {
	if !k.pair.IsZero() && ratchet.NewKeyPair(k.pair.Private()).Public() != k.public {
		return fmt.Errorf("%w: key %v: private and public parts do not match", ErrFormat, k.id)
	}
	return nil
}
