package interop

import (
	"github.com/pawlkv/pawl/internal/proof/interop/pickle"
)

// Megolm is one way of doing Megolm. Messages and keys are bytes, not base64.
type Megolm interface {
	// Name is "pawl", "goolm" or "libolm".
	Name() string
	// Sender makes a session to send in of a state.
	Sender(pickle.OutboundGroup) (GroupSender, error)
	// FromShared and FromExported make what reads a session of the two formats.
	FromShared([]byte) (GroupReader, error)
	FromExported([]byte) (GroupReader, error)
	// MegolmError is the error, for errors.Is, with which this implementation
	// expresses v.
	MegolmError(v Verdict) error
}

// GroupSender sends in a session, for one goroutine.
type GroupSender interface {
	// Encrypt makes the next message. libolm and goolm refuse an empty plaintext.
	Encrypt(plaintext []byte) ([]byte, error)
	// Share is the key from the next message on, in the sharing format.
	Share() ([]byte, error)
}

// GroupReader reads a session, for one goroutine.
type GroupReader interface {
	// Decrypt returns the plaintext and the index.
	Decrypt(body []byte) ([]byte, uint32, error)
	// Export is the key from an index on, in the export format.
	Export(index uint32) ([]byte, error)
}

// AllMegolm returns every implementation in this build, Pawl first.
func AllMegolm() []Megolm {
	all := []Megolm{Pawl{}}
	for _, impl := range Others() {
		all = append(all, impl.(Megolm))
	}
	return all
}
