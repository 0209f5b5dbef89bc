package machine

import (
	"testing"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/txn"
)

// TestPerCommit: what one commit changes is bounded by each of the engine's
// limits, and by how long others may wait.
func TestPerCommit(t *testing.T) {
	small := Share{Bytes: 256, Writes: 1, Checks: 1}
	for name, c := range map[string]struct {
		limits kv.Limits
		each   Share
		want   int
	}{
		"embedded":                {kv.Embedded(), small, MostPerCommit},
		"embedded, large records": {kv.Embedded(), Share{Bytes: 8 << 10, Writes: 1, Checks: 1}, 256},
		"floor":                   {kv.Floor(), small, 96},
		"floor, two writes each":  {kv.Floor(), Share{Bytes: 256, Writes: 2, Checks: 1}, 48},
		"floor, three reads each": {kv.Floor(), Share{Bytes: 256, Writes: 1, Checks: 3}, 32},
		"floor, large records":    {kv.Floor(), Share{Bytes: 16 << 10, Writes: 1, Checks: 1}, 64},
	} {
		s := Store{DB: txn.New(memkv.New(memkv.WithLimits(c.limits)))}
		if got := s.PerCommit(c.each); got != c.want {
			t.Errorf("%s: %d records, want %d", name, got, c.want)
		}
	}
}
