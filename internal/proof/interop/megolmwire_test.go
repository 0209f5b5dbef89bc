package interop_test

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/pawlkv/pawl/internal/proof/interop"
)

// megolmVectors is what this test needs of wire.json and keys.json of Megolm.
type megolmVectors struct {
	Vectors []struct{ Name, Format, Key, Body, Expect, Libolm string }
}

// goolmTakes are the messages and keys that goolm accepts and Pawl refuses, and
// why.
var goolmTakes = map[string]string{
	"field number 0":   "protobuf has no field 0",
	"tag in two bytes": "a second spelling of a field",
}

// TestMegolmVectors shows the odd messages and keys to goolm, whose differences
// from Pawl are listed above. What libolm said is in the files.
func TestMegolmVectors(t *testing.T) {
	differ := map[string]bool{}
	for _, file := range []string{"wire.json", "keys.json"} {
		for _, v := range readMegolm(t, file).Vectors {
			err := showMegolm(t, interop.Goolm{}, v.Format, v.Key, v.Body)
			switch {
			case v.Expect == "accepted" && err != nil:
				t.Errorf("%s: goolm refuses what Pawl accepts: %v", v.Name, err)
			case v.Expect != "accepted" && err == nil:
				differ[v.Name] = true
			}
		}
	}
	if !sameKeys(differ, goolmTakes) {
		t.Errorf("goolm accepts and Pawl refuses\n%q\nexpected\n%q", keys(differ), keys(goolmTakes))
	}
}

func readMegolm(t *testing.T, file string) (f megolmVectors) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "..", "..", "group", "testdata", "vectors", file))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &f); err != nil || len(f.Vectors) == 0 {
		t.Fatalf("%s: %d vectors, %v", file, len(f.Vectors), err)
	}
	return f
}

// showMegolm reads a key, or shows a message to one.
func showMegolm(t *testing.T, impl interop.Megolm, format, key, body string) error {
	t.Helper()
	switch b := unbase64(t, body); format {
	case "shared":
		_, err := impl.FromShared(b)
		return err
	case "exported":
		_, err := impl.FromExported(b)
		return err
	default:
		r, err := impl.FromExported(unbase64(t, key))
		if err != nil {
			t.Fatal(err)
		}
		_, _, err = r.Decrypt(b)
		return err
	}
}

func unbase64(t *testing.T, s string) []byte {
	t.Helper()
	b, err := base64.RawStdEncoding.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
