package pawl_test

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/session"
)

// crowded returns two devices with as many sessions as there may be, in all of
// which both have sent.
func crowded(t *testing.T) (alice, bob *device) {
	t.Helper()
	alice, bob = pair(t)
	for range session.MaxPerPeer {
		alice.meet(bob)
	}
	return alice, bob
}

// junk is a message that nobody made: of a chain, at an index.
func junk(ratchetKey ratchet.PublicKey, index uint32) ratchet.Message {
	body := append([]byte{3, 0x0a, 32}, ratchetKey[:]...)
	body = binary.AppendUvarint(append(body, 0x10), uint64(index))
	body = append(body, 0x22, 16)
	return ratchet.Message{Type: ratchet.Normal, Body: append(body, make([]byte, 16+8)...)}
}

// TestStepsOfOneMessage: a message is tried in all sessions only as far as that
// is cheap, and what it is not tried in all says so.
func TestStepsOfOneMessage(t *testing.T) {
	alice, bob := crowded(t)
	for index, tried := range map[uint32]int{0: 32, 62: 32, 2001: 32} {
		_, err := bob.Decrypt(bob.ctx, alice.id.Curve25519, junk(ratchet.PublicKey{9}, index))
		if u := (*pawl.UndecryptableError)(nil); !errors.As(err, &u) || u.Tried != tried {
			t.Errorf("index %d: %v, want an UndecryptableError of %d sessions", index, err, tried)
		}
	}
	for index, tried := range map[uint32]int{63: 31, 1000: 2, 1001: 1, 2000: 1} {
		bob.unchanged(func() {
			_, err := bob.Decrypt(bob.ctx, alice.id.Curve25519, junk(ratchet.PublicKey{9}, index))
			want := fmt.Sprintf("%v: tried in %d of 32 with %s", pawl.ErrUntried, tried, alice.id.Curve25519)
			if u := (*pawl.UndecryptableError)(nil); !errors.Is(err, pawl.ErrUntried) || errors.As(err, &u) || err.Error() != want {
				t.Errorf("index %d: %v, want %v", index, err, want)
			}
			if code := pawl.CodeOf(err); code != "untried" {
				t.Errorf("index %d: code %q", index, code)
			}
			if errors.Is(err, ratchet.ErrMAC) {
				t.Errorf("index %d: %v says that the message does not authenticate", index, err)
			}
		})
	}
	// The last message that a session accepts is tried in the session of choice,
	// of a new chain and of one that it knows.
	alice.receive(bob, bob.send(alice, "your turn"))
	for range 2 {
		var m ratchet.Message
		for range ratchet.MaxGap + 1 {
			m = alice.send(bob, "far ahead")
		}
		bob.receive(alice, m)
	}
	bob.intact()
}

// outsider is a peer without a store, which makes messages as it likes.
type outsider struct{ identity ratchet.KeyPair }

func newOutsider(t testing.TB) outsider {
	t.Helper()
	identity, err := ratchet.GenerateKeyPair(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return outsider{identity}
}

func (o outsider) key() ratchet.PublicKey { return o.identity.Public() }

// opens returns a session with a device, under a ratchet key made of a seed.
func (o outsider) opens(with *device, key ratchet.PublicKey, seed byte) ratchet.Session {
	with.t.Helper()
	s, err := ratchet.NewOutbound(io.MultiReader(io.LimitReader(rand.Reader, 32), filled(seed)), o.identity, with.id.Curve25519, key)
	if err != nil {
		with.t.Fatal(err)
	}
	return s
}

// once yields its bytes and then random ones.
type once struct{ fixed []byte }

func filled(seed byte) *once { return &once{bytes.Repeat([]byte{seed}, 32)} }

func (r *once) Read(b []byte) (int, error) {
	if len(r.fixed) == 0 {
		return rand.Read(b)
	}
	n := copy(b, r.fixed)
	r.fixed = r.fixed[n:]
	return n, nil
}

func (o outsider) says(t testing.TB, s ratchet.Session, text string) (ratchet.Session, ratchet.Message) {
	t.Helper()
	s, m, err := s.Encrypt(rand.Reader, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return s, m
}

// TestOneRatchetKeyOneSession: two sessions of a peer never know one ratchet
// key, however the second would come by it.
func TestOneRatchetKeyOneSession(t *testing.T) {
	bob := newDevice(t, newMemory(), "@bob:example.org")
	mallory := newOutsider(t)
	first, m := mallory.says(t, mallory.opens(bob, bob.fallbackKey(), 1), "first")
	if _, err := bob.Decrypt(bob.ctx, mallory.key(), m); err != nil {
		t.Fatal(err)
	}
	for name, key := range map[string]ratchet.PublicKey{"fallback key": bob.fallbackKey(), "one-time key": bob.oneTimeKey()} {
		_, twin := mallory.says(t, mallory.opens(bob, key, 1), "a second session under the key")
		bob.refuses(mallory.key(), twin, session.ErrRatchetKey)
		if n := bob.inspect().Keys.Used; n != 0 {
			t.Errorf("%s: %d one-time keys are used", name, n)
		}
	}
	// Another peer may have it: it is another's sessions that its messages are
	// tried in.
	other := newOutsider(t)
	_, m = other.says(t, other.opens(bob, bob.fallbackKey(), 1), "another peer")
	if _, err := bob.Decrypt(bob.ctx, other.key(), m); err != nil {
		t.Errorf("another peer's session under the same ratchet key: %v", err)
	}
	// And the session itself goes on.
	if first, m = mallory.says(t, first, "second"); m.Type != ratchet.PreKey {
		t.Fatalf("a message of type %v", m.Type)
	}
	if _, err := bob.Decrypt(bob.ctx, mallory.key(), m); err != nil {
		t.Error(err)
	}
	bob.turnsUnder(mallory, 2)
	// Also when the first session has a newer chain.
	first, m = mallory.says(t, first, "third")
	if _, err := bob.Decrypt(bob.ctx, mallory.key(), m); err != nil {
		t.Fatal(err)
	}
	_, m, err := bob.yourTurn(mallory, first).Encrypt(rand.Reader, []byte("a new chain"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := bob.Decrypt(bob.ctx, mallory.key(), m); err != nil {
		t.Fatal(err)
	}
	bob.turnsUnder(mallory, 3)
	bob.on(bob.kv).turnsUnder(mallory, 4)
	bob.intact()
}

// turnsUnder lets the peer answer in a new session with the ratchet key that the
// first has.
func (d *device) turnsUnder(mallory outsider, seed byte) {
	d.t.Helper()
	s, m := mallory.says(d.t, mallory.opens(d, d.fallbackKey(), seed), "another session")
	if _, err := d.Decrypt(d.ctx, mallory.key(), m); err != nil {
		d.t.Fatal(err)
	}
	_, m, err := d.yourTurn(mallory, s).Encrypt(filled(1), []byte("under the first session's key"))
	if err != nil {
		d.t.Fatal(err)
	}
	d.refuses(mallory.key(), m, session.ErrRatchetKey)
}

// yourTurn sends in the session that the peer used last, and returns its state
// with the peer then.
func (d *device) yourTurn(mallory outsider, s ratchet.Session) ratchet.Session {
	d.t.Helper()
	e, err := d.Encrypt(d.ctx, mallory.key(), []byte("your turn"))
	if err != nil {
		d.t.Fatal(err)
	}
	parsed, err := ratchet.ParseNormalMessage(e.Message.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	if s, _, err = s.Decrypt(parsed); err != nil {
		d.t.Fatal(err)
	}
	return s
}
