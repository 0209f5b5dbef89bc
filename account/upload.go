package account

import (
	"fmt"

	"github.com/pawlkv/pawl/internal/canonicaljson"
	"github.com/pawlkv/pawl/otk"
	"github.com/pawlkv/pawl/ratchet"
)

// Algorithms that a device with a Pawl account takes part in.
const (
	Olm    = "m.olm.v1.curve25519-aes-sha2"
	Megolm = "m.megolm.v1.aes-sha2"
)

// signedCurve25519 is the kind of all one-time and fallback keys.
const signedCurve25519 = "signed_curve25519"

// DeviceKeys returns the signed device_keys object in canonical form (Matrix
// specification, POST /_matrix/client/v3/keys/upload). It fails with
// [ErrRetired].
func (a Account) DeviceKeys() ([]byte, error) {
	object, err := a.deviceKeys()
	if err != nil {
		return nil, err
	}
	return canonicaljson.Encode(object)
}

func (a Account) deviceKeys() (map[string]any, error) {
	object := map[string]any{
		"user_id":    string(a.user),
		"device_id":  string(a.device),
		"algorithms": []any{Olm, Megolm},
		"keys": map[string]any{
			a.keyID("curve25519"): a.Identity().String(),
			a.keyID("ed25519"):    a.Fingerprint().String(),
		},
	}
	return object, a.sign(object)
}

// SignedKey returns a signed one-time or fallback key object in canonical
// form. A fallback key says so within what is signed. It fails with
// [ErrRetired].
func (a Account) SignedKey(key ratchet.PublicKey, fallback bool) ([]byte, error) {
	object, err := a.signedKey(key, fallback)
	if err != nil {
		return nil, err
	}
	return canonicaljson.Encode(object)
}

func (a Account) signedKey(key ratchet.PublicKey, fallback bool) (map[string]any, error) {
	object := map[string]any{"key": key.String()}
	if fallback {
		object["fallback"] = true
	}
	return object, a.sign(object)
}

// UploadBody returns a complete body of /keys/upload in canonical form: the
// device keys if asked for, the one-time keys, which must all be offered, and
// the fallback key unless it is none. Members with nothing in them are left
// out. It fails with [ErrNotOffered] or [ErrRetired].
func (a Account) UploadBody(deviceKeys bool, oneTime []otk.Entry, fallback otk.Fallback) ([]byte, error) {
	body := map[string]any{}
	var err error
	if deviceKeys {
		if body["device_keys"], err = a.deviceKeys(); err != nil {
			return nil, err
		}
	}
	if len(oneTime) > 0 {
		if body["one_time_keys"], err = a.oneTimeKeys(oneTime); err != nil {
			return nil, err
		}
	}
	if fallback.ID != 0 {
		key, err := a.signedKey(fallback.Public, true)
		if err != nil {
			return nil, err
		}
		body["fallback_keys"] = map[string]any{signedCurve25519 + ":" + fallback.ID.String(): key}
	}
	return canonicaljson.Encode(body)
}

func (a Account) oneTimeKeys(entries []otk.Entry) (map[string]any, error) {
	keys := make(map[string]any, len(entries))
	for _, e := range entries {
		if e.Stage != otk.Offered {
			return nil, fmt.Errorf("%w: key %v is %v", ErrNotOffered, e.ID, e.Stage)
		}
		key, err := a.signedKey(e.Public, false)
		if err != nil {
			return nil, err
		}
		keys[signedCurve25519+":"+e.ID.String()] = key
	}
	return keys, nil
}
