package main

import (
	"bytes"
	"encoding/base64"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"testing"
)

var makeImages = flag.Bool("images.make", false, "write what inspect prints of vectors/images")

// TestInspectOfImages: of stores that older versions left the same is printed as then,
// which docs/port/images.md has others print too.
func TestInspectOfImages(t *testing.T) {
	const images = "../../vectors/images/"
	var key [32]byte
	for i := range key {
		key[i] = byte(i)
	}
	line := "pawl-key-1 " + base64.RawStdEncoding.EncodeToString(key[:]) + "\n"
	for _, prefix := range []string{"", sqlitePrefix} {
		p := place{sqlite: prefix != "", path: filepath.Join(t.TempDir(), "store")}
		file, copied := images+"badger.txt", os.CopyFS(p.path, os.DirFS(images+"badger"))
		if p.sqlite {
			file, copied = images+"sqlite.txt", errors.Join(os.RemoveAll(p.path), copyFile(images+"sqlite.db", p.path))
		}
		if err := errors.Join(copied, os.WriteFile(p.keyFile(), []byte(line), 0o600)); err != nil {
			t.Fatal(err)
		}
		root, out := newRoot(), new(bytes.Buffer)
		root.SetArgs([]string{"inspect", p.String()})
		root.SetOut(out)
		if err := root.ExecuteContext(t.Context()); err != nil {
			t.Fatal(err)
		}
		if *makeImages {
			if err := os.WriteFile(file, out.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil || out.String() != string(want) {
			t.Errorf("%s, %v: inspect prints\n%s\nwant\n%s", p, err, out, want)
		}
	}
}
