package receive

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/device"
	"github.com/pawlkv/pawl/internal/jsonobject"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/ratchet"
)

// ErrPayload: see package pawl.
var ErrPayload = errors.New("pawl: the decrypted event does not say what it must")

// PayloadError is an ErrPayload, and no other: it says which field is missing, of
// another type, or not what it must be.
type PayloadError struct {
	Field string // "recipient_keys.ed25519"
	Err   error  // nil: it is of another user, device or key
}

// Error implements error.
func (e *PayloadError) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("%v: another %s", ErrPayload, e.Field)
	}
	return fmt.Sprintf("%v: %s: %v", ErrPayload, e.Field, e.Err)
}

// Is makes errors.Is(err, ErrPayload) true.
func (e *PayloadError) Is(target error) bool { return target == ErrPayload }

// errType says that a field is missing or of another type.
var errType = errors.New("missing, or of another type")

// payload is the plaintext of an Olm event as far as its sender alone vouches for
// it.
type payload struct {
	kind    string
	content json.RawMessage // an object
	ed25519 account.VerifyKey
	// device is what sender_device_keys prove, nil if there are none.
	device *device.Keys
}

// expected is what is known about an Olm event beside its plaintext.
type expected struct {
	sender    matrix.UserID // of the event
	senderKey ratchet.PublicKey
	own       matrix.UserID
	ownKey    account.VerifyKey
	// known is the Ed25519 key of the device that has the sender key, as far as it
	// is known from elsewhere.
	known *account.VerifyKey
	// proofs are of earlier events, zero: of none.
	proofs proofs
}

// proofs remember which sender_device_keys were verified, and what they prove. That
// follows from their bytes alone, so it is never out of date. A device sends the same
// ones with each of its events, and verifying them costs as much as the rest of taking
// in a room key.
type proofs struct {
	known *lru.Cache[proof, device.Keys]
}

// proof is the digest of a device's name and keys, byte for byte.
type proof [sha256.Size]byte

// maxProofs bounds them: those of the last few devices that wrote, some 300 bytes each.
const maxProofs = 64

func newProofs() proofs {
	known, err := lru.New[proof, device.Keys](maxProofs)
	if err != nil {
		panic(err) // maxProofs is a constant above 0
	}
	return proofs{known}
}

func proofOf(of device.Name, raw []byte) (p proof) {
	h := sha256.New()
	fmt.Fprintf(h, "%d:%s%d:%s", len(of.User), of.User, len(of.Device), of.Device)
	h.Write(raw)
	h.Sum(p[:0])
	return p
}

// keys are what device keys prove to be a device's.
func (p proofs) keys(of device.Name, raw []byte) (device.Keys, error) {
	if p.known == nil {
		return device.ParseKeys(of, raw)
	}
	name := proofOf(of, raw)
	if keys, ok := p.known.Get(name); ok {
		return keys, nil
	}
	keys, err := device.ParseKeys(of, raw)
	if err == nil {
		p.known.Add(name, keys)
	}
	return keys, err
}

// checkPayload reads a plaintext and makes the checks of the Matrix specification
// (client-server, "m.olm.v1.curve25519-aes-sha2"), without which whoever gets hold
// of an event could pass it on as theirs. It fails with a [PayloadError], and then
// nothing that the plaintext says counts.
//
// Members are found by their exact names; of two of one name the last counts, and
// others are not looked at.
func checkPayload(plaintext []byte, e expected) (payload, error) {
	fields, _ := jsonobject.Members(plaintext)
	return checkMembers(fields, e)
}

// checkMembers is checkPayload for the members of a plaintext, nil where it is no
// object.
func checkMembers(fields map[string]json.RawMessage, e expected) (payload, error) {
	if fields == nil {
		return payload{}, &PayloadError{"payload", errType}
	}
	top := object{"payload", fields}
	err := top.between(e)
	if err != nil {
		return payload{}, err
	}
	var p payload
	if p.ed25519, err = top.key("keys"); err != nil {
		return payload{}, err
	}
	if e.known != nil && *e.known != p.ed25519 {
		return payload{}, &PayloadError{Field: "keys.ed25519"}
	}
	if p.device, err = top.senderDevice(p.ed25519, e); err != nil {
		return payload{}, err
	}
	if p.kind, err = top.text("type"); err != nil {
		return payload{}, err
	}
	if _, err = members("content", top.fields["content"]); err != nil {
		return payload{}, err
	}
	p.content = top.fields["content"]
	return p, nil
}

// between checks who says that they sent it, and to whom.
func (o object) between(e expected) error {
	if err := o.is("sender", string(e.sender)); err != nil {
		return err
	}
	if err := o.is("recipient", string(e.own)); err != nil {
		return err
	}
	ours, err := o.key("recipient_keys")
	if err == nil && ours != e.ownKey {
		err = &PayloadError{Field: "recipient_keys.ed25519"}
	}
	return err
}

// senderDevice checks sender_device_keys, which need not be there.
func (o object) senderDevice(ed25519 account.VerifyKey, e expected) (*device.Keys, error) {
	const field = "sender_device_keys"
	raw := o.fields[field]
	if len(raw) == 0 || string(raw) == "null" {
		return nil, nil
	}
	keys, err := members(field, raw)
	if err != nil {
		return nil, err
	}
	id, err := keys.text("device_id")
	if err != nil {
		return nil, err
	}
	proved, err := e.proofs.keys(device.Name{User: e.sender, Device: matrix.DeviceID(id)}, raw)
	switch {
	case err != nil:
		return nil, &PayloadError{field, err}
	case proved.Curve25519 != e.senderKey:
		return nil, &PayloadError{Field: field + ".keys.curve25519"}
	case proved.Ed25519 != ed25519:
		return nil, &PayloadError{Field: field + ".keys.ed25519"}
	}
	return &proved, nil
}

// object is a JSON object whose members are found by their exact names: package
// json takes others for them.
type object struct {
	name   string
	fields map[string]json.RawMessage
}

// members are those of an object that is part of a payload.
func members(name string, raw []byte) (object, error) {
	fields, ok := jsonobject.Split(raw)
	if !ok {
		return object{}, &PayloadError{name, errType}
	}
	return object{name, fields}, nil
}

func (o object) text(name string) (string, error) {
	s, _ := jsonobject.Text(o.fields[name])
	if s == "" {
		return "", &PayloadError{o.path(name), errType}
	}
	return s, nil
}

// path is what a field is called in errors.
func (o object) path(name string) string {
	if o.name == "payload" {
		return name
	}
	return o.name + "." + name
}

// is fails unless a member is this text.
func (o object) is(name, want string) error {
	s, err := o.text(name)
	if err == nil && s != want {
		err = &PayloadError{Field: o.path(name)}
	}
	return err
}

// key is the Ed25519 key in a member.
func (o object) key(name string) (key account.VerifyKey, err error) {
	keys, err := members(o.path(name), o.fields[name])
	if err != nil {
		return key, err
	}
	text, err := keys.text("ed25519")
	if err != nil {
		return key, err
	}
	if key, err = account.ParseVerifyKey(text); err != nil {
		return key, &PayloadError{keys.path("ed25519"), err}
	}
	return key, nil
}
