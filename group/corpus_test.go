package group

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/pawlkv/pawl/internal/record/recordtest"
)

var update = flag.Bool("update", false, "write the seeds of the fuzz targets to testdata/fuzz")

// corpora are the seeds of each fuzz target. They are committed as files, which
// plain go test replays, so that fuzzing starts from every case of the formats.
func corpora() map[string][]seed {
	return map[string][]seed{
		"FuzzParseMessage":     messageSeeds(),
		"FuzzParseSharedKey":   sharedSeeds(),
		"FuzzParseExportedKey": exportSeeds(),
		"FuzzDecrypt":          messageSeeds(),
		"FuzzDecodeInbound":    recordSeeds(inboundSamples()),
		"FuzzDecodeOutbound":   recordSeeds(outboundSamples()),
		"FuzzDecodeShare":      recordSeeds(map[string]recordtest.Encoder{"given": sampleShare}),
		"FuzzDecodeWithheld":   recordSeeds(map[string]recordtest.Encoder{"notice": sampleWithheld}),
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

func TestDecodersOnSeeds(t *testing.T) {
	for name, test := range map[string]struct {
		seeds  []seed
		decode func([]byte) error
	}{
		"message":      {messageSeeds(), func(b []byte) error { _, err := ParseMessage(b); return err }},
		"shared key":   {sharedSeeds(), func(b []byte) error { _, err := ParseSharedKey(b); return err }},
		"exported key": {exportSeeds(), func(b []byte) error { _, err := ParseExportedKey(b); return err }},
	} {
		for _, s := range test.seeds {
			if err := test.decode(s.in); !errors.Is(err, s.want) {
				t.Errorf("%s, %s: %v, want %v", name, s.name, err, s.want)
			}
		}
	}
}
