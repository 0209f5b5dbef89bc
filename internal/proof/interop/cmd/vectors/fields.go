//go:build libolm

package main

import (
	"crypto/sha256"
	"encoding/base64"

	"maunium.net/go/mautrix/crypto/goolm/message"
)

// Fields are the parts of a message that can be parsed, whatever becomes of it.
type Fields struct {
	OneTimeKey  Hex    `json:"one_time_key,omitempty"` // these four of a pre-key message
	BaseKey     Hex    `json:"base_key,omitempty"`
	IdentityKey Hex    `json:"identity_key,omitempty"`
	SessionID   string `json:"session_id,omitempty"`
	RatchetKey  Hex    `json:"ratchet_key"`
	Index       uint32 `json:"index"`
	Ciphertext  Hex    `json:"ciphertext"`
	MAC         Hex    `json:"mac"`
}

// readFields parses with goolm's decoder, which is neither libolm's nor Pawl's.
func readFields(typ int, body []byte) (*Fields, error) {
	f := &Fields{}
	if typ == 0 {
		var p message.PreKeyMessage
		if err := p.Decode(body); err != nil {
			return nil, err
		}
		f.OneTimeKey, f.BaseKey, f.IdentityKey = Hex(p.OneTimeKey), Hex(p.BaseKey), Hex(p.IdentityKey)
		id := sha256.Sum256(append(append(append([]byte(nil), p.IdentityKey...), p.BaseKey...), p.OneTimeKey...))
		f.SessionID = base64.RawStdEncoding.EncodeToString(id[:])
		body = p.Message
	}
	var m message.Message
	if err := m.Decode(body); err != nil {
		return nil, err
	}
	f.RatchetKey, f.Index, f.Ciphertext, f.MAC = Hex(m.RatchetKey), m.Counter, m.Ciphertext, body[len(body)-8:]
	return f, nil
}
