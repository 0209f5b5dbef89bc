package wire

import (
	"fmt"
)

// Versions are those of the protocol that a side speaks: one, or two that
// follow each other, so that a new program can share a store with the one
// before it while both are in use.
type Versions struct{ Oldest, Newest uint64 }

// Spoken is what this program speaks.
var Spoken = Versions{Oldest: 1, Newest: versionFormats}

// versionAgain is the first version in which a commit says whether an earlier
// try of it had no known outcome, and in which kv.ErrRefused has a kind.
const versionAgain = 2

// versionFormats is the first version that programs speak which can read stores
// of kv.Format2, and in which a client can ask the server to raise its store.
const versionFormats = 3

// meet returns the newest version that both speak.
func (v Versions) meet(other Versions) (uint64, error) {
	newest := min(v.Newest, other.Newest)
	if newest < max(v.Oldest, other.Oldest) {
		return 0, fmt.Errorf("%w (protocol %d to %d here, %d to %d there)",
			ErrVersion, v.Oldest, v.Newest, other.Oldest, other.Newest)
	}
	return newest, nil
}

// magic begins every hello and welcome.
const magic = "pawl kv"

// ID names a store, or a client over all its connections.
type ID [16]byte

// Hello is what a client says first.
type Hello struct {
	Versions Versions
	Client   ID // the same for all connections of one client, and nobody else's
	PID      int
}

// Welcome is what a server answers.
type Welcome struct {
	Version uint64 // that both speak from now on
	Store   ID     // which store it is
	Term    uint64 // differs each time that a process begins to serve the store
	PID     int
}

func (h *Hello) frame() ([]byte, error) {
	o := newOut(5)
	o.string(magic)
	o.uint(h.Versions.Oldest)
	o.uint(h.Versions.Newest)
	o.bytes(h.Client[:])
	o.uint(uint64(h.PID))
	return o.frame()
}

// parseHello leaves alone what later versions may add.
func parseHello(payload []byte) (Hello, error) {
	i := newIn(payload, 5)
	i.magic()
	h := Hello{Versions: Versions{Oldest: i.uint(), Newest: i.uint()}}
	h.Client = i.id()
	h.PID = int(i.uint())
	return h, i.err
}

func (w *Welcome) frame() ([]byte, error) {
	o := newOut(6)
	o.string(magic)
	o.bool(true)
	o.uint(w.Version)
	o.bytes(w.Store[:])
	o.uint(w.Term)
	o.uint(uint64(w.PID))
	return o.frame()
}

// refusal is the answer to a client that is not welcome.
func refusal(err error) ([]byte, error) {
	o := newOut(6)
	o.string(magic)
	o.bool(false)
	o.error(err, 1) // before there is a version
	return o.frame()
}

func parseWelcome(payload []byte) (Welcome, error) {
	i := newIn(payload, 6)
	i.magic()
	if !i.bool() {
		if i.err != nil {
			return Welcome{}, i.err
		}
		return Welcome{}, fmt.Errorf("refused: %w", i.error())
	}
	w := Welcome{Version: i.uint(), Store: i.id(), Term: i.uint(), PID: int(i.uint())}
	return w, i.err
}

func (i *in) magic() {
	if got := i.string(); got != magic {
		i.fail(fmt.Errorf("it begins with %.20q", got))
	}
}

func (i *in) id() (id ID) {
	if b := i.bytes(); len(b) == len(id) {
		copy(id[:], b)
	} else {
		i.fail(fmt.Errorf("an ID of %d bytes", len(b)))
	}
	return id
}
