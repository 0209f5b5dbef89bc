//go:build libolm

package main

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"

	"github.com/pawlkv/pawl/internal/proof/interop"
)

// format is the version of the files' shape.
const format = 1

// File is one vector file. The README beside the files specifies every field.
type File struct {
	Format      int              `json:"format"`
	Kind        string           `json:"kind"`
	Description string           `json:"description"`
	Origin      Origin           `json:"origin"`
	Expect      []string         `json:"expect"`
	Setups      map[string]Setup `json:"setups,omitempty"`
	Vectors     any              `json:"vectors"`
}

// Origin says how the file came to be.
type Origin struct {
	Library string `json:"library"`
	Command string `json:"command"`
	Date    string `json:"date"`
}

// Hex is bytes in lower-case hexadecimal.
type Hex []byte

// MarshalJSON implements [json.Marshaler].
func (h Hex) MarshalJSON() ([]byte, error) { return json.Marshal(hex.EncodeToString(h)) }

// bodyEncoding is base64 as it travels.
var bodyEncoding = base64.RawStdEncoding

// Body is a message in unpadded base64, as it travels.
type Body []byte

// MarshalJSON implements [json.Marshaler].
func (b Body) MarshalJSON() ([]byte, error) {
	return json.Marshal(bodyEncoding.EncodeToString(b))
}

// Key is a key pair.
type Key struct {
	Private Hex `json:"private"`
	Public  Hex `json:"public"`
}

func keyOf(private, public [32]byte) Key { return Key{Private: private[:], Public: public[:]} }

// Step is one thing that happens to one of the two sessions.
type Step struct {
	Do        string `json:"do"` // open, encrypt, skip, decrypt
	By        string `json:"by"` // alice, bob
	Random    *Hex   `json:"random,omitempty"`
	Plaintext *Hex   `json:"plaintext,omitempty"`
	Count     int    `json:"count,omitempty"`
	Message   *int   `json:"message,omitempty"`
	Type      *int   `json:"type,omitempty"`
	Body      Body   `json:"body,omitempty"`
	Expect    string `json:"expect,omitempty"`
	Libolm    string `json:"libolm,omitempty"`
	Comment   string `json:"comment,omitempty"`
}

// History is two devices and what passes between them.
type History struct {
	Name       string `json:"name"`
	Comment    string `json:"comment,omitempty"`
	Alice      Device `json:"alice"`
	Bob        Device `json:"bob"`
	OpenRandom Hex    `json:"open_random"`
	SessionID  string `json:"session_id"`
	Steps      []Step `json:"steps"`
}

// Device is the private part of one side.
type Device struct {
	Identity Key  `json:"identity"`
	OneTime  *Key `json:"one_time,omitempty"`
}

// Setup is a session of Bob's to try messages on.
type Setup struct {
	Comment string `json:"comment"`
	Bob     Device `json:"bob"`
	Steps   []Step `json:"steps"`
}

// Wire is one message shown to Bob.
type Wire struct {
	Name      string  `json:"name"`
	Comment   string  `json:"comment,omitempty"`
	Setup     string  `json:"setup"`
	Type      int     `json:"type"`
	Body      Body    `json:"body"`
	Expect    string  `json:"expect"`
	Plaintext *Hex    `json:"plaintext,omitempty"`
	Fields    *Fields `json:"fields,omitempty"`
	Libolm    string  `json:"libolm"`
}

// Handshake is a triple Diffie-Hellman with everything that enters and leaves it.
type Handshake struct {
	Name          string `json:"name"`
	AliceIdentity Key    `json:"alice_identity"`
	AliceBase     Key    `json:"alice_base"`
	AliceRatchet  Key    `json:"alice_ratchet"`
	BobIdentity   Key    `json:"bob_identity"`
	BobOneTime    Key    `json:"bob_one_time"`
	Secret        Hex    `json:"secret"`
	RootKey       Hex    `json:"root_key"`
	ChainKey      Hex    `json:"chain_key"`
	SessionID     string `json:"session_id"`
	Plaintext     Hex    `json:"plaintext"`
	Body          Body   `json:"body"`
}

// verdictNames is the closed set that a file's expect fields are from.
func verdictNames(verdicts ...interop.Verdict) []string {
	names := make([]string, len(verdicts))
	for i, v := range verdicts {
		names[i] = v.String()
	}
	return names
}

func ptr[T any](v T) *T { return &v }
