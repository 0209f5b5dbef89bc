package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// TestRaisedIsSaid: the command that raises a store of format 1 says so on standard error
// in one line, and its output is the same as ever; others say nothing.
func TestRaisedIsSaid(t *testing.T) {
	key := [32]byte{1, 2, 3}
	line := "pawl-key-1 " + base64.RawStdEncoding.EncodeToString(key[:]) + "\n"
	for _, prefix := range []string{"", sqlitePrefix} {
		p := place{sqlite: prefix != "", path: filepath.Join(t.TempDir(), "store")}
		err := os.CopyFS(p.path, os.DirFS("../../testdata/format1/badger"))
		if p.sqlite {
			err = errors.Join(os.RemoveAll(p.path), copyFile("../../testdata/format1/sqlite.db", p.path))
		}
		if err := errors.Join(err, os.WriteFile(p.keyFile(), []byte(line), 0o600)); err != nil {
			t.Fatal(err)
		}
		said := fmt.Sprintf("pawl: %s was raised from format 1 to 2: older programs do not open it any more\n", p)
		for i, c := range []struct{ command, said string }{{"inspect", ""}, {"check", ""}, {"sweep", said}, {"sweep", ""}, {"inspect", ""}} {
			root, out, stderr := newRoot(), new(bytes.Buffer), new(bytes.Buffer)
			root.SetArgs([]string{c.command, p.String(), "--json"})
			root.SetOut(out)
			root.SetErr(stderr)
			if err := root.ExecuteContext(t.Context()); err != nil || !json.Valid(out.Bytes()) || stderr.String() != c.said {
				t.Errorf("%s, command %d: %v, printed %q, and said %q, want %q", p, i, err, out, stderr, c.said)
			}
		}
	}
}
