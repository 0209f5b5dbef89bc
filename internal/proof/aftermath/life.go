package aftermath

import (
	"context"
	"fmt"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/otk"
	"github.com/pawlkv/pawl/ratchet"
)

// Life is a device and all that it did. It is not for concurrent use.
type Life struct {
	ctx     context.Context
	device  *pawl.Machine
	curve   ratchet.PublicKey
	witness *Keychain
	peer    *peer
	keys    []ratchet.PublicKey // of the device, offered and not claimed
	step    int
	said    int
	moments []*moment
}

// Begin makes a device in an empty store. What is in the store when it returns
// is the first moment. Besides the life's own Keychain, opts may give the
// store another witness.
func Begin(ctx context.Context, store kv.Store, opts ...pawl.Option) (*Life, error) {
	l := &Life{ctx: ctx, witness: &Keychain{}}
	s, err := l.open(store, opts)
	if err != nil {
		return nil, err
	}
	if l.device, err = s.Create(ctx, userID, deviceID); err != nil {
		return nil, err
	}
	id, err := l.device.Identity(ctx)
	if err != nil {
		return nil, err
	}
	l.curve = id.Curve25519
	if l.peer, err = newPeer(ctx); err != nil {
		return nil, err
	}
	first := &moment{slots: map[slot]bool{}, ids: map[otk.ID]bool{}}
	if err := l.upload(first, 4); err != nil {
		return nil, err
	}
	return l, l.note(first)
}

// Resume goes on in the same store, which was closed and opened again.
func (l *Life) Resume(store kv.Store, opts ...pawl.Option) error {
	s, err := l.open(store, opts)
	if err == nil {
		l.device, err = s.Machine(l.ctx, userID, deviceID)
	}
	return err
}

func (l *Life) open(store kv.Store, opts []pawl.Option) (*pawl.Store, error) {
	return pawl.Open(l.ctx, store, append([]pawl.Option{UnlockKey, pawl.WithWitness(l.witness)}, opts...)...)
}

// Moments returns how many calls have returned; the moment of that number is
// the last one.
func (l *Life) Moments() int { return len(l.moments) - 1 }

// note ends a call: everything in now was acknowledged.
func (l *Life) note(now *moment) (err error) {
	if now.peer, err = l.peer.clone(l.ctx); err != nil {
		return err
	}
	now.spare, now.mark = l.keys[len(l.keys)-1], l.witness.mark()
	l.moments = append(l.moments, now)
	return nil
}

// script is what a device does again and again: every kind of call that
// changes its store, in several sessions.
var script = []func(*Life, *moment) error{
	(*Life).readNewSession, // opens a session with a one-time key
	(*Life).write,
	(*Life).read,
	(*Life).acknowledge,
	(*Life).write,
	(*Life).write,
	(*Life).uploadMore,
	(*Life).read,
	(*Life).writeNewSession,
	(*Life).read,
	(*Life).write,
}

// Calls is how many calls it takes until everything was done once.
var Calls = len(script)

// Step makes one call and returns when it has returned: what it released is
// acknowledged then.
func (l *Life) Step() error {
	before := l.moments[len(l.moments)-1]
	now := before.after()
	do := script[l.step%len(script)]
	l.step++
	if err := do(l, now); err != nil {
		return fmt.Errorf("aftermath: call %d: %w", l.step, err)
	}
	return l.note(now)
}

func (l *Life) text() string {
	l.said++
	return fmt.Sprintf("text %d", l.said)
}

// last is the newest moment, whose next call is about to be made.
func (l *Life) last() *moment { return l.moments[len(l.moments)-1] }

func (l *Life) readNewSession(now *moment) error {
	key := l.keys[0]
	l.keys = l.keys[1:]
	return l.receive(now, pawl.WithOneTimeKey(key))
}

func (l *Life) read(now *moment) error { return l.receive(now) }

// receive lets the peer write and the device read.
func (l *Life) receive(now *moment, opts ...pawl.EncryptOption) error {
	h := heard{text: l.text()}
	e, err := l.peer.Encrypt(l.ctx, l.curve, []byte(h.text), opts...)
	if err != nil {
		return err
	}
	h.message = e.Message
	l.last().next.message = &h
	// A peer that lost power has sent the message before: so have its clones.
	if l.last().peer, err = l.peer.clone(l.ctx); err != nil {
		return err
	}
	got, err := l.device.Decrypt(l.ctx, l.peer.curve, h.message)
	if err != nil {
		return err
	}
	h.receipt = got.Receipt
	now.heard = append(now.heard, h)
	return nil
}

func (l *Life) write(now *moment) error { return l.say(now) }

func (l *Life) writeNewSession(now *moment) error {
	key, err := l.peer.oneTimeKey(l.ctx)
	if err != nil {
		return err
	}
	// The device may use the key, whatever becomes of this call.
	if l.last().peer, err = l.peer.clone(l.ctx); err != nil {
		return err
	}
	return l.say(now, pawl.WithOneTimeKey(key))
}

// say lets the device write and the peer read.
func (l *Life) say(now *moment, opts ...pawl.EncryptOption) error {
	text := l.text()
	e, err := l.device.Encrypt(l.ctx, l.peer.curve, []byte(text), opts...)
	if err != nil {
		return err
	}
	used, err := slotOf(e)
	if err != nil {
		return err
	}
	now.slots[used] = true
	_, err = l.peer.Decrypt(l.ctx, l.curve, e.Message)
	return err
}

// acknowledge acknowledges the oldest message that was not.
func (l *Life) acknowledge(now *moment) error {
	for i := range now.heard {
		if h := &now.heard[i]; !h.done {
			l.last().next.receipt = h.receipt
			h.done = true
			return l.device.Acknowledge(l.ctx, h.receipt)
		}
	}
	return nil
}

func (l *Life) uploadMore(now *moment) error { return l.upload(now, 2) }

func (l *Life) upload(now *moment, n int) error {
	u, err := l.device.KeysForUpload(l.ctx, n)
	if err != nil {
		return err
	}
	for _, id := range u.OneTimeKeys {
		now.ids[id] = true
	}
	keys, err := offered(u)
	l.keys = append(l.keys, keys...)
	return err
}
