package roomkeyfile

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/unpadded"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/ratchet"
)

// written is a room key as it is written.
type written struct {
	Algorithm       string            `json:"algorithm"`
	Room            matrix.RoomID     `json:"room_id"`
	Session         string            `json:"session_id"`
	Key             string            `json:"session_key"`
	Sender          string            `json:"sender_key"`
	Claimed         map[string]string `json:"sender_claimed_keys"`
	ForwardingChain []string          `json:"forwarding_curve25519_key_chain"`
	SharedHistory   bool              `json:"shared_history"`
	// OldSharedHistory is the name that the flag had before the specification had one.
	// matrix-sdk-crypto reads it, or m.shared_history, which it writes, and refuses a key
	// with both.
	OldSharedHistory bool `json:"org.matrix.msc3061.shared_history,omitempty"`
}

func encodeKey(k group.RoomKey) ([]byte, error) {
	key, err := k.Key.Export(nil)
	if err != nil {
		return nil, err
	}
	defer clear(key)
	w := written{
		Algorithm: account.Megolm, Room: k.Room, Session: k.Key.ID().String(), Key: unpadded.Encode(key),
		Sender: k.Source.Sender.String(), Claimed: map[string]string{}, ForwardingChain: []string{},
		SharedHistory: k.Source.SharedHistory, OldSharedHistory: k.Source.SharedHistory,
	}
	if of := k.Source.Claimed; of != (account.VerifyKey{}) && of.IsPoint() {
		w.Claimed["ed25519"] = k.Source.Claimed.String()
	}
	return json.Marshal(w)
}

// readsAnything reports that a session's name is a key that can have signed its
// messages. matrix-sdk-crypto refuses a whole file for one that is not, and likewise for
// the Ed25519 key of a device, which is left out.
func readsAnything(k group.Key) bool { return account.VerifyKey(k.ID()).IsPoint() }

// object is a JSON object whose members are found by their exact names.
type object map[string]json.RawMessage

// parseKey reads a room key. It fails with group.ErrMalformed, group.ErrVersion or
// matrix.ErrRoomID, with as much of the key as is known.
func parseKey(raw []byte) (k group.RoomKey, err error) {
	if raw == nil {
		return k, malformed("more than %d bytes, or more than %d within each other", maxElement, maxDepth)
	}
	var o object
	if json.Unmarshal(raw, &o) != nil || o == nil {
		return k, malformed("not an object")
	}
	room, err := o.text("room_id")
	if err != nil {
		return k, err
	}
	if k.Room, err = matrix.ParseRoomID(room); err != nil {
		return k, err
	}
	if algorithm, err := o.text("algorithm"); err != nil || algorithm != account.Megolm {
		return k, malformed("algorithm is not %s", account.Megolm)
	}
	key, err := o.key()
	if err != nil {
		return k, err
	}
	if k.Source, err = o.source(); err != nil {
		return k, err
	}
	k.Key = key
	return k, nil
}

// key reads session_key, and checks that it is that of the session.
func (o object) key() (group.Key, error) {
	text, err := o.text("session_key")
	if err != nil {
		return group.Key{}, err
	}
	b, ok := unpadded.Decode(text)
	if !ok {
		return group.Key{}, malformed("session_key is not base64")
	}
	defer clear(b)
	key, err := group.ParseExportedKey(b)
	if err != nil {
		return group.Key{}, err
	}
	if !readsAnything(key) {
		return group.Key{}, malformed("session_key has no Ed25519 key")
	}
	if id, err := o.text("session_id"); err != nil || id != key.ID().String() {
		return group.Key{}, malformed("session_id is not that of session_key")
	}
	return key, nil
}

// source reads whose the session is. The chain of those who forwarded the key, which
// nobody signs, says nothing here.
func (o object) source() (s group.Source, err error) {
	s.Provenance = group.File
	s.SharedHistory = o.flag("shared_history") || o.flag("m.shared_history") || o.flag("org.matrix.msc3061.shared_history")
	sender, err := o.text("sender_key")
	if err != nil {
		return s, err
	}
	if s.Sender, err = ratchet.ParsePublicKey(sender); err != nil {
		return s, malformed("sender_key is not a Curve25519 key")
	}
	var claimed object
	if raw, ok := o["sender_claimed_keys"]; ok && json.Unmarshal(raw, &claimed) != nil {
		return s, malformed("sender_claimed_keys is not an object")
	}
	if _, ok := claimed["ed25519"]; ok {
		text, err := claimed.text("ed25519")
		if err != nil {
			return s, err
		}
		if text == "" { // mautrix-go knows of none
			return s, nil
		}
		if s.Claimed, err = account.ParseVerifyKey(text); err != nil || !s.Claimed.IsPoint() {
			return s, malformed("ed25519 in sender_claimed_keys is not an Ed25519 key")
		}
	}
	return s, nil
}

// text returns a member that must be a string.
func (o object) text(name string) (string, error) {
	var s *string
	if json.Unmarshal(o[name], &s) != nil || s == nil {
		return "", malformed("%s is not a string", name)
	}
	return *s, nil
}

// flag returns whether a member is true.
func (o object) flag(name string) bool { return bytes.Equal(o[name], []byte("true")) }

// malformed is the error of one room key: of its form only, for all that it holds may
// be secret.
func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: room key in a file: %s", group.ErrMalformed, fmt.Sprintf(format, args...))
}
