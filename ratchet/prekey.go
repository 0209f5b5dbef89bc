package ratchet

import "fmt"

// Tags of the fields of a pre-key message.
const (
	tagOneTimeKey  = 1<<3 | wireBytes
	tagBaseKey     = 2<<3 | wireBytes
	tagIdentityKey = 3<<3 | wireBytes
	tagNormal      = 4<<3 | wireBytes
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
	return sessionID(m.IdentityKey, m.BaseKey, m.OneTimeKey)
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
		var f field
		if f, rest, err = readField(rest); err != nil {
			return p, err
		}
		switch f.tag {
		case tagOneTimeKey:
			p.oneTime = f.bytes
		case tagBaseKey:
			p.base = f.bytes
		case tagIdentityKey:
			p.identity = f.bytes
		case tagNormal:
			p.normal = f.bytes
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
func preKeySize(n int) int { return 1 + 3*bytesSize(keySize) + bytesSize(n) }

// appendPreKeyHeader writes everything that comes before the normal message.
func appendPreKeyHeader(b []byte, k *sessionKeys, normal int) []byte {
	b = append(b, version)
	b = appendBytes(b, tagOneTimeKey, k.oneTime[:])
	b = appendBytes(b, tagBaseKey, k.base[:])
	b = appendBytes(b, tagIdentityKey, k.identity[:])
	return appendHeader(b, tagNormal, normal)
}
