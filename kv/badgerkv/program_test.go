package badgerkv

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

func TestOpenRefusesNarrowInts(t *testing.T) {
	for bits, want := range map[int]error{32: Err32Bit, 64: nil} {
		if err := checkInt(bits); !errors.Is(err, want) {
			t.Errorf("where int has %d bits: %v, want %v", bits, err, want)
		}
	}
	if !errors.Is(Err32Bit, errors.ErrUnsupported) || !strings.Contains(Err32Bit.Error(), "SQLite (kv/sqlitekv)") {
		t.Errorf("%q does not say what to do", Err32Bit)
	}
	dir := filepath.Join(t.TempDir(), "store")
	s, err := Open(dir)
	if strconv.IntSize == 64 {
		if err != nil {
			t.Fatalf("where int has 64 bits: %v", err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		return
	}
	if !errors.Is(err, Err32Bit) {
		t.Fatalf("where int has %d bits Open returned %v, want %v", strconv.IntSize, err, Err32Bit)
	}
	if _, err := os.Lstat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a refused Open left %s: %v", dir, err)
	}
}
