package main

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/pawlkv/pawl/internal/cli"
	"github.com/pawlkv/pawl/ratchet"
)

// unpadded is how Matrix writes bytes, strictly.
var unpadded = base64.RawStdEncoding.Strict()

var errBase64 = errors.New("not unpadded base64")

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

// decodeBase64 accepts the one encoding of some bytes and names what is wrong
// with any other. The library's decoder would pass over line breaks.
func decodeBase64(what, s string) ([]byte, error) {
	for i := range len(s) {
		switch {
		case s[i] == '=':
			return nil, fmt.Errorf("%s is %w: padding at character %d, leave the '=' away", what, errBase64, i+1)
		case strings.IndexByte(alphabet, s[i]) < 0:
			return nil, fmt.Errorf("%s is %w: byte %q at character %d", what, errBase64, s[i:i+1], i+1)
		}
	}
	b, err := unpadded.DecodeString(s)
	switch {
	case len(s)%4 == 1:
		return nil, fmt.Errorf("%s is %w: it is cut off after %d characters", what, errBase64, len(s))
	case err != nil:
		return nil, fmt.Errorf("%s is %w: stray bits in the last character", what, errBase64)
	}
	return b, nil
}

// parseKey reads a Curve25519 key and names what is wrong with it.
func parseKey(what, s string) (ratchet.PublicKey, error) {
	b, err := decodeBase64(what, s)
	if err != nil {
		return ratchet.PublicKey{}, err
	}
	if len(b) != len(ratchet.PublicKey{}) {
		return ratchet.PublicKey{}, fmt.Errorf("%s has %d bytes, want a Curve25519 key of 32 (43 characters)", what, len(b))
	}
	return ratchet.PublicKey(b), nil
}

// keyFlag reads the key in a flag.
func keyFlag(name, s string) (ratchet.PublicKey, error) {
	key, err := parseKey("--"+name, s)
	if err != nil {
		return key, &cli.UsageError{Err: err}
	}
	return key, nil
}
