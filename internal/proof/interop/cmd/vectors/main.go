//go:build libolm

// Command vectors makes the language-neutral test vectors of Pawl with libolm.
//
//	go run -tags libolm ./cmd/vectors -out ../../.. -seed 1 -date 2026-11-22
//
// All randomness, libolm's included, follows from the seed, so the same
// command makes the same files. With -check nothing is written: it fails if a
// file in the tree differs from what it would write.
package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"

	"github.com/pawlkv/pawl/internal/proof/interop"
)

// library is what the files name as their maker.
const library = "libolm 3.2.13"

// What the files in the tree were made with.
const (
	defaultSeed = 1
	defaultDate = "2026-11-22"
)

func main() {
	var g generator
	flag.StringVar(&g.root, "out", "../../..", "root of the repository")
	flag.Uint64Var(&g.seed, "seed", defaultSeed, "where all randomness follows from")
	flag.StringVar(&g.date, "date", defaultDate, "the date to put into the files")
	flag.BoolVar(&g.check, "check", false, "compare with the files that are there")
	flag.Parse()
	if err := g.run(); err != nil {
		fmt.Fprintln(os.Stderr, "vectors:", err)
		os.Exit(1)
	}
}

// generator writes vector files, or compares them.
type generator struct {
	root, date string
	seed       uint64
	check      bool
}

// makers are the files, by path under the root. Each starts from the seed
// anew, so that a change to one leaves the others as they are.
var makers = []struct {
	path string
	make func() (File, error)
}{
	{"account/testdata/vectors/canonical.json", makeCanonical},
	{"account/testdata/vectors/ed25519.json", makeSignatures},
	{"account/testdata/vectors/upload.json", makeUploads},
	{"group/testdata/vectors/keys.json", makeMegolmKeys},
	{"group/testdata/vectors/sessions.json", makeMegolmSessions},
	{"group/testdata/vectors/wire.json", makeMegolmWire},
	{"ratchet/testdata/vectors/handshake.json", makeHandshakes},
	{"ratchet/testdata/vectors/history.json", makeHistories},
	{"ratchet/testdata/vectors/record.json", makeRecords},
	{"ratchet/testdata/vectors/wire.json", makeWire},
}

// run makes all files without collecting garbage. The binding has libolm write into memory
// that a collection may have given to something else by then: one run in eight had eight
// bytes of a name overwritten. What is made takes little memory.
func (g generator) run() error {
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	for _, m := range makers {
		restore := interop.Seed(g.seed)
		f, err := m.make()
		restore()
		if err != nil {
			return fmt.Errorf("%s: %w", m.path, err)
		}
		if err := g.put(m.path, f); err != nil {
			return err
		}
	}
	return nil
}

func (g generator) put(path string, f File) error {
	f.Format = format
	f.Origin = Origin{
		Library: cmp.Or(f.Origin.Library, library),
		Command: fmt.Sprintf("cd internal/proof/interop && go run -tags libolm ./cmd/vectors -seed %d -date %s", g.seed, g.date),
		Date:    g.date,
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", " ")
	if err := enc.Encode(f); err != nil {
		return err
	}
	path = filepath.Join(g.root, filepath.FromSlash(path))
	if g.check {
		return compare(path, b.Bytes())
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, b.Bytes(), 0o644)
}

var errDiffers = errors.New("differs from what this command makes")

func compare(path string, want []byte) error {
	got, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if !bytes.Equal(got, want) {
		return fmt.Errorf("%s: %w", path, errDiffers)
	}
	return nil
}
