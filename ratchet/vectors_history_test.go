package ratchet_test

import (
	"bytes"
	"testing"

	"github.com/pawlkv/pawl/internal/testfiles"
	"github.com/pawlkv/pawl/ratchet"
)

// vectorStep is one thing that happens to one side.
type vectorStep struct {
	Do        string           `json:"do"`
	By        string           `json:"by"`
	Random    *testfiles.Hex   `json:"random"`
	Plaintext *testfiles.Hex   `json:"plaintext"`
	Count     int              `json:"count"`
	Message   *int             `json:"message"`
	Type      *int             `json:"type"`
	Body      testfiles.Base64 `json:"body"`
	Expect    string           `json:"expect"`
	Libolm    string           `json:"libolm"`
	Comment   string           `json:"comment"`
}

type historyVector struct {
	Name       string        `json:"name"`
	Comment    string        `json:"comment"`
	Alice      vectorDevice  `json:"alice"`
	Bob        vectorDevice  `json:"bob"`
	OpenRandom testfiles.Hex `json:"open_random"`
	SessionID  string        `json:"session_id"`
	Steps      []vectorStep  `json:"steps"`
}

// player performs steps on sessions and checks what comes of each.
type player struct {
	file     testfiles.Vectors
	bob      vectorDevice
	sessions map[string]ratchet.Session
	messages []message
}

// message is what was encrypted and said.
type message struct {
	ratchet.Message
	plaintext []byte
}

func runHistories(t *testing.T, f testfiles.Vectors) {
	for _, v := range testfiles.List[historyVector](t, f) {
		t.Run(v.Name, func(t *testing.T) { v.run(t, f) })
	}
}

func (v historyVector) run(t *testing.T, f testfiles.Vectors) {
	alice, err := ratchet.NewOutbound(bytes.NewReader(v.OpenRandom), v.Alice.Identity.pair(t),
		v.Bob.Identity.pair(t).Public(), v.Bob.OneTime.pair(t).Public())
	if err != nil {
		t.Fatal(err)
	}
	p := player{file: f, bob: v.Bob, sessions: map[string]ratchet.Session{"alice": alice}}
	p.play(t, v.Steps)
	for who, s := range p.sessions {
		if got := s.ID().String(); got != v.SessionID {
			t.Errorf("%s's session is %s, expected %s", who, got, v.SessionID)
		}
	}
}

func (p *player) play(t *testing.T, steps []vectorStep) {
	t.Helper()
	if len(steps) == 0 {
		t.Fatal("no steps")
	}
	for i, s := range steps {
		t.Logf("step %d: %s %s", i, s.By, s.Do)
		switch s.Do {
		case "open":
			p.open(t, s)
		case "encrypt":
			p.encrypt(t, s)
		case "skip":
			p.skip(t, s)
		case "decrypt":
			p.decrypt(t, s)
		default:
			t.Fatalf("a step of kind %q is unknown", s.Do)
		}
	}
}

// message is the one that a step refers to, or brings along.
func (p *player) message(t *testing.T, s vectorStep) message {
	t.Helper()
	if s.Message != nil {
		return p.messages[*s.Message]
	}
	m := message{Message: ratchet.Message{Type: ratchet.MessageType(*s.Type), Body: s.Body}}
	if s.Plaintext != nil {
		m.plaintext = *s.Plaintext
	}
	return m
}

func (p *player) open(t *testing.T, s vectorStep) {
	t.Helper()
	m, err := ratchet.ParsePreKeyMessage(p.message(t, s).Body)
	if err != nil {
		t.Fatal(err)
	}
	p.sessions[s.By], err = ratchet.NewInbound(p.bob.Identity.pair(t), p.bob.OneTime.pair(t), m)
	if err != nil {
		t.Fatal(err)
	}
}

// encrypt must give exactly the bytes that libolm gave, and read exactly the
// randomness that libolm read.
func (p *player) encrypt(t *testing.T, s vectorStep) {
	t.Helper()
	m := p.seal(t, s)
	if int(m.Type) != *s.Type || !bytes.Equal(m.Body, s.Body) {
		t.Fatalf("encrypted to type %d\n%x\nexpected type %d\n%x", m.Type, m.Body, *s.Type, []byte(s.Body))
	}
	p.messages = append(p.messages, message{m, *s.Plaintext})
}

func (p *player) skip(t *testing.T, s vectorStep) {
	t.Helper()
	for i := range s.Count {
		if i > 0 {
			s.Random = &testfiles.Hex{}
		}
		p.seal(t, s)
	}
}

func (p *player) seal(t *testing.T, s vectorStep) ratchet.Message {
	t.Helper()
	random := bytes.NewReader(*s.Random)
	next, m, err := p.sessions[s.By].Encrypt(random, *s.Plaintext)
	if err != nil {
		t.Fatal(err)
	}
	if random.Len() != 0 {
		t.Fatalf("%d of %d random bytes were not used", random.Len(), len(*s.Random))
	}
	p.sessions[s.By] = next
	return m
}

// decrypt compares the verdict, and after a refusal the session's bytes.
func (p *player) decrypt(t *testing.T, s vectorStep) {
	t.Helper()
	m := p.message(t, s)
	before := record(t, p.sessions[s.By])
	next, plaintext, err := decrypt(p.sessions[s.By], m.Message)
	p.file.Want(t, s.Expect, err)
	if !bytes.Equal(record(t, p.sessions[s.By]), before) {
		t.Fatal("decrypting changed the session that it was called on")
	}
	if err != nil {
		return
	}
	if m.plaintext != nil && !bytes.Equal(plaintext, m.plaintext) {
		t.Fatalf("plaintext %q, expected %q", plaintext, m.plaintext)
	}
	p.sessions[s.By] = next
}

// decrypt parses and decrypts a message of either type.
func decrypt(s ratchet.Session, m ratchet.Message) (ratchet.Session, []byte, error) {
	var normal ratchet.NormalMessage
	if m.Type == ratchet.PreKey {
		prekey, err := ratchet.ParsePreKeyMessage(m.Body)
		if err != nil {
			return ratchet.Session{}, nil, err
		}
		normal = prekey.Normal
	} else {
		var err error
		if normal, err = ratchet.ParseNormalMessage(m.Body); err != nil {
			return ratchet.Session{}, nil, err
		}
	}
	next, plaintext, err := s.Decrypt(normal)
	return next, plaintext.Bytes, err
}

func record(t *testing.T, s ratchet.Session) []byte {
	t.Helper()
	b, err := s.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
