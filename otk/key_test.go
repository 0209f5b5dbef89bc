package otk

import (
	"bytes"
	"crypto/rand"
	"errors"
	"testing"

	"github.com/pawlkv/pawl/internal/record/recordtest"
	"github.com/pawlkv/pawl/internal/secret"
	"github.com/pawlkv/pawl/ratchet"
)

func newKey(t testing.TB, fallback bool) Key {
	t.Helper()
	pair, err := ratchet.GenerateKeyPair(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return NewKey(7, pair, fallback, noon)
}

func mustEncode(t testing.TB, k Key) []byte {
	t.Helper()
	b, err := k.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

var sessionID = ratchet.SessionID{1, 2, 3}

func TestUseLeavesATombstone(t *testing.T) {
	key := newKey(t, false)
	pair, err := key.Pair()
	if err != nil {
		t.Fatal(err)
	}
	private := pair.Private()
	used, err := key.Use(sessionID, Moment{Time: noon})
	if err != nil {
		t.Fatal(err)
	}
	if !used.pair.IsZero() || bytes.Contains(mustEncode(t, used), private[:]) {
		t.Error("the tombstone holds the private part")
	}
	if !bytes.Contains(mustEncode(t, key), private[:]) {
		t.Error("Use changed the key it was called on")
	}
	back, err := DecodeKey(mustEncode(t, used))
	if err != nil {
		t.Fatal(err)
	}
	if s, at, ok := back.Used(); !ok || s != sessionID || !at.Equal(noon) || back.Public() != key.Public() {
		t.Errorf("tombstone says session %v at %v, %v", s, at, ok)
	}
	var usedErr *UsedError
	if _, err := back.Pair(); !errors.As(err, &usedErr) || usedErr.Session != sessionID || !errors.Is(err, ErrUsed) {
		t.Errorf("Pair of a tombstone: %v", err)
	}
	if _, err := back.Use(ratchet.SessionID{9}, Moment{Time: noon}); !errors.Is(err, ErrUsed) {
		t.Errorf("second use: %v, want ErrUsed", err)
	}
}

func TestUseAtTheZeroTimeStillMarks(t *testing.T) {
	used, err := newKey(t, false).Use(sessionID, Moment{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := used.Pair(); !errors.Is(err, ErrUsed) {
		t.Errorf("%v, want ErrUsed", err)
	}
}

func TestFallbackKeyIsNotUsedUp(t *testing.T) {
	key := newKey(t, true)
	used, err := key.Use(sessionID, Moment{Time: noon})
	if err != nil || !bytes.Equal(mustEncode(t, used), mustEncode(t, key)) {
		t.Errorf("using a fallback key changed it: %v", err)
	}
	back, err := DecodeKey(mustEncode(t, key))
	if err != nil || !back.Fallback() || back.ID() != 7 || !back.Created().Equal(noon) {
		t.Errorf("fallback key came back as %v, %v, %v, %v", back.ID(), back.Fallback(), back.Created(), err)
	}
}

func TestCheckFindsAWrongPair(t *testing.T) {
	a, b := newKey(t, false), newKey(t, false)
	if err := a.Check(); err != nil {
		t.Error(err)
	}
	wrong := NewKey(1, ratchet.RestoreKeyPair(a.Public(), b.pair.Private()), false, noon)
	if err := wrong.Check(); !errors.Is(err, ErrFormat) {
		t.Errorf("%v, want ErrFormat", err)
	}
}

func TestEncodeRefusesTheZeroKey(t *testing.T) {
	if _, err := (Key{}).Encode(); err == nil {
		t.Error("the zero Key was encoded")
	}
}

func TestIDs(t *testing.T) {
	for id, text := range map[ID]string{1: "AAAAAQ", 2: "AAAAAg", 1<<32 - 1: "/////w", 0x01020304: "AQIDBA"} {
		if id.String() != text {
			t.Errorf("%d is written %q, want %q", uint32(id), id, text)
		}
		if back, err := ParseID(text); err != nil || back != id {
			t.Errorf("ParseID(%q) = %d, %v", text, back, err)
		}
	}
	for _, bad := range []string{"", "AAAAA", "AAAAAQ==", "AAAAAR", "AAAA\nAQ", "AAAAAQA", "!AAAAQ", "AAAAAQ\n"} {
		if _, err := ParseID(bad); !errors.Is(err, ErrMalformed) {
			t.Errorf("ParseID(%q): %v, want ErrMalformed", bad, err)
		}
	}
}

func TestNothingIsExposed(t *testing.T) {
	for _, v := range []any{Key{}, Pool{}, Entry{}, Fallback{}, UsedError{}} {
		for _, path := range secret.Exposed(v, ratchet.PublicKey{}, ratchet.SessionID{}) {
			t.Errorf("exposed: %s", path)
		}
	}
	key := newKey(t, false)
	private := key.pair.Private()
	recordtest.Redacts(t, private[:], key, &key, []Key{key}, struct{ k Key }{key})
}
