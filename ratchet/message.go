package ratchet

// MessageType tells the two kinds of Olm messages apart; Matrix events carry
// it beside the body.
type MessageType int

// The types of messages, with the numbers they have in events.
const (
	// PreKey messages open a session. They are sent until the peer answers.
	PreKey MessageType = 0
	// Normal messages are all others.
	Normal MessageType = 1
)

// String returns "pre-key" or "normal".
func (t MessageType) String() string {
	switch t {
	case PreKey:
		return "pre-key"
	case Normal:
		return "normal"
	}
	return "unknown"
}

// Message is an encrypted message as it goes on the wire. Body is the bytes
// that an event carries in base64.
type Message struct {
	Type MessageType
	Body []byte
}
