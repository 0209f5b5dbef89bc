package interop

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/pawlkv/pawl"
	ours "github.com/pawlkv/pawl/internal/pickle/libolm"
	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/ratchet"
)

// acquaintance is a peer of a device's old life, with both sides of their session.
type acquaintance struct {
	account      Account
	theirs, mine Session
	unread       []Message // by the peer, on their way when the old program ended
}

// met is a peer that the device opened a session to, or that opened one to it. Each has
// read the other, and the peer's last messages are on their way.
func met(t *testing.T, device Account, peer Implementation, opens bool) *acquaintance {
	t.Helper()
	a := &acquaintance{}
	var err error
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", peer.Name(), err)
		}
	}
	a.account, err = peer.NewAccount()
	must(err)
	if opens {
		a.mine, a.theirs = opened(t, device, a.account)
	} else {
		a.theirs, a.mine = opened(t, a.account, device)
	}
	for range 3 {
		pass(t, a.mine, a.theirs)
		pass(t, a.theirs, a.mine)
	}
	for range 2 {
		m, err := a.theirs.Encrypt([]byte("unread"))
		must(err)
		a.unread = append(a.unread, m)
	}
	return a
}

// opened opens a session from one account to another.
func opened(t *testing.T, from, to Account) (Session, Session) {
	t.Helper()
	keys, err := to.OneTimeKeys(1)
	if err != nil {
		t.Fatal(err)
	}
	out, err := from.Outbound(to.IdentityKey(), keys[0])
	if err != nil {
		t.Fatal(err)
	}
	m, err := out.Encrypt([]byte("first"))
	if err != nil {
		t.Fatal(err)
	}
	in, err := to.Inbound(from.IdentityKey(), m)
	if err != nil {
		t.Fatal(err)
	}
	if text, err := in.Decrypt(m); err != nil || string(text) != "first" {
		t.Fatalf("%q, %v", text, err)
	}
	if err := to.Consume(in); err != nil {
		t.Fatal(err)
	}
	return out, in
}

func pass(t *testing.T, from, to Session) {
	t.Helper()
	m, err := from.Encrypt([]byte("text"))
	if err != nil {
		t.Fatal(err)
	}
	if text, err := to.Decrypt(m); err != nil || string(text) != "text" {
		t.Fatalf("%q, %v", text, err)
	}
}

// TestAnImportedDeviceTalksOn: the peers of its old life read what it sends, and it
// reads them, whatever they run, and whoever claimed a key of it before.
func TestAnImportedDeviceTalksOn(t *testing.T) {
	for _, old := range Others() {
		t.Run(old.Name(), func(t *testing.T) {
			device, err := old.NewAccount()
			if err != nil {
				t.Fatal(err)
			}
			var peers []*acquaintance
			for _, peer := range All() {
				peers = append(peers, met(t, device, peer, true), met(t, device, peer, false))
			}
			keys, err := device.OneTimeKeys(len(All()))
			if err != nil {
				t.Fatal(err)
			}
			m := imported(t, device.(foreignAccount), peers)
			for _, p := range peers {
				p.talk(t, m)
			}
			for i, peer := range All() {
				late, err := peer.NewAccount()
				if err != nil {
					t.Fatal(err)
				}
				s, err := late.Outbound(device.IdentityKey(), keys[i])
				if err != nil {
					t.Fatal(err)
				}
				(&acquaintance{account: late, theirs: s}).talk(t, m)
			}
			if broken, err := m.Check(t.Context()); err != nil || len(broken) > 0 {
				t.Errorf("the account is broken: %q, %v", broken, err)
			}
		})
	}
}

// talk lets the device read what is on its way, and both go on for some turns.
func (a *acquaintance) talk(t *testing.T, m *pawl.Machine) {
	t.Helper()
	peer, err := ratchet.ParsePublicKey(a.account.IdentityKey())
	if err != nil {
		t.Fatal(err)
	}
	read := func(in Message, want string) {
		t.Helper()
		got, err := m.Decrypt(t.Context(), peer, ratchet.Message{Type: ratchet.MessageType(in.Type), Body: in.Body})
		if err != nil || string(got.Plaintext) != want || got.Session.String() != a.theirs.ID() {
			t.Fatalf("it reads %q in %s, %v, want %q in %s", got.Plaintext, got.Session, err, want, a.theirs.ID())
		}
	}
	for _, u := range a.unread {
		read(u, "unread")
	}
	for turn := range 4 {
		text := fmt.Sprint("turn ", turn)
		if len(a.unread) == 0 || turn > 0 { // a first message comes from the peer
			in, err := a.theirs.Encrypt([]byte(text))
			if err != nil {
				t.Fatal(err)
			}
			read(in, text)
		}
		out, err := m.Encrypt(t.Context(), peer, []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		got, err := a.theirs.Decrypt(Message{Type: int(out.Message.Type), Body: out.Message.Body})
		if err != nil || !bytes.Equal(got, []byte(text)) {
			t.Fatalf("the peer reads %q, %v, want %q", got, err, text)
		}
	}
}

// imported is the device in a store of Pawl's, from its pickles.
func imported(t *testing.T, device foreignAccount, peers []*acquaintance) *pawl.Machine {
	t.Helper()
	key := []byte(moveKey)
	pickled, err := device.Pickle(key)
	if err != nil {
		t.Fatal(err)
	}
	a, err := ours.Account(key, string(pickled))
	if err != nil {
		t.Fatal(err)
	}
	d := pawl.Import{
		Program: "test", UserID: "@alice:example.org", DeviceID: "PHONE", Identity: a.Identity, Signing: a.Signing, LastKeyID: a.LastID, Retired: true,
	}
	for _, k := range a.OneTimeKeys {
		d.OneTimeKeys = append(d.OneTimeKeys, pawl.ImportKey{ID: k.ID, Pair: k.Pair, Published: k.Published})
	}
	for _, p := range peers {
		pickled, err := p.mine.(foreignSession).Pickle(key)
		if err != nil {
			t.Fatal(err)
		}
		s, err := ours.Session(key, string(pickled), a.Identity.Public())
		if err != nil {
			t.Fatal(err)
		}
		peer, err := ratchet.ParsePublicKey(p.account.IdentityKey())
		if err != nil {
			t.Fatal(err)
		}
		d.Sessions = append(d.Sessions, pawl.ImportSession{Ratchet: s, Peer: peer})
	}
	store, err := pawl.Open(t.Context(), memkv.New(), pawl.WithKey([32]byte{1}))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.Import(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	m, err := store.Machine(t.Context(), d.UserID, d.DeviceID)
	if err != nil {
		t.Fatal(err)
	}
	return m
}
