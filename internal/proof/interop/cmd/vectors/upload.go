//go:build libolm

package main

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"

	"maunium.net/go/mautrix/crypto/canonicaljson"
)

// Upload is a device and the objects it uploads.
type Upload struct {
	Name       string      `json:"name"`
	User       string      `json:"user"`
	Device     string      `json:"device"`
	Identity   Key         `json:"identity"`
	Expanded   Hex         `json:"expanded"`
	Signing    Hex         `json:"signing_public"`
	DeviceKeys string      `json:"device_keys"`
	OneTime    []UploadKey `json:"one_time_keys"`
	Fallback   UploadKey   `json:"fallback_key"`
	Body       string      `json:"body"` // with all of them
	Signed     Signed      `json:"signed"`
}

// Signed is an object before and after this device has signed it: what is
// unsigned, and others' signatures, stay and are not covered.
type Signed struct {
	Input  string `json:"input"`
	Output string `json:"output"`
}

// UploadKey is a one-time or fallback key and its signed object.
type UploadKey struct {
	ID     uint32 `json:"id"`
	Name   string `json:"key_id"`
	Key    Key    `json:"key"`
	Object string `json:"object"`
}

func makeUploads() (File, error) {
	var vectors []Upload
	for i, name := range []struct{ user, device string }{
		{"@alice:example.org", "PHONE"}, {"@bob:example.org:8448", "QBUAZIFURK"}, {"@carol.d=/+_-:[2001:db8::1]", "\"\\é<&>"},
	} {
		v, err := makeUpload(name.user, name.device)
		if err != nil {
			return File{}, err
		}
		v.Name = fmt.Sprintf("device %d", i)
		vectors = append(vectors, v)
	}
	return File{
		Kind:        "matrix-upload",
		Description: "The signed objects of a /keys/upload body, in canonical form. Signatures are libolm's.",
		Expect:      []string{expectValid},
		Vectors:     vectors,
	}, nil
}

func makeUpload(user, deviceID string) (Upload, error) {
	d, err := newDevice(4)
	if err != nil {
		return Upload{}, err
	}
	v := Upload{
		User: user, Device: deviceID, Expanded: d.state.SigningPrivate[:], Signing: d.state.SigningPublic[:],
		Identity: keyOf(d.state.IdentityPrivate, d.state.IdentityPublic),
	}
	signing, identity, err := d.IdentityKeys()
	if err != nil {
		return v, err
	}
	v.DeviceKeys, err = d.signJSON(user, deviceID, map[string]any{
		"user_id": user, "device_id": deviceID,
		"algorithms": []string{"m.olm.v1.curve25519-aes-sha2", "m.megolm.v1.aes-sha2"},
		"keys":       map[string]any{"curve25519:" + deviceID: string(identity), "ed25519:" + deviceID: string(signing)},
	})
	if err != nil {
		return v, err
	}
	for i, k := range d.state.OneTimeKeys {
		object := map[string]any{"key": base64.RawStdEncoding.EncodeToString(k.Public[:])}
		isFallback := i == 0
		if isFallback {
			object["fallback"] = true
		}
		u := UploadKey{
			ID: k.ID, Key: keyOf(k.Private, k.Public),
			Name: "signed_curve25519:" + base64.RawStdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, k.ID)),
		}
		if u.Object, err = d.signJSON(user, deviceID, object); err != nil {
			return v, err
		}
		if isFallback {
			v.Fallback = u
		} else {
			v.OneTime = append(v.OneTime, u)
		}
	}
	if v.Body, err = v.body(); err != nil {
		return v, err
	}
	v.Signed, err = d.signed(user, deviceID)
	return v, err
}

func (d device) signed(user, deviceID string) (Signed, error) {
	covered := map[string]any{"z": 1, "a": map[string]any{"é": nil, "b": []any{true, "x"}}}
	text, err := canonicaljson.Marshal(covered)
	if err != nil {
		return Signed{}, err
	}
	s, err := d.sign(text)
	if err != nil {
		return Signed{}, err
	}
	covered["unsigned"] = map[string]any{"age": 5}
	own := map[string]any{"ed25519:OTHER": "c2lnbmF0dXJl"}
	covered["signatures"] = map[string]any{user: own, "@zoe:example.org": map[string]any{"ed25519:X": "c2ln"}}
	input, err := canonicaljson.Marshal(covered)
	if err != nil {
		return Signed{}, err
	}
	own["ed25519:"+deviceID] = s
	output, err := canonicaljson.Marshal(covered)
	return Signed{Input: string(input), Output: string(output)}, err
}

func (v Upload) body() (string, error) {
	oneTime := map[string]json.RawMessage{}
	for _, k := range v.OneTime {
		oneTime[k.Name] = json.RawMessage(k.Object)
	}
	b, err := canonicaljson.Marshal(map[string]any{
		"device_keys":   json.RawMessage(v.DeviceKeys),
		"one_time_keys": oneTime,
		"fallback_keys": map[string]json.RawMessage{v.Fallback.Name: json.RawMessage(v.Fallback.Object)},
	})
	return string(b), err
}

var errSignature = errors.New("libolm's signature does not verify with the standard library")

// signJSON lets libolm sign what mautrix writes as canonical JSON.
func (d device) signJSON(user, deviceID string, object map[string]any) (string, error) {
	text, err := canonicaljson.Marshal(object)
	if err != nil {
		return "", err
	}
	s, err := d.sign(text)
	if err != nil {
		return "", err
	}
	raw, err := base64.RawStdEncoding.DecodeString(s)
	if err != nil {
		return "", err
	}
	if !ed25519.Verify(d.state.SigningPublic[:], text, raw) {
		return "", errSignature
	}
	object["signatures"] = map[string]any{user: map[string]any{"ed25519:" + deviceID: s}}
	out, err := canonicaljson.Marshal(object)
	return string(out), err
}
