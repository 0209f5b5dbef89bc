// Package vodozemac reads what vodozemac 0.9 to 0.11 pickles: sealed as libolm's
// pickles are, under a key of 32 bytes, and in JSON inside, in which bytes are arrays
// of numbers.
//
// These pickles have no version. One that has a member which is not known here, or
// lacks one, is of another version than those.
package vodozemac

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"

	"github.com/pawlkv/pawl/internal/pickle"
)

// KeySize is how long a pickle key is.
const KeySize = 32

// open decodes what is in a pickle into v.
func open(key []byte, pickled string, v any) error {
	if len(key) != KeySize {
		return pickle.ErrKey
	}
	content, err := pickle.Open(key, pickled)
	if err != nil {
		return err
	}
	defer clear(content)
	if !bytes.HasPrefix(content, []byte("{")) {
		return pickle.Version("not in JSON, as vodozemac's are: is it libolm's?")
	}
	d := json.NewDecoder(bytes.NewReader(content))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return unreadable(err)
	}
	if _, err := d.Token(); err != io.EOF {
		return pickle.Damaged("more than one value")
	}
	return nil
}

// unreadable says what the decoder did not take, and not where: its texts may hold
// what is secret.
func unreadable(err error) error {
	switch {
	case errors.Is(err, pickle.ErrDamaged), errors.Is(err, pickle.ErrVersion):
		return err
	case strings.HasPrefix(err.Error(), "json: unknown field"):
		return pickle.Version("a member that vodozemac 0.9 to 0.11 do not write (%s)", strings.TrimPrefix(err.Error(), "json: unknown field "))
	}
	return pickle.Damaged("not JSON of vodozemac's form")
}

// fixed reads n numbers of a byte each into out.
func fixed(b []byte, out []byte) error {
	var numbers []uint16
	if json.Unmarshal(b, &numbers) != nil || len(numbers) != len(out) {
		return pickle.Damaged("want %d bytes as an array of numbers", len(out))
	}
	defer clear(numbers)
	for i, n := range numbers {
		if n > 255 {
			return pickle.Damaged("a byte above 255")
		}
		out[i] = byte(n)
	}
	return nil
}

// Bytes of a fixed size. All may be secret.
type (
	bytes32  [32]byte
	bytes64  [64]byte
	bytes128 [128]byte
)

// UnmarshalJSON implements json.Unmarshaler.
func (k *bytes32) UnmarshalJSON(b []byte) error { return fixed(b, k[:]) }

// UnmarshalJSON implements json.Unmarshaler.
func (k *bytes64) UnmarshalJSON(b []byte) error { return fixed(b, k[:]) }

// UnmarshalJSON implements json.Unmarshaler.
func (k *bytes128) UnmarshalJSON(b []byte) error { return fixed(b, k[:]) }

// missing is the ErrVersion of a pickle without a member that it must have.
func missing(what string) error {
	return pickle.Version("%s is missing, which vodozemac 0.9 to 0.11 write", what)
}

// config is of a session. Version 2 of it, an experiment, has other messages.
type config struct {
	Version string `json:"version"`
}

// check refuses what Matrix does not use. Where there is none it is version 1.
func (c *config) check() error {
	if c != nil && c.Version != "V1" {
		return pickle.Version("session of configuration %.20q, want V1", c.Version)
	}
	return nil
}
