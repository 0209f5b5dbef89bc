package workload

import (
	"time"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/ratchet"
)

// What the measuring program and Bob's processes say to each other, by gob.

// operation is what a process is asked for. The first is opOpen; after opExit
// there is none.
type operation int

const (
	opOpen     operation = iota + 1 // Open
	opLoad                          // Calls: what opGo does
	opGo                            // does all that was loaded, or the One; answers Made, Failed, Sample and what calls of a client do
	opRead                          // answers Reading
	opTicket                        // answers Since, of the request whose response is loaded next
	opRequests                      // answers Requests: what is to be sent to the server
	opAnswered                      // Answers: what the server said to them
	opExit
)

type request struct {
	Op      operation
	Open    opening
	Calls   []call
	Workers int // that do what a call with several targets asks for
	One     int // the number of a call, from 1; 0: all
	Answers []answered
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
// targets that something is encrypted for, or one of a client's.
type call struct {
	Letters []letter
	Targets []target
	Sync    []byte // the response to the request with the last ticket
	Share   *sharing
	Say     *said
	Hear    []heard
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

// sharing gives the key of the room to the devices of users.
type sharing struct {
	Members []matrix.UserID
	Rotate  bool // of another session than before
}

// said is a message of the room: its number, and what is sent of it.
type said struct {
	Number  uint64
	Content []byte
}

// heard is an event of the room that somebody else wrote.
type heard struct {
	Number  uint64
	Sender  matrix.UserID
	Peer    ratchet.PublicKey
	Content []byte
}

// answered is what the server said to a request.
type answered struct {
	Request pawl.RequestID
	Status  int
	Body    []byte
}

type answer struct {
	Error    string // the request failed; nothing more is answered
	TooLarge bool   // and it was kv.ErrTooLarge
	Took     time.Duration
	Made     []made
	Failed   []failure
	Sample   sample
	Reading  reading

	Since    string         // of a ticket
	Synced   synced         // of a call with Sync
	Shared   shared         // of a call with Share
	Said     []said         // of a call with Say
	Requests []pawl.Request // that are to be sent to the server, or were
	Troubles []string       // what was said of what follows from a call
}

// synced is what a process was told of a response.
type synced struct {
	Advanced bool
	Refused  map[int]string // why, by the places of events
}

// shared is how far sharing has come.
type shared struct {
	Session group.SessionID
	Done    bool
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
