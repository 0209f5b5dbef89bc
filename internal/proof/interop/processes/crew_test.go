//go:build unix

package processes_test

import (
	"math/rand/v2"
	"testing"

	"github.com/pawlkv/pawl/internal/proof/interop"
	"github.com/pawlkv/pawl/internal/proof/interop/processes"
	"github.com/pawlkv/pawl/internal/proof/interop/processes/crews"
)

// unhurried is the patience of processes when no other is ever stopped.
const unhurried = crews.Unhurried

var names = crews.Names

type member = crews.Member

// crew is one with what is done to it here.
type crew struct{ *crews.Crew }

func newCrew(t *testing.T, setup processes.Setup, other interop.Implementation, excuses ...error) *crew {
	t.Helper()
	from := *seed
	if from == 0 {
		from = rand.Uint64()
	}
	t.Logf("-processes.seed=%d", from)
	return &crew{crews.New(t, from, setup, other, excuses...)}
}

// newFamily is a crew of three that have talked with the far side.
func newFamily(t *testing.T, setup processes.Setup, other interop.Implementation, excuses ...error) *crew {
	t.Helper()
	c := newCrew(t, setup, other, excuses...)
	c.Gather()
	return c
}
