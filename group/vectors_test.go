package group_test

import (
	"bytes"
	"testing"

	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/testfiles"
)

// outcomes are those that a vector may name, and the errors that they are.
var outcomes = map[string][]error{
	"accepted":  nil,
	"malformed": {group.ErrMalformed},
	"version":   {group.ErrVersion},
	"signature": {group.ErrSignature},
	"mac":       {group.ErrMAC},
	"too-early": {group.ErrTooEarly},
	"forgotten": {group.ErrForgotten},
}

func TestVectors(t *testing.T) {
	testfiles.Run(t, testfiles.Kinds{
		"megolm-session": runSessions,
		"megolm-wire":    runWire,
		"megolm-key":     runKeys,

		"pawl-room-key-merge": runMerges,
	}, outcomes)
}

// sessionVector is a session and what is sent and given away in it.
type sessionVector struct {
	Name      string        `json:"name"`
	Comment   string        `json:"comment"`
	Random    testfiles.Hex `json:"random"`
	SessionID string        `json:"session_id"`
	Steps     []sessionStep `json:"steps"`
}

type sessionStep struct {
	Do        string           `json:"do"`
	Index     uint32           `json:"index"`
	Plaintext testfiles.Hex    `json:"plaintext"`
	Body      testfiles.Base64 `json:"body"`
}

func runSessions(t *testing.T, f testfiles.Vectors) {
	for _, v := range testfiles.List[sessionVector](t, f) {
		t.Run(v.Name, func(t *testing.T) {
			sender, err := group.NewSender(bytes.NewReader(v.Random))
			if err != nil || sender.ID().String() != v.SessionID {
				t.Fatalf("session %v, expected %s: %v", sender.ID(), v.SessionID, err)
			}
			key := sender.Key()
			for _, step := range v.Steps {
				sender = step.play(t, sender, key)
			}
		})
	}
}

func (step sessionStep) play(t *testing.T, s group.Sender, first group.Key) group.Sender {
	t.Helper()
	var body []byte
	var err error
	switch step.Do {
	case "advance":
		return advanced(t, s, first, step.Index)
	case "encrypt":
		if s.Index() != step.Index {
			t.Fatalf("sender at %d, expected %d", s.Index(), step.Index)
		}
		s, body, err = s.Encrypt(step.Plaintext)
		step.read(t, first)
	case "share":
		body, err = s.Share()
	case "export":
		var k group.Key
		if k, err = first.Advance(step.Index); err == nil {
			body, err = k.Export(nil)
		}
	default:
		t.Fatalf("unknown step %q", step.Do)
	}
	if err != nil || !bytes.Equal(body, step.Body) {
		t.Fatalf("%s at %d gives %x, %v; expected %x", step.Do, step.Index, body, err, step.Body)
	}
	return s
}

// advanced is the sender without the messages up to an index.
func advanced(t *testing.T, s group.Sender, first group.Key, index uint32) group.Sender {
	t.Helper()
	record, err := s.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	k, err := first.Advance(index)
	if err != nil {
		t.Fatal(err)
	}
	key, err := k.Export(nil)
	if err != nil {
		t.Fatal(err)
	}
	copy(record[1:133], key[1:133]) // index and ratchet stand in both alike
	if s, err = group.DecodeSender(record); err != nil {
		t.Fatal(err)
	}
	return s
}

// read gives the message to the first key and to the one of its own index.
func (step sessionStep) read(t *testing.T, first group.Key) {
	t.Helper()
	m, err := group.ParseMessage(step.Body)
	if err != nil {
		t.Fatal(err)
	}
	own, err := first.Advance(step.Index)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range []group.Key{first, own} {
		if text, err := k.Decrypt(m); err != nil || !bytes.Equal(text, step.Plaintext) {
			t.Fatalf("message %d is read as %q, %v", m.Index, text, err)
		}
	}
}

// wireVector is one message shown to a key, or a key.
type wireVector struct {
	Name      string           `json:"name"`
	Comment   string           `json:"comment"`
	Format    string           `json:"format"`
	Key       testfiles.Base64 `json:"key"`
	Body      testfiles.Base64 `json:"body"`
	Expect    string           `json:"expect"`
	Plaintext *testfiles.Hex   `json:"plaintext"`
	Fields    *struct {
		Index     uint32 `json:"index"`
		SessionID string `json:"session_id"`
	} `json:"fields"`
	Libolm string `json:"libolm"`
}

func runWire(t *testing.T, f testfiles.Vectors) {
	for _, v := range testfiles.List[wireVector](t, f) {
		t.Run(v.Name, func(t *testing.T) {
			k, err := group.ParseExportedKey(v.Key)
			if err != nil {
				t.Fatal(err)
			}
			text, err := show(k, v.Body)
			f.Want(t, v.Expect, err)
			if (v.Plaintext != nil) != (err == nil) {
				t.Fatal("a plaintext is given exactly for accepted messages")
			}
			if err == nil && !bytes.Equal(text, *v.Plaintext) {
				t.Fatalf("plaintext %q, expected %q", text, *v.Plaintext)
			}
			if after, _ := k.Export(nil); !bytes.Equal(after, v.Key) {
				t.Fatal("decrypting changed the key")
			}
		})
	}
}

func show(k group.Key, body []byte) ([]byte, error) {
	m, err := group.ParseMessage(body)
	if err != nil {
		return nil, err
	}
	return k.Decrypt(m)
}

func runKeys(t *testing.T, f testfiles.Vectors) {
	parsers := map[string]func([]byte) (group.Key, error){
		"shared": group.ParseSharedKey, "exported": group.ParseExportedKey,
	}
	for _, v := range testfiles.List[wireVector](t, f) {
		t.Run(v.Name, func(t *testing.T) {
			k, err := parsers[v.Format](v.Body)
			f.Want(t, v.Expect, err)
			if (v.Fields != nil) != (err == nil) {
				t.Fatal("fields are given exactly for accepted keys")
			}
			if err == nil && (k.Index() != v.Fields.Index || k.ID().String() != v.Fields.SessionID) {
				t.Fatalf("key of %v at %d, expected %s at %d", k.ID(), k.Index(), v.Fields.SessionID, v.Fields.Index)
			}
		})
	}
}
