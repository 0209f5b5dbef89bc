package pawl_test

import (
	"errors"
	"testing"
	"time"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/session"
)

func TestEncryptErrors(t *testing.T) {
	alice, bob := pair(t)
	lowOrder := ratchet.PublicKey{1}
	cases := []struct {
		name string
		peer ratchet.PublicKey
		opts []pawl.EncryptOption
		want error
	}{
		{"no session", bob.id.Curve25519, nil, pawl.ErrNoSession},
		{"to itself", alice.id.Curve25519, nil, pawl.ErrSelf},
		{"to itself with a key", alice.id.Curve25519, []pawl.EncryptOption{pawl.WithOneTimeKey(alice.oneTimeKey())}, pawl.ErrSelf},
		{"one-time key of low order", bob.id.Curve25519, []pawl.EncryptOption{pawl.WithOneTimeKey(lowOrder)}, ratchet.ErrZeroSecret},
		{"identity key of low order", lowOrder, []pawl.EncryptOption{pawl.WithOneTimeKey(bob.oneTimeKey())}, ratchet.ErrZeroSecret},
		{"zero identity key", ratchet.PublicKey{}, []pawl.EncryptOption{pawl.WithOneTimeKey(bob.oneTimeKey())}, ratchet.ErrZeroSecret},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			alice.unchanged(func() {
				e, err := alice.Encrypt(alice.ctx, c.peer, []byte("hello"), c.opts...)
				if !errors.Is(err, c.want) || e.Message.Body != nil {
					t.Errorf("Encrypt gives %+v, %v; want %v", e, err, c.want)
				}
			})
		})
	}
}

func TestEncryptSizes(t *testing.T) {
	alice, bob := pair(t)
	alice.meet(bob)
	for _, n := range []int{0, 1, 15, 16, 17, 1 << 20} {
		m := alice.send(bob, string(make([]byte, n)))
		if d := bob.receive(alice, m); len(d.Plaintext) != n {
			t.Errorf("%d bytes arrive as %d", n, len(d.Plaintext))
		}
	}
}

// TestSessionChoice follows the Matrix specification: the session that most
// recently received a message that decrypted, whatever the clock does.
func TestSessionChoice(t *testing.T) {
	for name, step := range map[string]time.Duration{
		"clock goes on": time.Minute, "clock stands still": 0, "clock goes back": -time.Hour,
	} {
		t.Run(name, func(t *testing.T) {
			alice, bob := pair(t)
			alice.meet(bob) // session 1
			first := alice.sessions(bob)[0].ID
			inFirst := bob.send(alice, "in the first")
			alice.wantNext(bob, first)

			// A new session is used at once by who opened it, and by the other
			// once it has heard in it.
			alice.clock.pass(step)
			e := alice.encrypt(bob, pawl.WithOneTimeKey(bob.oneTimeKey()))
			if e.Session == first {
				t.Fatal("no new session")
			}
			alice.clock.pass(step)
			alice.wantNext(bob, e.Session)
			bob.clock.pass(step)
			bob.wantNext(alice, first)
			bob.receive(alice, e.Message)
			bob.clock.pass(step)
			bob.wantNext(alice, e.Session)

			// A message of the older session makes it the one.
			alice.clock.pass(step)
			alice.receive(bob, inFirst)
			alice.wantNext(bob, first)
			// What does not decrypt, or came before, changes nothing.
			alice.clock.pass(step)
			alice.receive(bob, inFirst)
			m := bob.send(alice, "in the second")
			if _, err := alice.Decrypt(alice.ctx, bob.id.Curve25519, edit(m, -1, flip)); !errors.Is(err, ratchet.ErrMAC) {
				t.Errorf("a message with another MAC: %v", err)
			}
			alice.wantNext(bob, first)
			alice.receive(bob, m)
			alice.wantNext(bob, e.Session)
			alice.intact()
		})
	}
}

func (d *device) encrypt(to *device, opts ...pawl.EncryptOption) pawl.Encrypted {
	d.t.Helper()
	e, err := d.Encrypt(d.ctx, to.id.Curve25519, []byte("text"), opts...)
	if err != nil {
		d.t.Fatal(err)
	}
	return e
}

// wantNext fails the test unless the next message goes into a session.
func (d *device) wantNext(to *device, want ratchet.SessionID) {
	d.t.Helper()
	if e := d.encrypt(to); e.Session != want {
		d.t.Errorf("the message is in session %s, want %s", e.Session, want)
	}
}

// TestStampsOnlyGrow: in format 1, what decides on the choice never goes back.
func TestStampsOnlyGrow(t *testing.T) {
	alice, bob := newDevice(t, &unraised{Store: newMemory()}, "@alice:example.org"), newDevice(t, newMemory(), "@bob:example.org")
	alice.meet(bob)
	var last session.Stamp
	for _, step := range []time.Duration{time.Hour, -24 * time.Hour, 0, time.Minute, -200 * 365 * 24 * time.Hour} {
		alice.clock.pass(step)
		alice.receive(bob, bob.send(alice, "text"))
		got := alice.sessions(bob)[0].LastReceived
		if got <= last {
			t.Errorf("after the clock moved by %v the stamp is %d, before it was %d", step, got, last)
		}
		last = got
	}
}

// TestSessions: the sessions with a peer are told, first the one that Encrypt uses.
func TestSessions(t *testing.T) {
	alice, bob := pair(t)
	if all, err := alice.Sessions(t.Context(), bob.id.Curve25519); err != nil || len(all) != 0 {
		t.Fatalf("%+v, %v", all, err)
	}
	var last ratchet.SessionID
	for range 2 {
		made, err := alice.Encrypt(t.Context(), bob.id.Curve25519, []byte("hello"), pawl.WithOneTimeKey(bob.oneTimeKey()))
		if err != nil {
			t.Fatal(err)
		}
		last = made.Session
	}
	all, err := alice.Sessions(t.Context(), bob.id.Curve25519)
	if err != nil || len(all) != 2 || all[0].ID != last || all[0].LastSent == 0 || all[0].LastReceived != 0 {
		t.Errorf("%+v, %v; first %v", all, err, last)
	}
	next, err := alice.Encrypt(t.Context(), bob.id.Curve25519, []byte("again"))
	if err != nil || next.Session != last {
		t.Errorf("sent in %v, %v", next.Session, err)
	}
}
