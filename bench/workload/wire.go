package workload

import (
	"time"

	"github.com/pawlkv/pawl/ratchet"
)

// What the measuring program and Bob's processes say to each other, by gob.

// operation is what a process is asked for. The first is opOpen; after opExit
// there is none.
type operation int

const (
	opOpen operation = iota + 1 // Open
	opLoad                      // Calls: what opGo does
	opGo                        // does all that was loaded, or the One; answers Made, Failed, Sample
	opRead                      // answers Reading
	opExit
)

type request struct {
	Op      operation
	Open    opening
	Calls   []call
	Workers int // that do what a call with several targets asks for
	One     int // the number of a call, from 1; 0: all
}

// opening says what a process opens.
type opening struct {
	Engine  string
	Dir     string // of the store
	Entries string // the file that a store in memory begins with
	Design  string // none: the process only owns the engine, for others
	Process string
	Meter   bool // it answers for what the whole system process uses
	Size    int  // of plaintexts
	// Acknowledge is after how many messages these are acknowledged, or 0.
	Acknowledge int
}

// call is what is measured as one: messages that are decrypted in one commit,
// or targets that something is encrypted for.
type call struct {
	Letters []letter
	Targets []target
}

// letter is a message for Bob. Its plaintext has the number.
type letter struct {
	Number uint64
	From   ratchet.PublicKey
	Type   ratchet.MessageType
	Body   []byte
}

// target is a peer that Bob writes to, in a new session if there is a key.
type target struct {
	Number     uint64
	Peer       ratchet.PublicKey
	OneTimeKey []byte
}

type answer struct {
	Error    string // the request failed; nothing more is answered
	TooLarge bool   // and it was kv.ErrTooLarge
	Made     []made
	Failed   []failure
	Sample   sample
	Reading  reading
}

// made is a message that Bob wrote.
type made struct {
	Number  uint64
	Peer    ratchet.PublicKey
	Session ratchet.SessionID
	Type    ratchet.MessageType
	Body    []byte
}

// failure is a message that could not be read, or written.
type failure struct {
	Number uint64
	Peer   ratchet.PublicKey
	Error  string
}

// sample is what doing the calls took.
type sample struct {
	Started, Ended time.Time
	Latencies      []time.Duration // of the calls
}
