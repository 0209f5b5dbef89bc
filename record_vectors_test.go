package pawl_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/vmihailenco/msgpack/v5"

	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/txn/seal"
)

var makeRecords = flag.Bool("records.make", false, "write vectors/records/records.json anew, from the life of a client")

// unread are what vectors/records leaves out: the keyring, of which there are others,
// and what no account's rules read.
var unread = []string{"keyring", "witness", "witnessed", "unmarked"}

// samplesOfKind is how many records of a kind are kept, of those that differ in length.
const samplesOfKind = 3

// recordVector is one of vectors/records/records.json; docs/port/records.md.
type recordVector struct {
	Name   string `json:"name"`
	Kind   string `json:"kind"`
	Record string `json:"record"`
	Fields any    `json:"fields,omitempty"`
	Expect string `json:"expect"`
}

// TestRecordVectors: there are vectors of every kind that the life of a client leaves.
func TestRecordVectors(t *testing.T) {
	samples := map[string][][]byte{}
	w, c := newWard(t), newClientWard(t)
	for _, store := range []kv.Store{w.phone.kv, c.phone.kv} {
		collect(t, store, samples)
	}
	const path = "vectors/records/records.json"
	if *makeRecords {
		if err := os.WriteFile(path, encodeVectors(t, samples), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Vectors []recordVector }
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	for kind := range samples {
		is := func(v recordVector) bool { return v.Kind == kind && v.Expect == "accepted" }
		if !slices.ContainsFunc(file.Vectors, is) {
			t.Errorf("a client's store has a record of kind %s, of which there are no vectors: go test -run TestRecordVectors . -records.make", kind)
		}
	}
	for _, k := range records.Kinds() {
		if k.Records != nil && samples[k.Records.Kind] == nil { // one is a rule alone
			t.Errorf("no client left a record of kind %s", k.Records.Kind)
		}
	}
}

// collect unseals the records of a store, some of each kind.
func collect(t *testing.T, store kv.Store, samples map[string][][]byte) {
	t.Helper()
	entries := back(t, store).entries
	at := slices.IndexFunc(entries, func(e kv.Entry) bool { return e.Key == "_/keyring" })
	ring, err := seal.Open(entries[at].Value[len("_/keyring")+1:], seal.RawKey([32]byte{9}))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		kind := strings.Split(e.Key, "/")[1]
		if slices.Contains(unread, kind) {
			continue
		}
		plain, err := ring.Open(nil, e.Key, e.Value)
		if err != nil {
			t.Fatalf("%s: %v", e.Key, err)
		}
		if plain[0] == 0 {
			continue // it was set aside: the mark in its place is of no kind
		}
		sameLength := func(known []byte) bool { return len(known) == len(plain) }
		if len(samples[kind]) < samplesOfKind && !slices.ContainsFunc(samples[kind], sameLength) {
			samples[kind] = append(samples[kind], plain)
		}
	}
}

// encodeVectors returns the file: samples, and what must be refused made of each kind's
// first.
func encodeVectors(t *testing.T, samples map[string][][]byte) []byte {
	t.Helper()
	file := map[string]any{
		"format": 1, "kind": "pawl-record", "description": "Records of each kind as a client left them, and records that must be refused.",
		"origin": map[string]string{"library": "Pawl: nobody else has these records", "command": "go test -run TestRecordVectors . -records.make", "date": "2026-11-30"},
		"expect": []string{"accepted", "format", "newer"},
	}
	var vectors []recordVector
	for _, kind := range slices.Sorted(func(yield func(string) bool) {
		for kind := range samples {
			if !yield(kind) {
				return
			}
		}
	}) {
		for i, b := range samples[kind] {
			vectors = append(vectors, recordVector{fmt.Sprintf("%s %d", kind, i+1), kind, hex.EncodeToString(b), fieldsOf(t, b[1:]), "accepted"})
		}
		first := samples[kind][0]
		for _, r := range []struct {
			name   string
			b      []byte
			expect string
		}{
			{"cut off", first[:len(first)-1], "format"},
			{"a byte at the end", append(bytes.Clone(first), 0xc0), "format"},
			{"a field more", fieldsMore(first, 1), "format"},
			{"a field fewer", fieldsMore(first, -1), "format"},
			{"version 200", append([]byte{200}, first[1:]...), "newer"},
		} {
			vectors = append(vectors, recordVector{kind + ", " + r.name, kind, hex.EncodeToString(r.b), nil, r.expect})
		}
	}
	file["vectors"] = vectors
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	if err := e.Encode(file); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// fieldsMore changes the number of fields that a record says it has, and adds one that
// is nil where it is more.
func fieldsMore(b []byte, n int) []byte {
	b = bytes.Clone(b)
	if b[1] == 0xdc {
		b[3] += byte(n)
	} else {
		b[1] += byte(n)
	}
	if n > 0 {
		b = append(b, 0xc0)
	}
	return b
}

// fieldsOf are the fields of a record, with {"bin": hexadecimal} for bytes.
func fieldsOf(t *testing.T, b []byte) any {
	t.Helper()
	var fields any
	if err := msgpack.Unmarshal(b, &fields); err != nil {
		t.Fatalf("%x: %v", b, err)
	}
	return inJSON(fields)
}

func inJSON(v any) any {
	switch v := v.(type) {
	case []byte:
		return map[string]string{"bin": hex.EncodeToString(v)}
	case []any:
		list := make([]any, len(v))
		for i, field := range v {
			list[i] = inJSON(field)
		}
		return list
	}
	return v
}
