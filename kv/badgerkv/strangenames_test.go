package badgerkv_test

import (
	"testing"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/badgerkv"
	"github.com/pawlkv/pawl/kv/kvtest"
)

func TestStrangeNames(t *testing.T) {
	kvtest.StrangeNames(t, func(path string) (kv.Store, error) { return badgerkv.Open(path) })
}
