package memkv_test

import (
	"testing"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/kvtest"
	"github.com/pawlkv/pawl/kv/memkv"
)

// TestConformance: to see one of 100,000 IDs expire takes long, and shows no more
// than one of a few thousand.
func TestConformance(t *testing.T) {
	kvtest.Run(t, func(testing.TB) kv.Store { return memkv.New(memkv.WithCommitIDs(4000)) })
}

func TestConformanceWithSmallBounds(t *testing.T) {
	kvtest.Run(t, func(testing.TB) kv.Store {
		return memkv.New(memkv.WithCommitIDs(64), memkv.WithWatchLog(16))
	})
}

// TestConformanceAtTheFloor: the suite tests what an engine says that it takes,
// be it as little as any may.
func TestConformanceAtTheFloor(t *testing.T) {
	kvtest.Run(t, func(testing.TB) kv.Store { return memkv.New(memkv.WithLimits(kv.Floor())) })
}
