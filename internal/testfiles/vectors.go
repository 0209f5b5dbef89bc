// Package testfiles reads what tests keep in files: vectors of known answers,
// testdata/vectors/*.json (the README.md beside them specifies their shape), and the
// seeds of fuzz targets, testdata/fuzz.
package testfiles

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
)

// Format is the version of the shape of files that is read.
const Format = 1

// Vectors is one file. Setups and vectors are read by its kind.
type Vectors struct {
	Format      int             `json:"format"`
	Kind        string          `json:"kind"`
	Description string          `json:"description"`
	Origin      Origin          `json:"origin"`
	Expect      []string        `json:"expect"` // the outcomes that occur in it
	Setups      json.RawMessage `json:"setups"`
	Vectors     json.RawMessage `json:"vectors"`

	outcomes map[string][]error
}

// Origin says who made a file.
type Origin struct{ Library, Command, Date string }

// Kinds are the kinds of file that there must be, one of each, and what runs it.
type Kinds map[string]func(*testing.T, Vectors)

// Run runs all files of the package under test. Outcomes is the closed set of names
// of outcomes and the errors that each may be: none where it is a success.
func Run(t *testing.T, kinds Kinds, outcomes map[string][]error) {
	RunIn(t, filepath.Join("testdata", "vectors"), kinds, outcomes)
}

// RunIn runs all files of a directory.
func RunIn(t *testing.T, dir string, kinds Kinds, outcomes map[string][]error) {
	paths, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, path := range paths {
		f := read(t, path, outcomes)
		switch {
		case kinds[f.Kind] == nil:
			t.Fatalf("%s: kind %q is unknown", path, f.Kind)
		case found[f.Kind]:
			t.Errorf("%s: a second file of kind %q", path, f.Kind)
		}
		found[f.Kind] = true
		t.Run(f.Kind, func(t *testing.T) { kinds[f.Kind](t, f) })
	}
	for kind := range kinds {
		if !found[kind] {
			t.Errorf("no vectors of kind %q in %s", kind, dir)
		}
	}
}

func read(t *testing.T, path string, outcomes map[string][]error) Vectors {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	f := Vectors{outcomes: outcomes}
	Strict(t, b, &f)
	switch {
	case f.Format != Format:
		t.Fatalf("%s: format %d, this loader reads %d", path, f.Format, Format)
	case f.Origin.Library == "" || f.Origin.Command == "" || f.Origin.Date == "":
		t.Fatalf("%s: origin %+v is incomplete", path, f.Origin)
	case len(f.Expect) == 0:
		t.Fatalf("%s: no set of outcomes", path)
	}
	for _, name := range f.Expect {
		if _, known := outcomes[name]; !known {
			t.Fatalf("%s: outcome %q is unknown", path, name)
		}
	}
	return f
}

// Strict decodes one JSON value, of which every field must be known.
func Strict(t *testing.T, b []byte, v any) {
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

// List decodes the vectors of a file, of which there must be some.
func List[V any](t *testing.T, f Vectors) []V {
	t.Helper()
	var vectors []V
	Strict(t, f.Vectors, &vectors)
	if len(vectors) == 0 {
		t.Fatal("no vectors")
	}
	return vectors
}

// Want fails unless err is what an outcome of the file's set stands for.
func (f Vectors) Want(t *testing.T, outcome string, err error) {
	t.Helper()
	if !slices.Contains(f.Expect, outcome) {
		t.Fatalf("outcome %q is not in the file's set %q", outcome, f.Expect)
	}
	is := func(want error) bool { return errors.Is(err, want) }
	if of := f.outcomes[outcome]; len(of) == 0 && err != nil || len(of) > 0 && !slices.ContainsFunc(of, is) {
		t.Fatalf("got %v, expected %q %v", err, outcome, of)
	}
}

type (
	Hex    []byte // lower-case hexadecimal
	Base64 []byte // unpadded base64
)

func (h *Hex) UnmarshalText(text []byte) (err error) {
	*h, err = hex.DecodeString(string(text))
	return err
}

func (b *Base64) UnmarshalText(text []byte) (err error) {
	*b, err = base64.RawStdEncoding.Strict().DecodeString(string(text))
	return err
}
