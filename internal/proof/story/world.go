package story

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/bench/design"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/session"
	"github.com/pawlkv/pawl/txn"
)

// Design is what stands between one handle and the store that all share.
type Design func(kv.Store) kv.Store

// Stale is the design of a cache in each process that nothing invalidates.
func Stale(store kv.Store) kv.Store { return design.NewStale(store) }

// Setting is what a World is made of.
type Setting struct {
	Seed   uint64
	Store  kv.Store // shared by all handles; empty at first
	Policy txn.CachePolicy
	Design Design  // nil: none
	Peer   NewPeer // nil: PawlPeer
	Start  Start   // nil: in this process, on Store with Policy and Design
	// Excuse says which errors tell nothing of a message, beside
	// kv.ErrUnavailable; nil: none.
	Excuse func(error) bool

	view    func(kv.Store) kv.Store // the scheduler's hooks, below the design
	options []txn.Option
}

// World is a device, its handles and its far side. Methods of a World may be
// called from any number of goroutines, those that involve the far side from
// one at a time.
type World struct {
	*Ledger
	Setting
	Bob    Peer
	Device ratchet.PublicKey // the device's identity

	clock   atomic.Int64  // milliseconds since the beginning
	started atomic.Uint64 // processes so far
	talk    sync.Mutex    // held while the far side is at work
	texts   int
	flowing []*Reply // on their way to the far side
}

// Reply is a ciphertext that a handle released, and what is in it.
type Reply struct {
	By        string
	Message   ratchet.Message
	Plaintext []byte
}

const (
	user       = "@alice:example.org"
	deviceName = "PHONE"
)

// NewWorld makes the device, through a handle that is gone afterwards, and
// uploads keys for it.
func NewWorld(ctx context.Context, s Setting, keys int) (*World, error) {
	if s.Design == nil {
		s.Design = func(store kv.Store) kv.Store { return store }
	}
	if s.Peer == nil {
		s.Peer = PawlPeer
	}
	w := &World{Ledger: newLedger(s.Excuse), Setting: s}
	if s.Start == nil {
		w.Start = w.startHere
	}
	var err error
	if w.Bob, err = s.Peer(s.Seed); err != nil {
		return nil, err
	}
	first, err := w.Start(ctx, "first", true)
	if err != nil {
		return nil, err
	}
	who, err := first.Identity(ctx)
	if err != nil {
		return nil, err
	}
	w.Device = who.Curve25519
	h := &Handle{Name: "first", Machine: first, world: w}
	h.Publish(ctx, keys)
	return w, nil
}

func (w *World) startHere(ctx context.Context, _ string, create bool) (Device, error) {
	store, err := w.openStore(ctx)
	if err != nil {
		return nil, err
	}
	open := store.Machine
	if create {
		open = store.Create
	}
	m, err := open(ctx, user, deviceName)
	return Local(m), err
}

func (w *World) openStore(ctx context.Context) (*pawl.Store, error) {
	store := w.Store
	if w.view != nil {
		store = w.view(store)
	}
	n := w.started.Add(1)
	skew := time.Duration(n%5) * time.Second // clocks of processes need not agree
	return pawl.Open(ctx, w.Design(store), pawl.WithKey([32]byte{2}), pawl.WithCache(w.Policy),
		pawl.WithRand(newRand(w.Seed, n)), pawl.WithTransactions(w.options...),
		pawl.WithClock(func() time.Time { return w.now().Add(-skew) }))
}

// now is a clock that moves a little each time someone looks.
func (w *World) now() time.Time {
	return time.Date(2026, 2, 6, 7, 23, 56, 0, time.UTC).Add(time.Duration(w.clock.Add(1)) * time.Millisecond)
}

// Open returns a new handle, as a process that starts would have.
func (w *World) Open(ctx context.Context, name string) (*Handle, error) {
	d, err := w.Start(ctx, name, false)
	return &Handle{Name: name, Machine: d, world: w}, err
}

// Send lets the far side send a message, in a new session if there is none or
// if asked for one.
func (w *World) Send(fresh bool) *Letter {
	w.talk.Lock()
	defer w.talk.Unlock()
	text := w.text("to-the-device")
	m, err := w.encrypt(fresh, text)
	if err != nil {
		w.Fail(Unreadable, "the far side does not send: %v", err)
		return nil
	}
	return w.sent(w.Bob.Identity(), m, text)
}

func (w *World) encrypt(fresh bool, text []byte) (ratchet.Message, error) {
	if !fresh {
		if m, err := w.Bob.Encrypt(w.Device, text); err == nil {
			return m, nil
		}
	}
	return w.Bob.Open(w.Device, w.claim(), text)
}

// text is a room key that no other message carries. The caller holds w.talk.
func (w *World) text(direction string) []byte {
	w.texts++
	return fmt.Appendf(nil, `{"type":"m.room_key","content":{"algorithm":"m.megolm.v1.aes-sha2","room_id":"!%s:example.org","session_id":"%043d","session_key":"%0306d"}}`,
		direction, w.texts, w.texts)
}

// Read lets the far side decrypt a reply.
func (w *World) Read(r *Reply) {
	w.talk.Lock()
	defer w.talk.Unlock()
	w.read(r, Unreadable)
}

func (w *World) read(r *Reply, o Oracle) {
	plaintext, err := w.Bob.Decrypt(w.Device, r.Message)
	switch {
	case err != nil:
		w.Fail(o, "the far side cannot read a message of %s: %v", r.By, err)
	case string(plaintext) != string(r.Plaintext):
		w.Fail(o, "the far side reads %q of %s, who wrote %q", plaintext, r.By, r.Plaintext)
	}
}

// ReadAll lets the far side decrypt all replies that are on their way.
func (w *World) ReadAll() {
	w.talk.Lock()
	flowing := w.flowing
	w.flowing = nil
	w.talk.Unlock()
	for _, r := range flowing {
		w.Read(r)
	}
}

func (w *World) post(r *Reply) {
	w.talk.Lock()
	defer w.talk.Unlock()
	w.flowing = append(w.flowing, r)
}

// Handle is one process on the device. Its methods note in the ledger what
// leaves it, and may be called from any number of goroutines.
type Handle struct {
	Name    string
	Machine Device
	world   *World

	mu       sync.Mutex
	receipts []session.ReceiptID // to be acknowledged
	pending  []pawl.Upload       // not yet published or abandoned
	seen     int                 // messages that this handle's sync has passed
}
