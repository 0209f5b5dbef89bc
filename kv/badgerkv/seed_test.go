package badgerkv_test

import (
	"flag"
	"math/rand/v2"
	"testing"
)

var seedFlag = flag.Uint64("badgerkv.seed", 0, "of everything random; 0 is another each time")

// seeded returns the randomness of a test, and says how to have it again.
func seeded(t testing.TB) *rand.Rand {
	t.Helper()
	seed := *seedFlag
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("-badgerkv.seed=%d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}
