package upkeep_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/session"
	"github.com/pawlkv/pawl/txn"
)

const day = 24 * time.Hour

// host is an account of format 2 whose clock is set by hand.
type host struct {
	*testing.T
	*pawl.Machine
	account  *machine.Account
	now      time.Time
	identity ratchet.PublicKey
}

func newHost(t *testing.T) *host {
	h := &host{T: t, now: time.Date(2026, 5, 13, 0, 0, 0, 0, time.UTC)}
	engine := memkv.New()
	s, err := pawl.Open(t.Context(), engine, pawl.WithKey(key), pawl.WithClock(func() time.Time { return h.now }))
	must(t, err)
	h.Machine, err = s.Create(t.Context(), "@alice:example.org", "DEVICE")
	must(t, err)
	h.account = within(t, engine)
	id, err := h.Machine.Identity(t.Context())
	must(t, err)
	h.identity = id.Curve25519
	return h
}

// fallback returns the host's fallback key, which was published.
func (h *host) fallback() ratchet.PublicKey {
	h.Helper()
	u, err := h.KeysForUpload(h.Context(), 0)
	must(h.T, err)
	must(h.T, h.MarkPublished(h.Context(), u))
	var public ratchet.PublicKey
	must(h.T, h.account.Do(h.Context(), func(tx *txn.Tx) error {
		pool, _, err := records.Pool.Get(tx)
		current, _ := pool.Fallbacks()
		public = current.Public
		return err
	}))
	return public
}

// caller is a peer without a store.
type caller struct {
	identity ratchet.KeyPair
	session  ratchet.Session
}

func newCaller(t *testing.T) *caller {
	identity, err := ratchet.GenerateKeyPair(rand.Reader)
	must(t, err)
	return &caller{identity: identity}
}

// calls returns the first message of a new session.
func (c *caller) calls(h *host, key ratchet.PublicKey) ratchet.Message {
	h.Helper()
	s, err := ratchet.NewOutbound(rand.Reader, c.identity, h.identity, key)
	must(h.T, err)
	c.session = s
	return c.says(h)
}

func (c *caller) says(h *host) (m ratchet.Message) {
	h.Helper()
	var err error
	c.session, m, err = c.session.Encrypt(rand.Reader, []byte("text"))
	must(h.T, err)
	return m
}

func (h *host) hears(c *caller, m ratchet.Message) {
	h.Helper()
	_, err := h.Decrypt(h.Context(), c.identity.Public(), m)
	must(h.T, err)
}

func (h *host) refuses(c *caller, m ratchet.Message, want error) {
	h.Helper()
	if _, err := h.Decrypt(h.Context(), c.identity.Public(), m); !errors.Is(err, want) {
		h.Errorf("Decrypt gives %v, want %v", err, want)
	}
}

// counts returns how many peers, sessions and marks there are.
func (h *host) counts() string {
	h.Helper()
	in, err := h.Inspect(h.Context())
	must(h.T, err)
	return fmt.Sprint(in.Records["peer"], in.Records["session"], in.Records["mark"])
}

func (h *host) wants(what, want string) {
	h.Helper()
	if got := h.counts(); got != want {
		h.Errorf("%s: peers, sessions and marks are %s, want %s", what, got, want)
	}
	if broken, err := h.Check(h.Context()); err != nil || len(broken) > 0 {
		h.Errorf("%s: check: %q, %v", what, broken, err)
	}
}

func (h *host) sweeps() pawl.Swept {
	h.Helper()
	done, err := h.Sweep(h.Context(), h.now)
	must(h.T, err)
	return done
}

// TestStrangersAreForgotten: after a year of silence nothing is left but marks,
// and those go with the key.
func TestStrangersAreForgotten(t *testing.T) {
	h := newHost(t)
	key := h.fallback()
	one := newCaller(t)
	first := one.calls(h, key)
	h.hears(one, first)
	h.wants("after the first message", "1 1 0")
	h.now = h.now.Add(300 * day)
	h.sweeps()
	h.wants("before a year", "1 1 0")
	h.hears(one, one.says(h))
	h.now = h.now.Add(session.StrangerMemory - time.Second)
	h.sweeps()
	h.wants("within a year of the last message", "1 1 0")
	h.now = h.now.Add(time.Minute)
	if done := h.sweeps(); done.Strangers != 1 {
		t.Errorf("swept %+v", done)
	}
	h.wants("after a year", "0 0 1")
	// Its messages are known for what they are, and open nothing.
	h.refuses(one, first, session.ErrPruned)
	h.refuses(one, one.says(h), session.ErrPruned)
	h.wants("after its messages", "0 0 1")
	// The key goes, and so does the mark.
	for range 12 {
		h.fallback()
		h.now = h.now.Add(8 * day)
	}
	h.sweeps()
	h.wants("after the key", "0 0 0")
	h.refuses(one, first, pawl.ErrUnknownOneTimeKey)
	// It may come again.
	h.hears(one, one.calls(h, h.fallback()))
	h.wants("a new session", "1 1 0")
}

// TestAcquaintancesAreNotForgotten: a peer that came by a one-time key, or that we
// wrote to or called, stays, whatever becomes of the session that tells.
func TestAcquaintancesAreNotForgotten(t *testing.T) {
	h := newHost(t)
	fallback := h.fallback()
	byOneTimeKey, answered, both := newCaller(t), newCaller(t), newCaller(t)
	h.hears(byOneTimeKey, byOneTimeKey.calls(h, oneTimeKey(t, h.Machine)))
	h.hears(answered, answered.calls(h, fallback))
	_, err := h.Encrypt(t.Context(), answered.identity.Public(), []byte("answer"))
	must(t, err)
	h.hears(both, both.calls(h, fallback))
	h.hears(both, both.calls(h, oneTimeKey(t, h.Machine)))
	// As many sessions by the fallback key prune those.
	for _, c := range []*caller{byOneTimeKey, answered} {
		for range session.MaxPerPeer {
			h.now = h.now.Add(time.Second)
			h.hears(c, c.calls(h, fallback))
		}
	}
	h.now = h.now.Add(10 * session.StrangerMemory)
	if done := h.sweeps(); done.Strangers != 0 {
		t.Errorf("swept %+v", done)
	}
	h.wants("after ten years", fmt.Sprintf("3 %d 1", 2*session.MaxPerPeer+2))
}

// TestSilentStrangersAreBounded: of those that were silent for some weeks the last
// heard stay, up to a number of sessions.
func TestSilentStrangersAreBounded(t *testing.T) {
	h := newHost(t)
	key := h.fallback()
	const many = session.MaxSilentSessions + 50
	var first []pawl.Incoming
	for range many {
		c := newCaller(t)
		first = append(first, pawl.Incoming{Sender: c.identity.Public(), Message: c.calls(h, key)})
	}
	for _, in := range first {
		h.now = h.now.Add(time.Minute)
		_, err := h.Decrypt(t.Context(), in.Sender, in.Message)
		must(t, err)
	}
	h.now = h.now.Add(session.StrangerSilence - many*time.Minute)
	h.sweeps()
	h.wants("before four weeks", fmt.Sprint(many, many, 0))
	h.now = h.now.Add(2 * many * time.Minute)
	if done := h.sweeps(); done.Strangers != 50 {
		t.Errorf("swept %+v", done)
	}
	h.wants("after four weeks", fmt.Sprint(session.MaxSilentSessions, session.MaxSilentSessions, 50))
	for i, in := range first {
		_, there, err := txnGet(t, h.account, in.Sender)
		must(t, err)
		if there != (i >= 50) {
			t.Fatalf("stranger %d is there: %t", i, there)
		}
	}
	h.now = h.now.Add(session.StrangerMemory)
	h.sweeps()
	h.wants("after a year", fmt.Sprint(0, 0, many))
}

func txnGet(t *testing.T, a *machine.Account, peer ratchet.PublicKey) (p session.Peer, there bool, err error) {
	t.Helper()
	err = a.Do(context.Background(), func(tx *txn.Tx) error { p, there, err = records.Peers.Get(tx, peer); return err })
	return p, there, err
}

// TestPrunedSessionsLeaveMarks: a peer that opens sessions without end leaves 64
// bytes for each, until the key is gone.
func TestPrunedSessionsLeaveMarks(t *testing.T) {
	h := newHost(t)
	key := h.fallback()
	c := newCaller(t)
	first := c.calls(h, key)
	h.hears(c, first)
	for range 200 {
		h.now = h.now.Add(time.Second)
		h.hears(c, c.calls(h, key))
	}
	h.wants("201 sessions", fmt.Sprintf("1 %d %d", session.MaxPerPeer, 201-session.MaxPerPeer))
	must(t, h.account.Do(t.Context(), func(tx *txn.Tx) error {
		for m, err := range records.Marks.Scan(tx) {
			if b, _ := m.Encode(); err != nil || len(b) > session.MaxMark {
				t.Fatalf("a mark of %d bytes, %v", len(b), err)
			}
		}
		return nil
	}))
	h.now = h.now.Add(session.ReceiptMemory + time.Hour)
	h.sweeps()
	h.refuses(c, first, session.ErrPruned)
	for range 12 {
		h.fallback()
		h.now = h.now.Add(8 * day)
	}
	h.sweeps()
	h.wants("after the key", "0 0 0")
}
