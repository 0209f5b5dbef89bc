//go:build unix

package processes

import (
	"errors"
	"time"

	"github.com/pawlkv/pawl/internal/proof/remote"
	"github.com/pawlkv/pawl/kv"
)

// Engines that processes can share.
const (
	Badger = "badger"
	SQLite = "sqlite"
)

// Setup is how a process opens the store.
type Setup struct {
	Engine      string
	Dir         string        // the store's directory, or the one that its files are in
	URL         string        // where the store is, of an engine in Serve's openers
	Skew        time.Duration // how far the clock of the process is ahead
	Synchronous bool          // a space of PostgreSQL that is made is a synchronous one
	Create      bool          // make the device, which is not there
	Validated   bool          // use txn.Validated
	Stale       bool          // put the cache of bench/design that breaks before the engine
	// Patience is how long the engine waits for other processes, and a call for the
	// outcome of its commit; 0: their default.
	Patience time.Duration
	// Within is the deadline of each call of the device; 0: none.
	Within time.Duration
	// Tell makes the process say when the engine begins to open its files.
	Tell bool
	// User is what the process becomes before it opens the store; 0: the same.
	User int
	// FileSize bounds the size of the files that it writes; 0: nothing does.
	FileSize uint64
}

// Moment is one at which a process says where it is.
type Moment string

// The moments.
const (
	// Opening: the engine reads its files. Only with Setup.Tell, and Badger.
	Opening Moment = "opening"
	// Committing: a commit is about to be made, and is.
	Committing Moment = "committing"
	// Committed: a commit was made. The caller never hears of it: the process
	// stands still from then on.
	Committed Moment = "committed"
)

// request asks for one thing: to open the store, to watch for a moment, or for a call. It
// is a line of JSON, and so is an answer: a process may be a program in another language.
type request struct {
	Number  uint64       `json:"number"`            // not 0
	Leisure bool         `json:"leisure,omitempty"` // without the deadline of the Setup
	Open    *Setup       `json:"open,omitempty"`
	Watch   Moment       `json:"watch,omitempty"` // of the next commit
	Call    *remote.Call `json:"call,omitempty"`
}

// String says what is asked for, and not what is in it.
func (q request) String() string {
	switch {
	case q.Open != nil:
		return "open"
	case q.Call != nil:
		return q.Call.Name
	}
	return "watch"
}

// answer is what came of the request with its number, or that a moment has come.
type answer struct {
	remote.Answer
	Number uint64 `json:"number"` // 0: Moment has come
	Moment Moment `json:"moment,omitempty"`
	Owner  bool   `json:"owner,omitempty"` // the process owns the store
}

// refused reports whether the store could not be reached, or has not said what
// became of a commit.
func (a answer) refused() bool {
	return a.Failed != nil && (a.Failed.Is(kv.ErrUnavailable) || a.Failed.Is(kv.ErrUnknown))
}

// ErrGone: the process was killed before it answered. What it was asked for may
// have been done.
var ErrGone = errors.New("processes: killed before it answered")
