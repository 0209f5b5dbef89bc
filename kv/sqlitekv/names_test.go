package sqlitekv_test

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/kvtest"
	"github.com/pawlkv/pawl/kv/sqlitekv"
)

func TestStrangeNames(t *testing.T) {
	kvtest.StrangeNames(t, func(path string) (kv.Store, error) { return sqlitekv.Open(path) })
}

// TestPathsOfNoStore: where no store can be made nothing is left, whatever its path.
func TestPathsOfNoStore(t *testing.T) {
	t.Chdir(t.TempDir())
	for path, want := range map[string]error{
		"new.db/": kv.ErrInvalid, "missing/new.db": kv.ErrUnusable, "missing/../new.db": kv.ErrUnusable, "new\x00.db": kv.ErrUnusable,
		strings.Repeat("n", 244): kv.ErrUnusable, strings.Repeat("n", 250): kv.ErrUnusable, strings.Repeat("n", 256): kv.ErrUnusable, strings.Repeat("n/", 4096): kv.ErrInvalid,
		strings.Repeat("n/", 4096) + "n": kv.ErrUnusable,
	} {
		store, err := sqlitekv.Open(path)
		if !errors.Is(err, want) {
			t.Errorf("%.20s, %d bytes: %v, %v, want %v", path, len(path), store, err, want)
		}
		left, err := os.ReadDir(".")
		if err != nil || len(left) > 0 {
			t.Errorf("%.20s, %d bytes: left %v, %v", path, len(path), left, err)
		}
	}
}
