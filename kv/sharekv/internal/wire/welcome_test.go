package wire

import (
	"errors"
	"net"
	"testing"
)

// TestWelcomeInAnotherVersion: a client goes on in a version that it speaks, and in
// no other, whatever the server thinks that it has said.
func TestWelcomeInAnotherVersion(t *testing.T) {
	for _, version := range []uint64{0, Spoken.Oldest - 1, Spoken.Newest + 1, 1 << 40} {
		ours, theirs := net.Pipe()
		go func() {
			hello := make([]byte, 1<<10)
			frame, err := (&Welcome{Version: version, Store: ID{1}, Term: 1}).frame()
			if _, unread := theirs.Read(hello); errors.Join(err, unread) == nil {
				_, _ = theirs.Write(frame)
			}
		}()
		if _, err := Connect(t.Context(), ours, Settings{}); !errors.Is(err, ErrVersion) {
			t.Errorf("welcomed with version %d: %v, want %v", version, err, ErrVersion)
		}
		theirs.Close()
	}
}
