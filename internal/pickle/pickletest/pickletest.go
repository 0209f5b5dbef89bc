// Package pickletest has what tests of pickles share: the fixtures that other
// implementations made, what they must come to, and sealing.
package pickletest

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/message"
	"github.com/pawlkv/pawl/internal/pickle"
	"github.com/pawlkv/pawl/internal/unpadded"
	"github.com/pawlkv/pawl/ratchet"
)

// Life is a fixture: what a device pickled, and what its peers sent it afterwards.
// internal/proof/interop/cmd/pickles and bench/peers/rust/pickles make them.
type Life struct {
	Name     string
	Key      Bytes
	Account  Account
	Sessions []Session
	First    []struct { // first messages, to keys of the account
		Peer    string
		Message Message
	}
	Inbound, Outbound Group
}

// Account is the pickle of an account, in several forms, and what is in it.
type Account struct {
	Curve25519        string
	Ed25519           string
	Pickle            string
	ExpandedPickle    string `json:"expanded_pickle"` // of vodozemac, of one that came from libolm
	LibolmPickle      string `json:"libolm_pickle"`   // the same account, as vodozemac writes libolm's form
	Published         []string
	Unpublished       []string
	Fallback          string
	PreviousFallback  string `json:"previous_fallback"`
	Signed, Signature string
	LastID            uint32 `json:"last_id"`
}

// Session is the pickle of an Olm session.
type Session struct {
	Name, ID, Pickle string
	Peer             string
	Next             *Message  // what the old program would send next, if it takes nothing random
	Unread           []Message // by the peer
}

// Group is the pickle of a Megolm session.
type Group struct {
	ID, Pickle     string
	ImportedPickle string `json:"imported_pickle"` // not signed
	Messages       []struct {
		Index uint32
		Body  Bytes
		Text  string
	}
}

// Message is an Olm message.
type Message struct {
	Type ratchet.MessageType
	Body Bytes
	Text string
}

// Bytes are base64 in JSON, padded or not.
type Bytes []byte

// UnmarshalText implements encoding.TextUnmarshaler.
func (b *Bytes) UnmarshalText(text []byte) error {
	decoded, ok := unpadded.Decode(string(text))
	if !ok {
		return pickle.Damaged("fixture: not base64")
	}
	*b = decoded
	return nil
}

// Key parses a Curve25519 key.
func Key(tb testing.TB, text string) ratchet.PublicKey {
	tb.Helper()
	k, err := ratchet.ParsePublicKey(text)
	if err != nil {
		tb.Fatal(err)
	}
	return k
}

// Lives loads the fixtures of a directory, of which there must be some.
func Lives(tb testing.TB, dir string) (all []Life) {
	tb.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil || len(paths) == 0 {
		tb.Fatalf("no fixtures in %s: %v", dir, err)
	}
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			tb.Fatal(err)
		}
		l := Life{Name: filepath.Base(path)}
		if err := json.Unmarshal(b, &l); err != nil {
			tb.Fatalf("%s: %v", path, err)
		}
		all = append(all, l)
	}
	return all
}

// Seal makes a pickle of its content.
func Seal(key, content []byte) string {
	c := message.NewCipher(key, "Pickle")
	b := c.AppendEncrypted(nil, content)
	mac := c.MAC(b)
	return unpadded.Encode(append(b, mac[:]...))
}

// Content opens a pickle.
func Content(tb testing.TB, key []byte, pickled string) []byte {
	tb.Helper()
	b, err := pickle.Open(key, pickled)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// CheckAccount fails the test unless an account is that of a fixture.
func CheckAccount(t *testing.T, got pickle.Account, want Account) {
	t.Helper()
	if got.Identity.Public().String() != want.Curve25519 || got.Signing.Public().String() != want.Ed25519 {
		t.Errorf("account %s %s, want %s %s", got.Identity.Public(), got.Signing.Public(), want.Curve25519, want.Ed25519)
	}
	if sig := got.Signing.Sign([]byte(want.Signed)); sig.String() != want.Signature {
		t.Errorf("it signs %s, want %s", sig, want.Signature)
	}
	checkKeys(t, got.OneTimeKeys, true, want.Published)
	checkKeys(t, got.OneTimeKeys, false, want.Unpublished)
	checkKeys(t, got.Fallbacks, true, []string{want.Fallback, want.PreviousFallback})
}

// checkKeys compares those keys that were published, or were not, in their order.
func checkKeys(t *testing.T, got []pickle.Key, published bool, want []string) {
	t.Helper()
	for _, k := range got {
		if k.Published != published {
			continue
		}
		if len(want) == 0 || k.Pair.Public().String() != want[0] {
			t.Fatalf("key %s (published %v), want %v", k.Pair.Public(), published, want)
		}
		want = want[1:]
	}
	if len(want) > 0 {
		t.Errorf("keys (published %v) are missing: %v", published, want)
	}
}

// CheckSession fails the test unless a session is that of a fixture: it sends what the
// old program would have, and reads what the peer sent.
func CheckSession(t *testing.T, s ratchet.Session, want Session) {
	t.Helper()
	if s.ID().String() != want.ID {
		t.Errorf("session %s, want %s", s.ID(), want.ID)
	}
	if want.Next != nil {
		_, m, err := s.Encrypt(nil, []byte(want.Next.Text))
		if err != nil || !want.Next.Is(m) {
			t.Errorf("it sends %d %x, %v, want %d %x", m.Type, m.Body, err, want.Next.Type, want.Next.Body)
		}
	}
	checkReads(t, s, want.Unread)
	// A new chain takes the place of the oldest, in which nothing is unread.
	newest := slices.Clone(want.Unread)
	slices.Reverse(newest)
	s = checkReads(t, s, newest)
	if _, _, err := s.Encrypt(rand.Reader, []byte("ours")); err != nil {
		t.Errorf("it does not send: %v", err)
	}
}

func checkReads(t *testing.T, s ratchet.Session, messages []Message) ratchet.Session {
	t.Helper()
	for _, m := range messages {
		next, text, err := s.Decrypt(m.Normal(t))
		if err != nil || string(text.Bytes) != m.Text {
			t.Errorf("it reads %q, %v, want %q", text.Bytes, err, m.Text)
			continue
		}
		s = next
	}
	return s
}

// Is reports whether both are one message. Of a pre-key message goolm writes the fields
// in another order.
func (m Message) Is(other ratchet.Message) bool {
	if m.Type != other.Type || m.Type != ratchet.PreKey {
		return m.Type == other.Type && bytes.Equal(m.Body, other.Body)
	}
	a, errA := ratchet.ParsePreKeyMessage(m.Body)
	b, errB := ratchet.ParsePreKeyMessage(other.Body)
	return errA == nil && errB == nil && reflect.DeepEqual(a, b)
}

// Normal returns the message that decrypts in a session.
func (m Message) Normal(tb testing.TB) ratchet.NormalMessage {
	tb.Helper()
	if m.Type == ratchet.PreKey {
		p, err := ratchet.ParsePreKeyMessage(m.Body)
		if err != nil {
			tb.Fatal(err)
		}
		return p.Normal
	}
	n, err := ratchet.ParseNormalMessage(m.Body)
	if err != nil {
		tb.Fatal(err)
	}
	return n
}

// CheckGroup fails the test unless a key is that of a fixture: it reads its messages.
func CheckGroup(t *testing.T, k group.Key, want Group) {
	t.Helper()
	if k.ID().String() != want.ID || k.Index() != want.Messages[0].Index {
		t.Errorf("session %s from %d, want %s from %d", k.ID(), k.Index(), want.ID, want.Messages[0].Index)
	}
	for _, m := range want.Messages {
		parsed, err := group.ParseMessage(m.Body)
		if err != nil {
			t.Fatal(err)
		}
		if text, err := k.Decrypt(parsed); err != nil || string(text) != m.Text {
			t.Errorf("it reads %q, %v, want %q", text, err, m.Text)
		}
	}
}
