package pawl_test

import (
	"testing"

	"github.com/pawlkv/pawl/internal/proof/story"
	"github.com/pawlkv/pawl/txn"
)

// journeys is how many lives are played, and journeySteps how long each is.
const (
	journeys     = 300
	journeySteps = 40
)

func TestBothSidesAgreeAfterRollbacks(t *testing.T) {
	n := uint64(journeys)
	if testing.Short() {
		n /= 6
	}
	for seed := range n {
		j := story.Journey{Seed: seed, Policy: []txn.CachePolicy{txn.NoCache, txn.Validated}[seed%2]}
		if broken, err := j.Play(t.Context(), journeySteps); err != nil || len(broken) > 0 {
			t.Fatalf("seed %d: %v\n%s", seed, err, broken)
		}
	}
}
