package wire_test

import (
	"testing"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/kvtest"
	"github.com/pawlkv/pawl/kv/memkv"
)

func TestConformance(t *testing.T) {
	kvtest.Run(t, func(t testing.TB) kv.Store { return remote(t, memkv.WithCommitIDs(64), memkv.WithWatchLog(16)) }, kvtest.CommitIDs(64))
}
