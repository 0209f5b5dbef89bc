package demo

import (
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/ratchet"
)

// Requests to a process. The first is open; after exit there is none.
const (
	opOpen     = "open"     // Engine, Dir, Design, Process
	opRegister = "register" // makes Bob's account; answers Key, its identity
	opKey      = "key"      // uploads a one-time key; answers Key
	opEncrypt  = "encrypt"  // Peer, Body; answers Type, Body, Session
	opDecrypt  = "decrypt"  // Peer, Type, Body; answers Body
	opCheck    = "check"    // answers Broken
	opExit     = "exit"
)

// request is a line to a process.
type request struct {
	Op      string              `json:"op"`
	Engine  string              `json:"engine,omitempty"`
	Dir     string              `json:"dir,omitempty"`
	Design  string              `json:"design,omitempty"`
	Process string              `json:"process,omitempty"`
	Peer    string              `json:"peer,omitempty"`
	Type    ratchet.MessageType `json:"type,omitempty"`
	Body    []byte              `json:"body,omitempty"`
}

// answer is a line from a process.
type answer struct {
	Error   string              `json:"error,omitempty"` // the request failed
	Again   bool                `json:"again,omitempty"` // and may simply be made again
	Fatal   bool                `json:"fatal,omitempty"` // and not for what the design did
	Key     string              `json:"key,omitempty"`
	Type    ratchet.MessageType `json:"type,omitempty"`
	Body    []byte              `json:"body,omitempty"`
	Session []byte              `json:"session,omitempty"`
	Broken  []string            `json:"broken,omitempty"`
	Micros  int64               `json:"micros,omitempty"`
	Retries int                 `json:"retries,omitempty"`
	Read    []look              `json:"read,omitempty"`  // the session records
	Wrote   []look              `json:"wrote,omitempty"` // that this step saw and stored
}

// look is a session record at a version.
type look struct {
	Key     string     `json:"key"`
	Version kv.Version `json:"version"`
}
