package todevice

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/device"
	"github.com/pawlkv/pawl/internal/canonicaljson"
	"github.com/pawlkv/pawl/internal/jsonobject"
	"github.com/pawlkv/pawl/internal/unpadded"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/ratchet"
)

// Event is an event for any number of devices, as JSON but for who it is for: what is
// the same for all is encoded once.
//
// Its plaintext says between whom it is, so that nobody can pass it on as theirs
// (Matrix specification, m.olm.v1.curve25519-aes-sha2).
type Event struct {
	before []byte // type, content, sender
	after  []byte // keys, sender_device_keys
}

// said are the members of a plaintext before and after who it is for.
type (
	saidBefore struct {
		Type    string          `json:"type"`
		Content json.RawMessage `json:"content"`
		Sender  matrix.UserID   `json:"sender"`
	}
	saidAfter struct {
		Keys             ed25519Key      `json:"keys"`
		SenderDeviceKeys json.RawMessage `json:"sender_device_keys"`
	}
	ed25519Key struct {
		Ed25519 string `json:"ed25519"`
	}
)

// NewEvent returns an event of an account's. Own is its device keys, as
// [account.Account.DeviceKeys] returns them or with more signatures. It fails with
// canonicaljson.ErrType if the content is no object.
func NewEvent(v account.Account, own json.RawMessage, eventType string, content json.RawMessage) (Event, error) {
	if p := (jsonobject.Parts{Rest: content}); !json.Valid(content) || p.Next() != '{' {
		return Event{}, fmt.Errorf("%w: the content of an event is an object", canonicaljson.ErrType)
	}
	before, err := encodeJSON(saidBefore{eventType, content, v.User()})
	if err != nil {
		return Event{}, err
	}
	after, err := encodeJSON(saidAfter{ed25519Key{v.Fingerprint().String()}, own})
	return Event{bytes.TrimSuffix(before, []byte("}")), bytes.TrimPrefix(after, []byte("{"))}, err
}

// Wipe erases what the event says.
func (e Event) Wipe() { clear(e.before) }

// MostBytes returns how much a content that carries the event has, about and at most: the
// message around the plaintext, all of it in base64, and JSON.
func (e Event) MostBytes() int { return (len(e.before)+len(e.after)+700)*4/3 + 300 }

// plaintext returns the event's plaintext for a device.
func (e Event) plaintext(to device.Keys) ([]byte, error) {
	user, err := encodeJSON(to.User)
	if err != nil {
		return nil, err
	}
	return slices.Concat(e.before, []byte(`,"recipient":`), user, []byte(`,"recipient_keys":{"ed25519":"`),
		[]byte(to.Ed25519.String()), []byte(`"},`), e.after), nil
}

// encryptedEvent returns the content of the m.room.encrypted that carries a message for
// a peer. No text in it needs to be escaped.
func encryptedEvent(from, to ratchet.PublicKey, m ratchet.Message) json.RawMessage {
	event := make([]byte, 0, 200+len(m.Body)*4/3)
	event = append(event, `{"algorithm":"`+account.Olm+`","sender_key":"`...)
	event = unpadded.Append(event, from[:])
	event = append(event, `","ciphertext":{"`...)
	event = unpadded.Append(event, to[:])
	event = fmt.Appendf(event, `":{"type":%d,"body":"`, m.Type)
	event = unpadded.Append(event, m.Body)
	return append(event, `"}}}`...)
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
