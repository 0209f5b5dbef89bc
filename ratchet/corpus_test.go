package ratchet

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the seeds of the fuzz targets to testdata/fuzz")

// corpora are the seeds of each fuzz target. They are committed as files, which
// plain go test replays, so that fuzzing starts from every case of the formats.
func corpora() map[string][]seed {
	return map[string][]seed{
		"FuzzParseNormalMessage": normalSeeds(),
		"FuzzParsePreKeyMessage": preKeySeeds(),
		"FuzzDecodeSession":      recordSeeds(),
		"FuzzParsePublicKey":     keySeeds(),
		"FuzzParseSessionID":     textSeeds(),
		"FuzzDecrypt":            normalSeeds(),
	}
}

func corpusFile(target string, s seed) string {
	outcome := "accept-"
	if s.want != nil {
		outcome = "refuse-"
	}
	name := strings.NewReplacer(" ", "-", ",", "").Replace(s.name)
	return filepath.Join("testdata", "fuzz", target, outcome+name)
}

func corpusText(s seed) string {
	return fmt.Sprintf("go test fuzz v1\n[]byte(%s)\n", strconv.Quote(string(s.in)))
}

// TestCorpusIsCommitted fails when a seed is missing or differs from its file.
func TestCorpusIsCommitted(t *testing.T) {
	for target, seeds := range corpora() {
		for _, s := range seeds {
			file := corpusFile(target, s)
			if *update {
				writeCorpus(t, file, corpusText(s))
			}
			got, err := os.ReadFile(file)
			if err != nil {
				t.Fatalf("%v (go test -update writes it)", err)
			}
			if string(got) != corpusText(s) {
				t.Errorf("%s is not the seed %q (go test -update writes it)", file, s.name)
			}
		}
	}
}

func writeCorpus(t *testing.T, file, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
