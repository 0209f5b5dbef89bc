package pawl_test

import (
	"flag"
	"testing"

	"github.com/pawlkv/pawl/internal/proof/effort"
	"github.com/pawlkv/pawl/internal/proof/story"
)

// More rounds are played, from another seed, with
//
//	go test -run 'TestRounds$' -story.rounds=5000 -story.roundseed=7 .
var (
	rounds    = effort.Flag("story.rounds", 300, 50, "random rounds on each engine with each cache policy")
	roundSeed = flag.Uint64("story.roundseed", 300, "seed of the random rounds")
)

// TestRounds plays the random rounds that complement-crypto's
// TestMultiprocessNSE was written for.
func TestRounds(t *testing.T) {
	eachStore(t, func(t *testing.T, s story.Setting) {
		s.Seed = *roundSeed
		played, broken, err := story.Rounds(t.Context(), s, rounds())
		if err != nil {
			t.Fatal(err)
		}
		if len(broken) > 0 || played != rounds() {
			t.Errorf("seed %d: after %d rounds:\n%s", s.Seed, played, broken)
		}
	})
}

// TestRoundsOnStaleCache shows how soon the rounds find a stale cache.
func TestRoundsOnStaleCache(t *testing.T) {
	const soon = 40
	for seed := range uint64(10) {
		s := story.Setting{Seed: seed, Store: newMemory(), Design: story.Stale}
		played, broken, err := story.Rounds(t.Context(), s, rounds())
		if err != nil {
			t.Fatal(err)
		}
		if !broken.Lost() || !broken.Has(story.Agreement) || played > soon {
			t.Errorf("seed %d: after %d rounds a stale cache has broken only %v", seed, played, broken.Oracles())
		}
		t.Logf("seed %d: a stale cache loses a message in round %d", seed, played)
	}
}
