package account

import (
	"encoding/json"
	"fmt"
	"maps"

	"github.com/pawlkv/pawl/internal/canonicaljson"
	"github.com/pawlkv/pawl/matrix"
)

// Members of a signed object that its signatures do not cover.
const (
	signatures = "signatures"
	unsigned   = "unsigned"
)

// Sign returns the device's signature over message. What Matrix signs is
// canonical JSON; see [Account.SignJSON].
func (a Account) Sign(message []byte) Signature { return a.signing.Sign(message) }

// SignJSON returns the object in canonical form with this device's signature
// added to its signatures (Matrix specification, appendices, "Signing JSON").
// Members signatures and unsigned are kept and not signed. It fails with
// [ErrRetired] or an error of package canonicaljson.
func (a Account) SignJSON(raw []byte) ([]byte, error) {
	object, err := decodeObject(raw)
	if err != nil {
		return nil, err
	}
	if err := a.sign(object); err != nil {
		return nil, err
	}
	return canonicaljson.Encode(object)
}

// sign adds this device's signature to object.
func (a Account) sign(object map[string]any) error {
	if err := a.checkActive(); err != nil {
		return err
	}
	text, err := signedText(object)
	if err != nil {
		return err
	}
	all, err := signers(object, signatures)
	if err != nil {
		return err
	}
	own, err := signers(all, string(a.user))
	if err != nil {
		return err
	}
	own[a.keyID("ed25519")] = a.Sign(text).String()
	all[string(a.user)] = own
	object[signatures] = all
	return nil
}

// keyID returns the name of this device's key of an algorithm.
func (a Account) keyID(algorithm string) string { return algorithm + ":" + string(a.device) }

// VerifyJSON fails with [ErrUnsigned] when the object has no signature by the
// user's device, with [ErrSignature] when it has one that is not key's, or
// with an error of package canonicaljson for what is signed. Members signatures
// and unsigned are not, and may have what has no canonical form.
func VerifyJSON(raw []byte, user matrix.UserID, device matrix.DeviceID, key VerifyKey) error {
	rest, cut, err := canonicaljson.Cut(raw, signatures, unsigned)
	if err != nil {
		return err
	}
	covered, err := decodeObject(rest)
	if err != nil {
		return err
	}
	encoded, ok := signatureIn(cut[signatures], user, "ed25519:"+string(device))
	if !ok {
		return ErrUnsigned
	}
	signature, err := ParseSignature(encoded)
	if err != nil {
		return err
	}
	text, err := canonicaljson.Encode(covered)
	if err != nil {
		return err
	}
	return Verify(key, text, signature)
}

// signatureIn finds a signature among those of an object, whatever else is there.
func signatureIn(all json.RawMessage, user matrix.UserID, keyID string) (encoded string, ok bool) {
	var users, own map[string]json.RawMessage
	if json.Unmarshal(all, &users) != nil || json.Unmarshal(users[string(user)], &own) != nil {
		return "", false
	}
	var text *string
	if json.Unmarshal(own[keyID], &text) != nil || text == nil {
		return "", false
	}
	return *text, true
}

func decodeObject(raw []byte) (map[string]any, error) {
	v, err := canonicaljson.Decode(raw)
	if err != nil {
		return nil, err
	}
	object, ok := v.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("%w: want an object", canonicaljson.ErrType)
	}
	return object, nil
}

// signedText returns what a signature over object covers.
func signedText(object map[string]any) ([]byte, error) {
	covered := maps.Clone(object)
	delete(covered, signatures)
	delete(covered, unsigned)
	return canonicaljson.Encode(covered)
}

// signers returns a copy of an object within signatures, or a new one.
func signers(of map[string]any, name string) (map[string]any, error) {
	within, ok := of[name].(map[string]any)
	if !ok && of[name] != nil {
		return nil, fmt.Errorf("%w: want an object of signatures in %q", canonicaljson.ErrType, name)
	}
	if within == nil {
		return map[string]any{}, nil
	}
	return maps.Clone(within), nil
}
