package todevice

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/device"
	"github.com/pawlkv/pawl/internal/canonicaljson"
	"github.com/pawlkv/pawl/internal/unpadded"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/ratchet"
)

// payload is the plaintext of an event: what it says, and between whom, so that
// nobody can pass it on as theirs (Matrix specification,
// m.olm.v1.curve25519-aes-sha2).
type payload struct {
	Type             string          `json:"type"`
	Content          json.RawMessage `json:"content"`
	Sender           matrix.UserID   `json:"sender"`
	Recipient        matrix.UserID   `json:"recipient"`
	RecipientKeys    ed25519Key      `json:"recipient_keys"`
	Keys             ed25519Key      `json:"keys"`
	SenderDeviceKeys json.RawMessage `json:"sender_device_keys"`
}

type ed25519Key struct {
	Ed25519 string `json:"ed25519"`
}

// payloadFor returns the plaintext of an event for a device. It fails with
// canonicaljson.ErrType if the content is no object.
func payloadFor(v account.Account, to device.Keys, own json.RawMessage, eventType string, content json.RawMessage) ([]byte, error) {
	var members map[string]json.RawMessage
	if json.Unmarshal(content, &members) != nil || members == nil {
		return nil, fmt.Errorf("%w: the content of an event is an object", canonicaljson.ErrType)
	}
	return encodeJSON(payload{
		Type: eventType, Content: content,
		Sender: v.User(), Recipient: to.User,
		RecipientKeys:    ed25519Key{to.Ed25519.String()},
		Keys:             ed25519Key{v.Fingerprint().String()},
		SenderDeviceKeys: own,
	})
}

// encrypted is the content of m.room.encrypted for one device.
type encrypted struct {
	Algorithm  string                `json:"algorithm"`
	SenderKey  string                `json:"sender_key"`
	Ciphertext map[string]ciphertext `json:"ciphertext"` // by the recipient's Curve25519 key
}

type ciphertext struct {
	Type ratchet.MessageType `json:"type"`
	Body string              `json:"body"`
}

// encryptedEvent returns the content of an event with a message for a peer.
func encryptedEvent(from, to ratchet.PublicKey, m ratchet.Message) (json.RawMessage, error) {
	return encodeJSON(encrypted{account.Olm, from.String(), map[string]ciphertext{
		to.String(): {m.Type, unpadded.Encode(m.Body)},
	}})
}

// encodeJSON is json.Marshal that leaves what is in texts as it is.
func encodeJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
