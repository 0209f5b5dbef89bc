package receive

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/internal/jsonobject"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/internal/machine/roomkeys"
	"github.com/pawlkv/pawl/internal/machine/todevice"
	"github.com/pawlkv/pawl/internal/record"
	"github.com/pawlkv/pawl/internal/unpadded"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/ratchet"
)

// Errors of one event; see package pawl.
var (
	ErrEvent       = errors.New("pawl: not a to-device event")
	ErrEventSize   = fmt.Errorf("pawl: a to-device event has more than %d bytes", MaxEvent)
	ErrNotForUs    = errors.New("pawl: the event has no ciphertext for this device")
	ErrNotOlm      = errors.New("pawl: the event is encrypted, and not with m.olm.v1.curve25519-aes-sha2")
	ErrSenderKey   = errors.New("pawl: the event's sender_key is another user's")
	ErrUnencrypted = errors.New("pawl: an event of this type counts only if it is encrypted")
)

// MaxEvent is how large a to-device event may be: servers let nobody send more than
// a sixteenth of it.
const MaxEvent = 1 << 20

// Types of events that Pawl handles.
const (
	typeEncrypted    = "m.room.encrypted"
	typeRoomKey      = "m.room_key"
	typeForwardedKey = "m.forwarded_room_key"
	typeWithheld     = "m.room_key.withheld"
	typeOldWithheld  = "org.matrix.room_key.withheld"
	typeKeyRequest   = "m.room_key_request"
	typeDummy        = "m.dummy"
	typeSecret       = "m.secret.send"
)

// event is a to-device event as far as it can be known without the store.
type event struct {
	raw     []byte // as it came
	index   int    // in the response
	sender  matrix.UserID
	kind    string
	content json.RawMessage
	olm     *todevice.Incoming // nil: it is not encrypted
	err     error              // why it cannot be read whatever the store has

	payload map[string]json.RawMessage // the members of what was decrypted; nil: it is no object
	roomKey roomkeys.Content           // that it brings; zero: none

	kept   bool          // it is of an earlier response, and kept since
	number uint64        // among those
	at     record.Moment // when it was kept
}

// Earlier is the index of an event that is of an earlier response.
const Earlier = -1

// givesKey reports whether the event brings a room key, as far as it was decrypted.
func (e *event) givesKey() bool {
	kind, _ := jsonobject.Text(e.payload["type"])
	return kind == typeRoomKey
}

// tag is the same whenever the event comes: of an encrypted one by what is decrypted,
// since servers write the rest anew.
func (e event) tag() records.Tag {
	if e.olm == nil || e.err != nil {
		return records.TagOf(e.raw)
	}
	return records.TagOf([]byte(e.sender), e.olm.Sender[:], []byte{byte(e.olm.Message.Type)}, e.olm.Message.Body)
}

// split returns the members of an event: of one that is known to be valid JSON
// [jsonobject.Split], otherwise [jsonobject.Members].
type split func(raw []byte) (map[string]json.RawMessage, bool)

// parseEvent reads an event for the device with an identity key.
func parseEvent(index int, raw []byte, members split, own ratchet.PublicKey) event {
	e := event{raw: raw, index: index}
	if len(raw) > MaxEvent {
		e.err = fmt.Errorf("%w: it has %d", ErrEventSize, len(raw))
		return e
	}
	fields, ok := members(raw)
	if !ok {
		e.err = fmt.Errorf("%w: it is no object", ErrEvent)
		return e
	}
	if e.kind, _ = jsonobject.Text(fields["type"]); e.kind == "" {
		e.err = fmt.Errorf("%w: it has no type", ErrEvent)
	}
	if sender, ok := jsonobject.Text(fields["sender"]); ok && matrix.UserID(sender).Check() == nil {
		e.sender = matrix.UserID(sender)
	} else {
		e.err = fmt.Errorf("%w: it has no sender", ErrEvent)
	}
	e.content = fields["content"]
	content, ok := jsonobject.Split(e.content)
	if !ok {
		e.err = fmt.Errorf("%w: its content is no object", ErrEvent)
	}
	if e.err == nil && e.kind == typeEncrypted {
		e.olm, e.err = parseOlm(content, own)
	}
	return e
}

// parseOlm reads the content of m.room.encrypted.
func parseOlm(content map[string]json.RawMessage, own ratchet.PublicKey) (*todevice.Incoming, error) {
	if algorithm, _ := jsonobject.Text(content["algorithm"]); algorithm != account.Olm {
		return nil, fmt.Errorf("%w: %.60q", ErrNotOlm, algorithm)
	}
	sender, ok := jsonobject.Text(content["sender_key"])
	if !ok {
		return nil, fmt.Errorf("%w: it has no sender_key", ErrEvent)
	}
	in := &todevice.Incoming{}
	var err error
	if in.Sender, err = ratchet.ParsePublicKey(sender); err != nil {
		return nil, fmt.Errorf("%w: sender_key: %w", ErrEvent, err)
	}
	all, ok := jsonobject.Split(content["ciphertext"])
	if !ok {
		return in, fmt.Errorf("%w: it has no ciphertext", ErrEvent)
	}
	raw, ok := findOwn(all, own)
	if !ok {
		return in, ErrNotForUs
	}
	in.Message, err = parseCiphertext(raw)
	return in, err
}

// findOwn returns what is there for a key, which others may write in more than one
// way.
func findOwn(all map[string]json.RawMessage, own ratchet.PublicKey) (json.RawMessage, bool) {
	if raw, ok := all[own.String()]; ok {
		return raw, true
	}
	for name, raw := range all {
		if key, err := ratchet.ParsePublicKey(name); err == nil && key == own {
			return raw, true
		}
	}
	return nil, false
}

func parseCiphertext(raw []byte) (m ratchet.Message, err error) {
	fields, _ := jsonobject.Split(raw)
	body, ok := jsonobject.Text(fields["body"])
	var kind *int
	if !ok || json.Unmarshal(fields["type"], &kind) != nil || kind == nil {
		return m, fmt.Errorf("%w: its ciphertext has no type or no body", ErrEvent)
	}
	m = ratchet.Message{Type: ratchet.MessageType(*kind)}
	if m.Body, ok = unpadded.Decode(body); !ok {
		return m, fmt.Errorf("%w: its body is not base64", ErrEvent)
	}
	return m, nil
}
