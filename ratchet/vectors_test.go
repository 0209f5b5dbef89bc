package ratchet_test

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

	"github.com/pawlkv/pawl/ratchet"
)

// vectorFormat is the version of the shape of vector files that this loader
// reads; testdata/vectors/README.md specifies it.
const vectorFormat = 1

// vectorKinds are the files there must be and who runs what is in them.
var vectorKinds = map[string]func(*testing.T, vectorFile){
	"olm-handshake":       runHandshakes,
	"olm-history":         runHistories,
	"olm-wire":            runWire,
	"pawl-session-record": runRecords,
}

// verdicts is the closed set of outcomes and the error that each one is.
var verdicts = map[string]error{
	"accepted":      nil,
	"malformed":     ratchet.ErrMalformed,
	"version":       ratchet.ErrVersion,
	"mac":           ratchet.ErrMAC,
	"key-gone":      ratchet.ErrKeyGone,
	"gap":           ratchet.ErrGap,
	"unknown-chain": ratchet.ErrUnknownChain,
	"zero-secret":   ratchet.ErrZeroSecret,
	"format":        ratchet.ErrFormat,
}

// vectorFile is the head of a file; setups and vectors are read by kind.
type vectorFile struct {
	Format      int             `json:"format"`
	Kind        string          `json:"kind"`
	Description string          `json:"description"`
	Origin      origin          `json:"origin"`
	Expect      []string        `json:"expect"`
	Setups      json.RawMessage `json:"setups"`
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

// vectorKey is a key pair.
type vectorKey struct {
	Private hexBytes `json:"private"`
	Public  hexBytes `json:"public"`
}

// pair computes the public part, which must be the one given.
func (k vectorKey) pair(t *testing.T) ratchet.KeyPair {
	t.Helper()
	p := ratchet.NewKeyPair([32]byte(k.Private))
	if p.Public() != ratchet.PublicKey(k.Public) {
		t.Fatalf("public key %v of a private key, expected %x", p.Public(), k.Public)
	}
	return p
}

// vectorDevice is one side's long-lived keys.
type vectorDevice struct {
	Identity vectorKey  `json:"identity"`
	OneTime  *vectorKey `json:"one_time"`
}
