package ratchet

import (
	"testing"

	"github.com/pawlkv/pawl/internal/testfiles"
)

func TestCorpusIsCommitted(t *testing.T) {
	for target, seeds := range map[string][]seed{
		"FuzzParseNormalMessage": normalSeeds(),
		"FuzzParsePreKeyMessage": preKeySeeds(),
		"FuzzDecodeSession":      recordSeeds(),
		"FuzzParsePublicKey":     keySeeds(),
		"FuzzParseSessionID":     textSeeds(),
		"FuzzDecrypt":            normalSeeds(),
	} {
		testfiles.Corpus(t, target, testfiles.Named(seeds))
	}
}
