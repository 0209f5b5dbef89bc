package sqlitekv_test

import (
	"testing"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/kvtest"
	"github.com/pawlkv/pawl/kv/sqlitekv"
)

func TestStrangeNames(t *testing.T) {
	kvtest.StrangeNames(t, func(path string) (kv.Store, error) { return sqlitekv.Open(path) })
}
