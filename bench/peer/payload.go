package peer

import "encoding/json"

// EventType is the type of an encrypted to-device event's payload.
type EventType string

// Types of payloads.
const (
	Note     EventType = "com.example.note" // decrypted by every system, kept by none
	Sharing  EventType = "m.room_key"       // its key is checked and stored
	megolmV1           = "m.megolm.v1.aes-sha2"
)

// Payload is the plaintext of an encrypted to-device event.
type Payload struct {
	Content          Content         `json:"content"`
	Keys             SigningKey      `json:"keys"`
	Recipient        string          `json:"recipient"`
	RecipientKeys    SigningKey      `json:"recipient_keys"`
	Sender           string          `json:"sender"`
	SenderDeviceKeys json.RawMessage `json:"sender_device_keys,omitempty"`
	Type             EventType       `json:"type"`
}

// Content is that of m.room_key.
type Content struct {
	Algorithm string `json:"algorithm"`
	RoomKey
}

// SigningKey is a device's Ed25519 key in base64.
type SigningKey struct {
	Ed25519 string `json:"ed25519"`
}

// Content returns the content that carries a room key.
func (k RoomKey) Content() Content { return Content{megolmV1, k} }
