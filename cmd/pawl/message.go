package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/internal/cli"
	"github.com/pawlkv/pawl/internal/unpadded"
	"github.com/pawlkv/pawl/ratchet"
)

var (
	errJSON      = errors.New("not a message in JSON")
	errSenderKey = errors.New("sender_key is not usable")
)

// messageJSON is a message as an event carries it: an element of its
// ciphertext.
type messageJSON struct {
	Type int    `json:"type"`
	Body string `json:"body"`
}

func messageOf(m ratchet.Message) messageJSON {
	return messageJSON{int(m.Type), unpadded.Encode(m.Body)}
}

// incomingJSON is a message and who sent it. Other members are passed over.
type incomingJSON struct {
	Sender *string `json:"sender_key"`
	Type   *int    `json:"type"`
	Body   *string `json:"body"`
}

// parseMessage reads {"type","body"}.
func parseMessage(text []byte) (ratchet.Message, error) {
	m, err := parseObject(text)
	if err != nil {
		return ratchet.Message{}, err
	}
	return m.message()
}

// parseIncoming reads {"sender_key","type","body"}.
func parseIncoming(text []byte) (pawl.Incoming, error) {
	m, err := parseObject(text)
	if err != nil {
		return pawl.Incoming{}, err
	}
	if m.Sender == nil {
		return pawl.Incoming{}, fmt.Errorf("%w: it has no \"sender_key\"", errJSON)
	}
	sender, err := parseKey("sender_key", *m.Sender)
	if err != nil {
		return pawl.Incoming{}, fmt.Errorf("%w: %w", errSenderKey, err)
	}
	message, err := m.message()
	return pawl.Incoming{Sender: sender, Message: message}, err
}

func (m incomingJSON) message() (ratchet.Message, error) {
	switch {
	case m.Type == nil:
		return ratchet.Message{}, fmt.Errorf("%w: it has no \"type\"", errJSON)
	case m.Body == nil:
		return ratchet.Message{}, fmt.Errorf("%w: it has no \"body\"", errJSON)
	}
	body, err := decodeBase64("body", *m.Body)
	return ratchet.Message{Type: ratchet.MessageType(*m.Type), Body: body}, err
}

func parseObject(text []byte) (m incomingJSON, err error) {
	if wrong := decodeJSON(text, &m); wrong != "" {
		return m, fmt.Errorf("%w: %s", errJSON, wrong)
	}
	return m, nil
}

// decodeJSON decodes one value and says what is wrong, if anything is.
func decodeJSON(text []byte, to any) (wrong string) {
	d := json.NewDecoder(bytes.NewReader(text))
	if err := d.Decode(to); err != nil {
		return describe(err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return "something follows the object"
	}
	return ""
}

// describe says in terms of JSON what the decoder says in terms of Go.
func describe(err error) string {
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &kind) && kind.Field != "":
		return fmt.Sprintf("%q must not be a %s", kind.Field, kind.Value)
	case errors.As(err, &kind):
		return "it is a " + kind.Value
	case errors.Is(err, io.EOF):
		return "it is empty"
	case errors.Is(err, io.ErrUnexpectedEOF):
		return "it is cut off"
	}
	return err.Error()
}

var errBase64 = errors.New("not base64")

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

// decodeBase64 reads base64, padded or not, and names what is wrong with anything
// else. The library's decoder would pass over line breaks.
func decodeBase64(what, s string) ([]byte, error) {
	s = unpadded.Trim(s)
	for i := range len(s) {
		if strings.IndexByte(alphabet, s[i]) < 0 {
			return nil, fmt.Errorf("%s is %w: byte %q at character %d", what, errBase64, s[i:i+1], i+1)
		}
	}
	b, ok := unpadded.Decode(s)
	if !ok {
		return nil, fmt.Errorf("%s is %w: it is cut off after %d characters", what, errBase64, len(s))
	}
	return b, nil
}

// keyLength is how many characters a key has without padding.
const keyLength = 43

// parseKey reads a Curve25519 key and names what is wrong with it.
func parseKey(what, s string) (ratchet.PublicKey, error) {
	if n := len(strings.TrimSuffix(s, "=")); n != keyLength {
		return ratchet.PublicKey{}, fmt.Errorf("%s has %s, want a Curve25519 key in base64, of %d characters", what, counted(n, "character"), keyLength)
	}
	b, err := decodeBase64(what, s)
	if err != nil {
		return ratchet.PublicKey{}, err
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
