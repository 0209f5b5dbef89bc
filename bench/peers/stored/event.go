package stored

import (
	"encoding/base64"
	"encoding/json"
	"fmt"

	"github.com/pawlkv/pawl/ratchet"
)

const (
	olmV1         = "m.olm.v1.curve25519-aes-sha2"
	encryptedType = "m.room.encrypted"
)

// Event is an encrypted to-device event.
type Event struct {
	Type    string    `json:"type"`
	Sender  string    `json:"sender"`
	Content Encrypted `json:"content"`
}

// Encrypted is its content.
type Encrypted struct {
	Algorithm  string                `json:"algorithm"`
	SenderKey  string                `json:"sender_key"`
	Ciphertext map[string]Ciphertext `json:"ciphertext"`
}

// Ciphertext is for one device.
type Ciphertext struct {
	Type int    `json:"type"`
	Body string `json:"body"`
}

func newEvent(from Device, to string, m ratchet.Message) (json.RawMessage, error) {
	return json.Marshal(Event{encryptedType, string(from.User), Encrypted{olmV1, from.Curve25519, map[string]Ciphertext{to: Wrap(m)}}})
}

// Wrap puts a message into an event.
func Wrap(m ratchet.Message) Ciphertext {
	return Ciphertext{int(m.Type), base64.RawStdEncoding.EncodeToString(m.Body)}
}

// Message takes it out again.
func (c Ciphertext) Message() (ratchet.Message, error) {
	body, err := base64.RawStdEncoding.DecodeString(c.Body)
	if err != nil {
		return ratchet.Message{}, fmt.Errorf("ciphertext: %w", err)
	}
	return ratchet.Message{Type: ratchet.MessageType(c.Type), Body: body}, nil
}
