package pawl_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/txn/seal"
)

// TestCostOfPassphrase: what a passphrase takes is chosen when it is set, is
// recorded, and stays.
func TestCostOfPassphrase(t *testing.T) {
	engine := memkv.New()
	open := func(passphrase string, opts ...pawl.Option) (*pawl.Store, error) {
		return pawl.Open(t.Context(), engine, append(opts, pawl.WithPassphrase([]byte(passphrase)))...)
	}
	recorded := func(what string, want ...byte) {
		t.Helper()
		if b := keyringIn(t, engine); !bytes.Contains(b, append([]byte("argon2id"), want...)) {
			t.Errorf("%s: %q", what, b)
		}
	}
	for _, bad := range []seal.Cost{{Passes: 4, Memory: 7 << 10}, {Passes: 1}, {Memory: 7 << 10}, {Passes: 17, Memory: 7 << 10}} {
		if _, err := open("one", pawl.WithCost(bad)); !errors.Is(err, seal.ErrCost) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
	if _, err := open("one", pawl.WithCost(seal.Cost{Passes: 5, Memory: 7 << 10})); err != nil {
		t.Fatal(err)
	}
	recorded("made", 5, 0xcd, 0x1c, 0)
	s, err := open("one")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.ChangePassphrase(t.Context(), []byte("two")); err != nil {
		t.Fatal(err)
	}
	recorded("changed", 5, 0xcd, 0x1c, 0)
	if s, err = open("two", pawl.WithCost(seal.Cost{Passes: 3, Memory: 12 << 10})); err != nil {
		t.Fatal(err)
	}
	recorded("opened", 5, 0xcd, 0x1c, 0)
	if err := s.ChangePassphrase(t.Context(), []byte("two")); err != nil {
		t.Fatal(err)
	}
	recorded("changed to another cost", 3, 0xcd, 0x30, 0)
	if _, err := open("two"); err != nil {
		t.Fatal(err)
	}
}
