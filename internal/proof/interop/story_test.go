package interop_test

import (
	"testing"

	"github.com/pawlkv/pawl/internal/proof/effort"
	"github.com/pawlkv/pawl/internal/proof/interop"
	"github.com/pawlkv/pawl/internal/proof/story"
	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/txn"
)

// rounds of TestStory for each seed, implementation and cache policy.
const rounds = 300

func seeds() uint64 { return uint64(effort.Of(3, 1)) }

// TestStory plays the random rounds of package story with somebody else's Olm
// as the far side, so that a mistake made alike on both sides cannot pass.
func TestStory(t *testing.T) {
	policies := map[string]txn.CachePolicy{"NoCache": txn.NoCache, "Validated": txn.Validated}
	for _, other := range interop.Others() {
		for name, policy := range policies {
			t.Run(other.Name()+"/"+name, func(t *testing.T) {
				for seed := range seeds() {
					played, broken := play(t, other, story.Setting{Seed: seed, Policy: policy})
					if len(broken) > 0 || played != rounds {
						t.Errorf("seed %d: after %d rounds:\n%s", seed, played, broken)
					}
				}
			})
		}
	}
}

// TestStoryOnStaleCache shows that these rounds, too, see the wedge.
func TestStoryOnStaleCache(t *testing.T) {
	const soon = 40
	for _, other := range interop.Others() {
		t.Run(other.Name(), func(t *testing.T) {
			for seed := range seeds() {
				played, broken := play(t, other, story.Setting{Seed: seed, Design: story.Stale})
				if !broken.Lost() || !broken.Has(story.Agreement) || played > soon {
					t.Errorf("seed %d: after %d rounds a stale cache has broken only %v", seed, played, broken.Oracles())
				}
				t.Logf("seed %d: a stale cache loses a message in round %d", seed, played)
			}
		})
	}
}

func play(t *testing.T, other interop.Implementation, s story.Setting) (played int, broken story.Violations) {
	t.Helper()
	s.Store = memkv.New()
	s.Peer = interop.NewPeer(other)
	played, broken, err := story.Rounds(t.Context(), s, rounds)
	if err != nil {
		t.Fatal(err)
	}
	return played, broken
}
