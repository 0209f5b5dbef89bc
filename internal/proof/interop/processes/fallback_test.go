//go:build unix

package processes_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/internal/proof/interop"
	"github.com/pawlkv/pawl/internal/proof/interop/processes"
	"github.com/pawlkv/pawl/internal/proof/story"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/session"
)

// TestFallbackKeyOfTwoPeers: two peers claim the fallback key at once, and their
// first messages come to two processes at once, each to both.
func TestFallbackKeyOfTwoPeers(t *testing.T) {
	eachStore(t, func(t *testing.T, engine string, other interop.Implementation) {
		t.Parallel()
		c := newCrew(t, processes.Setup{Engine: engine, Patience: unhurried}, other)
		app, nse := c.Start("app"), c.Start("nse")
		key := c.fallbackKey(app)
		for round := range times {
			c.bothOpen(key, fmt.Sprintf("round %d", round), app, nse)
		}
		in, err := nse.Machine.Inspect(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if len(in.Peers) != 2*times || in.Keys.Used != 0 {
			t.Errorf("%d peers and %d used one-time keys, want %d and none", len(in.Peers), in.Keys.Used, 2*times)
		}
		for _, p := range in.Peers {
			if len(p.Sessions) != 1 || p.Sessions[0].Origin != session.WithFallbackKey {
				t.Errorf("peer %s has %+v, want one session with the fallback key", p.Curve25519, p.Sessions)
			}
		}
		for _, m := range c.Members {
			if broken, err := m.Machine.Check(t.Context()); err != nil || len(broken) > 0 {
				t.Errorf("%s: %q, %v", m.Name, broken, err)
			}
		}
	})
}

// fallbackKey returns the device's, as a server has it.
func (c *crew) fallbackKey(m *member) ratchet.PublicKey {
	c.Helper()
	u, err := m.Machine.KeysForUpload(c.Context(), 0)
	if err != nil {
		c.Fatal(err)
	}
	var body struct {
		Keys map[string]struct{ Key string } `json:"fallback_keys"`
	}
	if err := json.Unmarshal(u.Body, &body); err != nil {
		c.Fatal(err)
	}
	for _, one := range body.Keys {
		key, err := ratchet.ParsePublicKey(one.Key)
		if err != nil {
			c.Fatal(err)
		}
		if err := m.Machine.MarkPublished(c.Context(), u); err != nil {
			c.Fatal(err)
		}
		return key
	}
	c.Fatalf("no fallback key in %s", u.Body)
	return ratchet.PublicKey{}
}

// bothOpen lets two new peers open sessions with one key, and talk.
func (c *crew) bothOpen(key ratchet.PublicKey, text string, members ...*member) {
	c.Helper()
	var calls []func()
	var answers [2][2]pawl.Decrypted
	var errs [2][2]error
	peers := make([]story.Peer, 2)
	for i := range peers {
		var err error
		if peers[i], err = c.Peer(0); err != nil {
			c.Fatal(err)
		}
		first, err := peers[i].Open(c.Device, key, []byte(text))
		if err != nil {
			c.Fatal(err)
		}
		for j, m := range members {
			calls = append(calls, func() {
				answers[i][j], errs[i][j] = m.Machine.Decrypt(c.Context(), peers[i].Identity(), first)
			})
		}
	}
	story.Together(calls...)
	for i, peer := range peers {
		for j, d := range answers[i] {
			if errs[i][j] != nil || string(d.Plaintext) != text {
				c.Fatalf("peer %d, %s: %q, %v", i, members[j].Name, d.Plaintext, errs[i][j])
			}
		}
		if answers[i][0].Duplicate == answers[i][1].Duplicate {
			c.Errorf("peer %d: both answers have duplicate %v", i, answers[i][0].Duplicate)
		}
		c.exchange(members[i], peer)
	}
}

// exchange lets a process answer a peer, and the peer the process.
func (c *crew) exchange(m *member, peer story.Peer) {
	c.Helper()
	e, err := m.Machine.Encrypt(c.Context(), peer.Identity(), []byte("to the peer"))
	if err != nil {
		c.Fatal(err)
	}
	if got, err := peer.Decrypt(c.Device, e.Message); err != nil || string(got) != "to the peer" {
		c.Fatalf("the peer reads %q, %v", got, err)
	}
	back, err := peer.Encrypt(c.Device, []byte("and back"))
	if err != nil {
		c.Fatal(err)
	}
	if d, err := c.Any().Machine.Decrypt(c.Context(), peer.Identity(), back); err != nil || string(d.Plaintext) != "and back" {
		c.Fatalf("the answer to %s: %q, %v", m.Name, d.Plaintext, err)
	}
}
