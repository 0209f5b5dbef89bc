package peer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/pawlkv/pawl/bench/result"
)

// Protocol is the version of what programs speak. Others are refused.
const Protocol = 1

// Catalog is what a program prints when asked to list.
type Catalog struct {
	Protocol int              `json:"protocol"`
	Versions []result.Version `json:"versions"` // of the system and what it is built on
	Entries  []Entry          `json:"entries"`
}

// Entry is something that a program can measure.
type Entry struct {
	ID       string `json:"id"`       // unique in the program: "decrypt-full-1"
	Messages int    `json:"messages"` // of one repetition that is long enough to tell
	// Row is filled in as far as it does not depend on a run. One that is
	// Missing says why the system has no such thing, and is not run.
	Row result.Row `json:"row"`
}

// Task is one repetition of an entry: what the arguments of a run say.
type Task struct {
	ID       string
	Dir      string // empty, for the program to fill, on the file system that counts
	Feed     string // path of the messages, see Feed
	Messages int
}

// Outcome is what a program prints when it has run.
type Outcome struct {
	Run      result.Run      `json:"run"`
	Calls    []time.Duration `json:"calls"` // how long each call took, in their order
	Cost     result.Cost     `json:"cost"`
	Resident int64           `json:"resident,omitempty"` // bytes
	Wrong    result.Wrong    `json:"wrong"`
	Notes    []string        `json:"notes,omitempty"`
}

// ErrProtocol: a program speaks something else.
var ErrProtocol = errors.New("peer: the program does not speak this protocol")

// decodeCatalog reads what list printed.
func decodeCatalog(b []byte) (Catalog, error) {
	var c Catalog
	if err := decode(b, &c); err != nil {
		return Catalog{}, err
	}
	if c.Protocol != Protocol {
		return Catalog{}, fmt.Errorf("%w: version %d, not %d", ErrProtocol, c.Protocol, Protocol)
	}
	seen := map[string]bool{}
	for _, e := range c.Entries {
		if e.ID == "" || seen[e.ID] {
			return Catalog{}, fmt.Errorf("%w: entry %q has no id of its own", ErrProtocol, e.ID)
		}
		if e.Row.Workload == "" || e.Row.System == "" || e.Messages < 1 && e.Row.Missing == "" {
			return Catalog{}, fmt.Errorf("%w: entry %q lacks workload, system or messages", ErrProtocol, e.ID)
		}
		seen[e.ID] = true
	}
	return c, nil
}

// decodeOutcome reads what a run printed.
func decodeOutcome(b []byte) (Outcome, error) {
	var o Outcome
	if err := decode(b, &o); err != nil {
		return Outcome{}, err
	}
	if o.Run.Messages < 1 || o.Run.Took <= 0 {
		return Outcome{}, fmt.Errorf("%w: a run of %d messages in %v", ErrProtocol, o.Run.Messages, o.Run.Took)
	}
	return o, nil
}

// decode is strict: a field that we do not know may be one that matters.
func decode(b []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return fmt.Errorf("%w: %w", ErrProtocol, err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: something follows the document", ErrProtocol)
	}
	return nil
}
