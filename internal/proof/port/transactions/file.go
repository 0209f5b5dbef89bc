package transactions

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
)

// Kind is the kind of the files of these vectors.
const Kind = "pawl-transaction"

// File is a file of vectors, and its fields in their order; docs/port/transactions.md
// says what each means.
type File struct {
	Format      int               `json:"format"`
	Kind        string            `json:"kind"`
	Description string            `json:"description"`
	Origin      map[string]string `json:"origin"`
	Expect      []string          `json:"expect"`
	Setups      map[string]Setup  `json:"setups"`
	Vectors     []Vector          `json:"vectors"`
}

// Setup is a store and the account in it that is called.
type Setup struct {
	User    string   `json:"user"`
	Device  string   `json:"device"`
	Entries Contents `json:"entries"`
}

// Contents are entries by their paths, unsealed; nil: absent, or deleted.
type Contents map[string]*Bytes

// Vector is one call and what it must do.
type Vector struct {
	Name   string   `json:"name"`
	As     string   `json:"as,omitempty"` // what is left out stands in this one
	Setup  string   `json:"setup,omitempty"`
	With   Contents `json:"with,omitempty"`
	Time   int64    `json:"time,omitempty"` // milliseconds
	Before []Call   `json:"before,omitempty"`
	Call
	Attempts []Attempt       `json:"attempts"`
	Expect   string          `json:"expect"`
	Result   json.RawMessage `json:"result,omitempty"`
}

// Call is a call by its name, as docs/calls.txt has it.
type Call struct {
	Call   string          `json:"call,omitempty"`
	Params json.RawMessage `json:"params,omitempty"`
	Body   string          `json:"body,omitempty"`
	Items  int             `json:"items,omitempty"` // of a stream, how many are taken
	Random Bytes           `json:"random,omitempty"`
}

// Attempt is what is read, and the commit that ends it, if one does.
type Attempt struct {
	AsBefore  bool     `json:"as_before,omitempty"` // as the attempt before it
	Same      bool     `json:"same,omitempty"`      // as that of the same place in Vector.As
	Another   bool     `json:"another,omitempty"`   // Meanwhile are the writes of that
	Reads     []string `json:"reads,omitempty"`
	Checks    []string `json:"checks,omitempty"`
	Writes    Contents `json:"writes,omitempty"`
	Unsynced  bool     `json:"unsynced,omitempty"`
	Meanwhile Contents `json:"-"` // what another commits
	Answers   []string `json:"answers,omitempty"`
}

// The answers of a store to a commit.
const (
	Applied        = "applied"
	Conflict       = "conflict"
	UnknownApplied = "unknown_applied"
	UnknownLost    = "unknown_lost"
)

// Done is the outcome of a call without an error; others are codes.
const Done = "done"

// Bytes are unpadded base64 in JSON.
type Bytes []byte

// MarshalJSON implements json.Marshaler.
func (b Bytes) MarshalJSON() ([]byte, error) {
	return json.Marshal(base64.RawStdEncoding.EncodeToString(b))
}

// UnmarshalJSON implements json.Unmarshaler.
func (b *Bytes) UnmarshalJSON(text []byte) error {
	var s string
	if err := json.Unmarshal(text, &s); err != nil {
		return err
	}
	var err error
	if *b, err = base64.RawStdEncoding.Strict().DecodeString(s); err != nil {
		return fmt.Errorf("bytes in unpadded base64: %w", err)
	}
	return nil
}
