package session

import "fmt"

// Origin is how a session was opened.
type Origin uint8

const (
	// Outbound: by us, with a key of the peer.
	Outbound Origin = 1
	// WithOneTimeKey: by the peer, with a one-time key of ours. The key's own
	// tombstone keeps a replayed message from opening the session again.
	WithOneTimeKey Origin = 2
	// WithFallbackKey: by the peer, with a fallback key of ours. The session's
	// tombstone must stay for as long as that key has its private part.
	WithFallbackKey Origin = 3
)

// String returns the origin in lower case.
func (o Origin) String() string {
	switch o {
	case Outbound:
		return "outbound"
	case WithOneTimeKey:
		return "one-time key"
	case WithFallbackKey:
		return "fallback key"
	}
	return fmt.Sprintf("origin %d", uint8(o))
}
