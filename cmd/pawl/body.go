package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/otk"
)

// uploadBody is what a body for /keys/upload names: which account, and which of
// its keys.
type uploadBody struct {
	user, device string
	upload       pawl.Upload // without a body
}

var errBody = errors.New("not a body of 'pawl keys': give the one that was sent on standard input")

// parseBody reads a body that 'pawl keys' has printed.
func parseBody(text []byte) (uploadBody, error) {
	var body struct {
		Device *struct {
			User   string `json:"user_id"`
			Device string `json:"device_id"`
		} `json:"device_keys"`
		OneTime  map[string]json.RawMessage `json:"one_time_keys"`
		Fallback map[string]json.RawMessage `json:"fallback_keys"`
	}
	if wrong := decodeJSON(text, &body); wrong != "" {
		return uploadBody{}, fmt.Errorf("%w: %s", errBody, wrong)
	}
	if body.Device == nil {
		return uploadBody{}, fmt.Errorf("%w: it has no device_keys", errBody)
	}
	b := uploadBody{user: body.Device.User, device: body.Device.Device}
	for name := range body.OneTime {
		id, err := parseKeyID(name)
		if err != nil {
			return b, err
		}
		b.upload.OneTimeKeys = append(b.upload.OneTimeKeys, id)
	}
	for name := range body.Fallback {
		id, err := parseKeyID(name)
		if err != nil {
			return b, err
		}
		if len(body.Fallback) > 1 {
			return b, fmt.Errorf("%w: it has several fallback keys", errBody)
		}
		b.upload.Fallback = id
	}
	return b, nil
}

func parseKeyID(name string) (otk.ID, error) {
	_, text, _ := strings.Cut(name, ":")
	id, err := otk.ParseID(text)
	if err != nil {
		return 0, fmt.Errorf("%w: it has a key %q", errBody, name)
	}
	return id, nil
}
