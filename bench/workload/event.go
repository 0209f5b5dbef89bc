package workload

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/ratchet"
)

// theRoom is the room that Bob and his peers are in.
const theRoom = matrix.RoomID("!room:example.org")

// Types of events.
const (
	encryptedType = "m.room.encrypted"
	roomKeyType   = "m.room_key"
	messageType   = "m.room.message"
)

var base = base64.RawStdEncoding

// object is JSON as it is written.
type object map[string]any

// ed25519 is a key as payloads name it.
type ed25519 struct {
	Key string `json:"ed25519"`
}

// payload is what is within an encrypted to-device event (Matrix specification,
// m.olm.v1.curve25519-aes-sha2).
type payload struct {
	Type          string          `json:"type"`
	Content       json.RawMessage `json:"content"`
	Sender        matrix.UserID   `json:"sender"`
	Keys          ed25519         `json:"keys"`
	Recipient     matrix.UserID   `json:"recipient"`
	RecipientKeys ed25519         `json:"recipient_keys"`
}

// roomKey is the content of m.room_key.
type roomKey struct {
	Algorithm string        `json:"algorithm"`
	Room      matrix.RoomID `json:"room_id"`
	Session   string        `json:"session_id"`
	Key       string        `json:"session_key"`
}

// olmContent is that of m.room.encrypted, to a device.
type olmContent struct {
	Algorithm  string                `json:"algorithm"`
	SenderKey  string                `json:"sender_key"`
	Ciphertext map[string]ciphertext `json:"ciphertext"`
}

type ciphertext struct {
	Type int    `json:"type"`
	Body string `json:"body"`
}

// megolmContent is that of m.room.encrypted, in a room.
type megolmContent struct {
	Algorithm  string          `json:"algorithm"`
	Ciphertext string          `json:"ciphertext"`
	Device     matrix.DeviceID `json:"device_id"`
	SenderKey  string          `json:"sender_key"`
	Session    string          `json:"session_id"`
}

// roomText is the content of the room's message with a number.
func roomText(number uint64, size int) json.RawMessage {
	return fmt.Appendf(nil, `{"body":"%0*d"}`, size, number)
}

// givesKey has a peer give Bob the key of another session of the room.
func (p *peer) givesKey(bob pawl.Identity) (json.RawMessage, error) {
	var err error
	if p.sends, err = group.NewSender(p.rand); err != nil {
		return nil, err
	}
	key, err := p.sends.Share()
	if err != nil {
		return nil, err
	}
	content, err := json.Marshal(roomKey{account.Megolm, theRoom, p.sends.ID().String(), base.EncodeToString(key)})
	if err != nil {
		return nil, err
	}
	plaintext, err := json.Marshal(payload{
		Type: roomKeyType, Content: content,
		Sender: p.account.User(), Keys: ed25519{p.account.Fingerprint().String()},
		Recipient: bob.UserID, RecipientKeys: ed25519{bob.Ed25519.String()},
	})
	if err != nil {
		return nil, err
	}
	m, err := p.write(plaintext)
	if err != nil {
		return nil, err
	}
	return json.Marshal(object{"type": encryptedType, "sender": p.account.User(), "content": olmContent{
		account.Olm, p.id().String(), map[string]ciphertext{bob.Curve25519.String(): {int(m.Type), base.EncodeToString(m.Body)}},
	}})
}

// says has a peer encrypt a message of the room, with a number.
func (p *peer) says(number uint64, size int) (heard, error) {
	plaintext, err := json.Marshal(object{"type": messageType, "content": roomText(number, size), "room_id": theRoom})
	if err != nil {
		return heard{}, err
	}
	next, message, err := p.sends.Encrypt(plaintext)
	if err != nil {
		return heard{}, err
	}
	p.sends = next
	content, err := json.Marshal(megolmContent{
		account.Megolm, base.EncodeToString(message), p.account.Device(), p.id().String(), p.sends.ID().String(),
	})
	return heard{number, p.account.User(), p.id(), content}, err
}

// errOther is a message that is not what was sent, or not for whom it came to.
var errOther = errors.New("another message than was sent")

// olmMessage takes the message for a key out of a to-device event.
func olmMessage(content []byte, key ratchet.PublicKey) (ratchet.Message, error) {
	var c olmContent
	if err := json.Unmarshal(content, &c); err != nil {
		return ratchet.Message{}, err
	}
	sealed, ok := c.Ciphertext[key.String()]
	if !ok {
		return ratchet.Message{}, errOther
	}
	body, err := base.DecodeString(sealed.Body)
	return ratchet.Message{Type: ratchet.MessageType(sealed.Type), Body: body}, err
}

// keyWithin takes a room key out of the plaintext of a to-device event from Bob.
func (p *peer) keyWithin(plaintext []byte) (group.Key, error) {
	var within payload
	var content roomKey
	if err := json.Unmarshal(plaintext, &within); err != nil {
		return group.Key{}, err
	}
	if within.Type != roomKeyType || within.Sender != bobUser || within.Recipient != p.account.User() ||
		within.RecipientKeys.Key != p.account.Fingerprint().String() {
		return group.Key{}, errOther
	}
	if err := json.Unmarshal(within.Content, &content); err != nil {
		return group.Key{}, err
	}
	shared, err := base.DecodeString(content.Key)
	if err != nil {
		return group.Key{}, err
	}
	key, err := group.ParseSharedKey(shared)
	if err == nil && (key.ID().String() != content.Session || content.Room != theRoom) {
		err = errOther
	}
	return key, err
}

// openRoom decrypts an event of the room that Bob wrote, with a key that he gave.
func openRoom(key group.Key, m group.Message) (json.RawMessage, error) {
	plaintext, err := key.Decrypt(m)
	if err != nil {
		return nil, err
	}
	var within struct {
		Type    string          `json:"type"`
		Content json.RawMessage `json:"content"`
		Room    matrix.RoomID   `json:"room_id"`
	}
	if err := json.Unmarshal(plaintext, &within); err != nil {
		return nil, err
	}
	if within.Type != messageType || within.Room != theRoom {
		return nil, errOther
	}
	return within.Content, nil
}

// roomMessage reads the content of a room's m.room.encrypted.
func roomMessage(content []byte) (group.SessionID, group.Message, error) {
	var c megolmContent
	if err := json.Unmarshal(content, &c); err != nil {
		return group.SessionID{}, group.Message{}, err
	}
	id, err := group.ParseSessionID(c.Session)
	if err != nil {
		return id, group.Message{}, err
	}
	body, err := base.DecodeString(c.Ciphertext)
	if err != nil {
		return id, group.Message{}, err
	}
	m, err := group.ParseMessage(body)
	return id, m, err
}
