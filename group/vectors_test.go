package group_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/pawlkv/pawl/group"
)

// vectorFormat is the version of the shape of vector files that this loader
// reads; testdata/vectors/README.md specifies it.
const vectorFormat = 1

// vectorKinds are the files there must be and who runs what is in them.
var vectorKinds = map[string]func(*testing.T, vectorFile){
	"megolm-session": runSessions,
	"megolm-wire":    runWire,
	"megolm-key":     runKeys,

	"pawl-room-key-merge": runMerges,
}

// verdicts is the closed set of outcomes and the error that each one is.
var verdicts = map[string]error{
	"accepted":  nil,
	"malformed": group.ErrMalformed,
	"version":   group.ErrVersion,
	"signature": group.ErrSignature,
	"mac":       group.ErrMAC,
	"too-early": group.ErrTooEarly,
	"forgotten": group.ErrForgotten,
}

// vectorFile is the head of a file; vectors are read by kind.
type vectorFile struct {
	Format      int             `json:"format"`
	Kind        string          `json:"kind"`
	Description string          `json:"description"`
	Origin      origin          `json:"origin"`
	Expect      []string        `json:"expect"`
	Vectors     json.RawMessage `json:"vectors"`
}

type origin struct{ Library, Command, Date string }

func TestVectors(t *testing.T) {
	paths, err := filepath.Glob(filepath.Join("testdata", "vectors", "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, path := range paths {
		f := readVectors(t, path)
		if found[f.Kind] {
			t.Errorf("%s: a second file of kind %q", path, f.Kind)
		}
		found[f.Kind] = true
		t.Run(f.Kind, func(t *testing.T) { vectorKinds[f.Kind](t, f) })
	}
	for kind := range vectorKinds {
		if !found[kind] {
			t.Errorf("no vectors of kind %q in testdata/vectors", kind)
		}
	}
}

func readVectors(t *testing.T, path string) vectorFile {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var f vectorFile
	strict(t, b, &f)
	switch {
	case f.Format != vectorFormat:
		t.Fatalf("%s: format %d, this loader reads %d", path, f.Format, vectorFormat)
	case vectorKinds[f.Kind] == nil:
		t.Fatalf("%s: kind %q is unknown", path, f.Kind)
	case f.Origin.Library == "" || f.Origin.Command == "" || f.Origin.Date == "":
		t.Fatalf("%s: origin %+v is incomplete", path, f.Origin)
	case len(f.Expect) == 0:
		t.Fatalf("%s: no set of outcomes", path)
	}
	for _, name := range f.Expect {
		if _, ok := verdicts[name]; !ok {
			t.Fatalf("%s: outcome %q is unknown", path, name)
		}
	}
	return f
}

// strict decodes one JSON value, of which every field must be known.
func strict(t *testing.T, b []byte, v any) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Token(); err != io.EOF {
		t.Fatalf("more than one JSON value: %v", err)
	}
}

// list decodes the vectors of a file, of which there must be some.
func list[V any](t *testing.T, f vectorFile) []V {
	t.Helper()
	var vectors []V
	strict(t, f.Vectors, &vectors)
	if len(vectors) == 0 {
		t.Fatal("no vectors")
	}
	return vectors
}

// want checks err against an outcome of the file's closed set.
func (f vectorFile) want(t *testing.T, name string, err error) {
	t.Helper()
	if !slices.Contains(f.Expect, name) {
		t.Fatalf("outcome %q is not in the file's set %q", name, f.Expect)
	}
	if !errors.Is(err, verdicts[name]) {
		t.Fatalf("got %v, expected %q (%v)", err, name, verdicts[name])
	}
}

// hexBytes is lower-case hexadecimal, base64Bytes unpadded base64.
type (
	hexBytes    []byte
	base64Bytes []byte
)

func (h *hexBytes) UnmarshalText(text []byte) (err error) {
	*h, err = hex.DecodeString(string(text))
	return err
}

func (b *base64Bytes) UnmarshalText(text []byte) (err error) {
	*b, err = base64.RawStdEncoding.Strict().DecodeString(string(text))
	return err
}

// sessionVector is a session and what is sent and given away in it.
type sessionVector struct {
	Name      string        `json:"name"`
	Comment   string        `json:"comment"`
	Random    hexBytes      `json:"random"`
	SessionID string        `json:"session_id"`
	Steps     []sessionStep `json:"steps"`
}

type sessionStep struct {
	Do        string      `json:"do"`
	Index     uint32      `json:"index"`
	Plaintext hexBytes    `json:"plaintext"`
	Body      base64Bytes `json:"body"`
}

func runSessions(t *testing.T, f vectorFile) {
	for _, v := range list[sessionVector](t, f) {
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
	Name      string      `json:"name"`
	Comment   string      `json:"comment"`
	Format    string      `json:"format"`
	Key       base64Bytes `json:"key"`
	Body      base64Bytes `json:"body"`
	Expect    string      `json:"expect"`
	Plaintext *hexBytes   `json:"plaintext"`
	Fields    *struct {
		Index     uint32 `json:"index"`
		SessionID string `json:"session_id"`
	} `json:"fields"`
	Libolm string `json:"libolm"`
}

func runWire(t *testing.T, f vectorFile) {
	for _, v := range list[wireVector](t, f) {
		t.Run(v.Name, func(t *testing.T) {
			k, err := group.ParseExportedKey(v.Key)
			if err != nil {
				t.Fatal(err)
			}
			text, err := show(k, v.Body)
			f.want(t, v.Expect, err)
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

func runKeys(t *testing.T, f vectorFile) {
	parsers := map[string]func([]byte) (group.Key, error){
		"shared": group.ParseSharedKey, "exported": group.ParseExportedKey,
	}
	for _, v := range list[wireVector](t, f) {
		t.Run(v.Name, func(t *testing.T) {
			k, err := parsers[v.Format](v.Body)
			f.want(t, v.Expect, err)
			if (v.Fields != nil) != (err == nil) {
				t.Fatal("fields are given exactly for accepted keys")
			}
			if err == nil && (k.Index() != v.Fields.Index || k.ID().String() != v.Fields.SessionID) {
				t.Fatalf("key of %v at %d, expected %s at %d", k.ID(), k.Index(), v.Fields.SessionID, v.Fields.Index)
			}
		})
	}
}
