//go:build unix

package processes

import (
	"time"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/session"
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

// op is what a process is asked for.
type op int

const (
	opOpen  op = iota + 1
	opWatch    // the next commit, for a moment
	opIdentity
	opDecrypt // a batch of one is Decrypt
	opBatch
	opEncrypt
	opEncryptNew
	opUpload
	opPublished
	opAbandon
	opAcknowledge
	opSweep
	opCheck
	opInspect
	opRecover
)

// request asks for one call. Fields that the call does not have are zero.
type request struct {
	Number   uint64 // not 0
	Op       op
	Leisure  bool // without the deadline of the Setup
	Setup    Setup
	Moment   Moment
	Peer     ratchet.PublicKey
	Key      ratchet.PublicKey
	Text     []byte
	Messages []pawl.Incoming
	Count    int
	Upload   pawl.Upload
	Receipts []session.ReceiptID
	Now      time.Time
}

// answer is what came of the request with its number, or that a moment has come.
type answer struct {
	Number    uint64 // 0: Moment has come
	Moment    Moment
	Owner     bool // the process owns the store
	Fault     *fault
	Identity  pawl.Identity
	Decrypted []decrypted
	Encrypted pawl.Encrypted
	Upload    pawl.Upload
	Swept     pawl.Swept
	Broken    []string
	Found     pawl.Inspection
}

// decrypted is a pawl.Result: its own type refuses to be written.
type decrypted struct {
	Plaintext []byte
	Duplicate bool
	Session   ratchet.SessionID
	Receipt   session.ReceiptID
	Fault     *fault
}

func sent(r pawl.Result) decrypted {
	return decrypted{r.Plaintext, r.Duplicate, r.Session, r.Receipt, faultOf(r.Err)}
}

func (d decrypted) result() pawl.Result {
	return pawl.Result{
		Decrypted: pawl.Decrypted{Plaintext: d.Plaintext, Duplicate: d.Duplicate, Session: d.Session, Receipt: d.Receipt},
		Err:       d.Fault.err(),
	}
}
