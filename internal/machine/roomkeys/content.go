package roomkeys

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/jsonobject"
	"github.com/pawlkv/pawl/internal/unpadded"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/ratchet"
)

// MaxContent bounds the content of an event, in bytes.
const MaxContent = 1 << 20

// object is a JSON object whose members are found by their exact names.
type object map[string]json.RawMessage

func parseObject(raw []byte) (object, error) {
	if len(raw) > MaxContent {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrContent, len(raw), MaxContent)
	}
	o, ok := jsonobject.Members(raw)
	if !ok {
		return nil, fmt.Errorf("%w: not an object", ErrContent)
	}
	return o, nil
}

// text returns a member that must be a string.
func (o object) text(name string) (string, error) {
	s, ok := jsonobject.Text(o[name])
	if !ok {
		return "", fmt.Errorf("%w: %s is not a string", ErrContent, name)
	}
	return s, nil
}

// optional returns a member that may be missing, or of another type.
func (o object) optional(name string) string {
	s, _ := o.text(name)
	return s
}

// flag returns whether a member is true.
func (o object) flag(name string) bool { return bytes.Equal(o[name], []byte("true")) }

// isObject reports whether a member is an object.
func (o object) isObject(name string) bool {
	raw := bytes.TrimLeft(o[name], " \t\r\n")
	return len(raw) > 0 && raw[0] == '{'
}

// megolm checks the algorithm.
func (o object) megolm() error {
	algorithm, err := o.text("algorithm")
	if err == nil && algorithm != account.Megolm {
		err = fmt.Errorf("%w: %.64q", ErrAlgorithm, algorithm)
	}
	return err
}

// session returns the room and the session that the content is of.
func (o object) session() (room matrix.RoomID, id group.SessionID, err error) {
	s, err := o.text("room_id")
	if err != nil {
		return room, id, err
	}
	if room, err = matrix.ParseRoomID(s); err != nil {
		return room, id, fmt.Errorf("%w: %w", ErrContent, err)
	}
	id, err = o.sessionID()
	return room, id, err
}

// SessionOf returns the session that the content of an event of a room names.
func SessionOf(content json.RawMessage) (id group.SessionID, err error) {
	o, err := parseObject(content)
	if err == nil {
		err = o.megolm()
	}
	if err != nil {
		return id, err
	}
	return o.sessionID()
}

func (o object) sessionID() (id group.SessionID, err error) {
	s, err := o.text("session_id")
	if err != nil {
		return id, err
	}
	if id, err = group.ParseSessionID(s); err != nil {
		err = fmt.Errorf("%w: %w", ErrContent, err)
	}
	return id, err
}

func (o object) curve25519(name string) (k ratchet.PublicKey, err error) {
	s, err := o.text(name)
	if err != nil {
		return k, err
	}
	if k, err = ratchet.ParsePublicKey(s); err != nil || k == (ratchet.PublicKey{}) {
		return k, fmt.Errorf("%w: %s is not a Curve25519 key", ErrContent, name)
	}
	return k, nil
}

func (o object) ed25519(name string) (k account.VerifyKey, err error) {
	s, err := o.text(name)
	if err != nil {
		return k, err
	}
	if k, err = account.ParseVerifyKey(s); err != nil {
		return k, fmt.Errorf("%w: %s is not an Ed25519 key", ErrContent, name)
	}
	return k, nil
}

// anyKey reads session_key, of whatever session it is.
func (o object) anyKey(parse func([]byte) (group.Key, error)) (group.Key, error) {
	s, err := o.text("session_key")
	if err != nil {
		return group.Key{}, err
	}
	b, ok := unpadded.Decode(s)
	if !ok {
		return group.Key{}, fmt.Errorf("%w: session_key is not base64", ErrContent)
	}
	defer clear(b)
	return parse(b)
}

// sharedHistory also knows the name that the flag had before the specification did.
func (o object) sharedHistory() bool {
	return o.flag("shared_history") || o.flag("org.matrix.msc3061.shared_history")
}
