package group

import (
	"errors"
	"testing"

	"github.com/pawlkv/pawl/internal/record/recordtest"
	"github.com/pawlkv/pawl/internal/testfiles"
)

func TestCorpusIsCommitted(t *testing.T) {
	for target, seeds := range map[string][]seed{
		"FuzzParseMessage":     messageSeeds(),
		"FuzzParseSharedKey":   sharedSeeds(),
		"FuzzParseExportedKey": exportSeeds(),
		"FuzzDecrypt":          messageSeeds(),
		"FuzzDecodeInbound":    recordSeeds(inboundSamples()),
		"FuzzDecodeOutbound":   recordSeeds(outboundSamples()),
		"FuzzDecodeShare":      recordSeeds(map[string]recordtest.Encoder{"given": sampleShare}),
		"FuzzDecodeWithheld":   recordSeeds(map[string]recordtest.Encoder{"notice": sampleWithheld}),
	} {
		testfiles.Corpus(t, target, testfiles.Named(seeds))
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
			if err := test.decode(s.In); !errors.Is(err, s.Want) {
				t.Errorf("%s, %s: %v, want %v", name, s.Name, err, s.Want)
			}
		}
	}
}
