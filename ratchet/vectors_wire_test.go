package ratchet_test

import (
	"bytes"
	"testing"

	"github.com/pawlkv/pawl/internal/testfiles"
	"github.com/pawlkv/pawl/ratchet"
)

// wireVector is one message shown to Bob.
type wireVector struct {
	Name      string           `json:"name"`
	Comment   string           `json:"comment"`
	Setup     string           `json:"setup"`
	Type      int              `json:"type"`
	Body      testfiles.Base64 `json:"body"`
	Expect    string           `json:"expect"`
	Plaintext *testfiles.Hex   `json:"plaintext"`
	Fields    *wireFields      `json:"fields"`
	Libolm    string           `json:"libolm"`
}

// wireFields are the parts of a message that can be parsed; the first four
// only of a pre-key message.
type wireFields struct {
	OneTimeKey  testfiles.Hex `json:"one_time_key"`
	BaseKey     testfiles.Hex `json:"base_key"`
	IdentityKey testfiles.Hex `json:"identity_key"`
	SessionID   string        `json:"session_id"`
	RatchetKey  testfiles.Hex `json:"ratchet_key"`
	Index       uint32        `json:"index"`
	Ciphertext  testfiles.Hex `json:"ciphertext"`
	MAC         testfiles.Hex `json:"mac"`
}

// wireSetup is Bob before a message comes.
type wireSetup struct {
	Comment string       `json:"comment"`
	Bob     vectorDevice `json:"bob"`
	Steps   []vectorStep `json:"steps"`
}

func runWire(t *testing.T, f testfiles.Vectors) {
	var setups map[string]wireSetup
	testfiles.Strict(t, f.Setups, &setups)
	sessions := map[string]ratchet.Session{}
	for name, s := range setups {
		sessions[name] = s.session(t, f)
	}
	for _, v := range testfiles.List[wireVector](t, f) {
		t.Run(v.Name, func(t *testing.T) {
			setup, ok := setups[v.Setup]
			if !ok {
				t.Fatalf("no setup %q", v.Setup)
			}
			v.checkFields(t)
			plaintext, err := v.show(t, setup, sessions[v.Setup])
			f.Want(t, v.Expect, err)
			if (v.Plaintext != nil) != (err == nil) {
				t.Fatal("a plaintext is given exactly for accepted messages")
			}
			if err == nil && !bytes.Equal(plaintext, *v.Plaintext) {
				t.Fatalf("plaintext %q, expected %q", plaintext, *v.Plaintext)
			}
		})
	}
}

// session is the zero one where the message has to open it.
func (s wireSetup) session(t *testing.T, f testfiles.Vectors) ratchet.Session {
	p := player{file: f, bob: s.Bob, sessions: map[string]ratchet.Session{}}
	for _, step := range s.Steps {
		if step.By == "bob" {
			p.play(t, []vectorStep{step})
		}
	}
	return p.sessions["bob"]
}

func (v wireVector) show(t *testing.T, setup wireSetup, session ratchet.Session) ([]byte, error) {
	t.Helper()
	if session.IsZero() {
		m, err := ratchet.ParsePreKeyMessage(v.Body)
		if err != nil {
			return nil, err
		}
		if session, err = ratchet.NewInbound(setup.Bob.Identity.pair(t), setup.Bob.OneTime.pair(t), m); err != nil {
			return nil, err
		}
	}
	before := record(t, session)
	_, plaintext, err := decrypt(session, ratchet.Message{Type: ratchet.MessageType(v.Type), Body: v.Body})
	if !bytes.Equal(record(t, session), before) {
		t.Fatal("decrypting changed the session that it was called on")
	}
	return plaintext, err
}

// checkFields compares what parsing shows. Without fields there must be
// nothing to parse.
func (v wireVector) checkFields(t *testing.T) {
	t.Helper()
	normal, err := v.parse(t)
	if (v.Fields != nil) != (err == nil) {
		t.Fatalf("fields are given exactly for messages that can be parsed: %v", err)
	}
	if err != nil {
		return
	}
	f := v.Fields
	if normal.RatchetKey != ratchet.PublicKey(f.RatchetKey) || normal.Index != f.Index {
		t.Fatalf("parsed ratchet key %v and index %d, expected %x and %d", normal.RatchetKey, normal.Index, f.RatchetKey, f.Index)
	}
	if !bytes.Contains(v.Body, f.Ciphertext) || !bytes.Contains(v.Body, f.MAC) {
		t.Fatal("the vector's ciphertext and MAC are not parts of its body")
	}
}

func (v wireVector) parse(t *testing.T) (ratchet.NormalMessage, error) {
	t.Helper()
	if v.Type != int(ratchet.PreKey) {
		return ratchet.ParseNormalMessage(v.Body)
	}
	m, err := ratchet.ParsePreKeyMessage(v.Body)
	if err != nil || v.Fields == nil {
		return m.Normal, err
	}
	for name, key := range map[string]struct{ got, want []byte }{
		"one-time key": {m.OneTimeKey[:], v.Fields.OneTimeKey},
		"base key":     {m.BaseKey[:], v.Fields.BaseKey},
		"identity key": {m.IdentityKey[:], v.Fields.IdentityKey},
	} {
		if !bytes.Equal(key.got, key.want) {
			t.Errorf("parsed %s %x, expected %x", name, key.got, key.want)
		}
	}
	if got := m.SessionID().String(); got != v.Fields.SessionID {
		t.Errorf("session id %s, expected %s", got, v.Fields.SessionID)
	}
	return m.Normal, nil
}
