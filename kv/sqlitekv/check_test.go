package sqlitekv

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pawlkv/pawl/kv"
)

// TestCheckInParts: a store that is looked at in parts keeps nobody's log from
// beginning anew, and what it finds is what is damaged.
func TestCheckInParts(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	s := openStore(t, path)
	value := strings.Repeat("x", 100_000)
	for i := range 60 {
		mustPut(t, s, fmt.Sprint("entry ", i), value)
	}
	other := openStore(t, path)
	parts := 0
	err := s.check(t.Context(), 0, func() {
		for range 10 {
			mustPut(t, other, fmt.Sprint("more ", parts), value)
		}
		parts++
		if info, err := os.Stat(path + logSuffix); err != nil || info.Size() > 8<<20 {
			t.Errorf("after %d parts the log has %d bytes, %v", parts, info.Size(), err)
		}
	})
	if err != nil || parts < 8 {
		t.Errorf("%d parts, %v", parts, err)
	}
	if err := errors.Join(other.Close(), s.Close()); err != nil {
		t.Fatal(err)
	}
}

// TestCheckFindsDamage: whichever page is damaged in which something is, looking in
// parts finds it as looking at all at once does.
func TestCheckFindsDamage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	s := openStore(t, path)
	for i := range 200 {
		mustPut(t, s, fmt.Sprint("entry ", i), strings.Repeat("x", 500))
	}
	mustPut(t, s, "long", strings.Repeat("y", 10*pageSize))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for at := pageSize + 100; at < len(good); at += pageSize {
		bad := append([]byte{}, good...)
		bad[at] ^= 1
		if err := os.WriteFile(path, bad, fileMode); err != nil {
			t.Fatal(err)
		}
		s, err := Open(path)
		if err != nil {
			found++
			continue
		}
		once, parts := s.check(t.Context(), checkAtOnce, func() {}), s.check(t.Context(), 0, func() {})
		if errors.Is(once, kv.ErrCorrupt) != errors.Is(parts, kv.ErrCorrupt) {
			t.Errorf("page %d: at once %v, in parts %v", at/pageSize+1, once, parts)
		}
		if errors.Is(parts, kv.ErrCorrupt) {
			found++
		}
		if err := s.Close(); err != nil && !errors.Is(err, kv.ErrCorrupt) {
			t.Error(err)
		}
	}
	if pages := len(good)/pageSize - 1; found < pages*9/10 {
		t.Errorf("damage was found in %d of %d pages", found, pages)
	}
}
