package interop

// Verdict is what becomes of a message at a session.
type Verdict int

// The verdicts, in Pawl's terms.
const (
	Accepted     Verdict = iota
	Malformed            // no message, or a field missing or of a wrong size
	WrongVersion         // not protocol version 3
	WrongMAC             // tampered with, or made from another state
	KeyGone              // the message key was used or dropped
	Gap                  // more than 2000 messages ahead
	UnknownChain         // a new ratchet key although we have sent nothing since the last one
	ZeroSecret           // a key with which the shared secret is zero
	BadSignature         // of Megolm: not by the owner of the session
	TooEarly             // of Megolm: before the first index of the key
)

var verdictNames = map[Verdict]string{
	Accepted: "accepted", Malformed: "malformed", WrongVersion: "version", WrongMAC: "mac",
	KeyGone: "key-gone", Gap: "gap", UnknownChain: "unknown-chain", ZeroSecret: "zero-secret",
	BadSignature: "signature", TooEarly: "too-early",
}

// String is the name that the vector files use.
func (v Verdict) String() string { return verdictNames[v] }
