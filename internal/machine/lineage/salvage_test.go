package lineage

import (
	"crypto/rand"
	"log/slog"
	"testing"
	"time"

	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/txn"
	"github.com/pawlkv/pawl/txn/seal"
)

// TestSalvageKeepsTheOrder: what happens in a store that was salvaged comes after all
// that happened in the one that it is of, also the second time.
func TestSalvageKeepsTheOrder(t *testing.T) {
	ctx, key := t.Context(), seal.RawKey([32]byte{1})
	tools := machine.Tools{Now: time.Now, Rand: rand.Reader, Log: slog.New(slog.DiscardHandler)}
	var engine kv.Store = memkv.New()
	open := func() *machine.Store {
		s, err := machine.Open(ctx, engine, key, tools)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	a, err := open().Create(ctx, machine.AccountName{User: "@alice:example.org", Device: "DEVICE"})
	if err != nil {
		t.Fatal(err)
	}
	order := func() uint64 {
		base, err := readBase(t, open(), a.Name)
		if err != nil {
			t.Fatal(err)
		}
		head, err := head(ctx, engine)
		if err != nil {
			t.Fatal(err)
		}
		return base + uint64(head)
	}
	for range 2 {
		for range 20 {
			touch(t, open(), a.Name)
		}
		before := order()
		entries, err := machine.View(engine, func(snap kv.Snapshot) (all []kv.Entry, err error) {
			for e, err := range snap.Scan(ctx, "") {
				if err != nil {
					return nil, err
				}
				all = append(all, e)
			}
			return all, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		to := memkv.New()
		if err := Salvage(ctx, entries, to, key, tools); err != nil {
			t.Fatal(err)
		}
		engine = to
		base, err := readBase(t, open(), a.Name)
		if err != nil || base < before {
			t.Errorf("the order begins at %d, %v; it had come to %d", base, err, before)
		}
	}
}

func readBase(t *testing.T, s *machine.Store, name machine.AccountName) (uint64, error) {
	v, err := txn.View(t.Context(), s.Account(name).DB, s.Account(name).Read)
	return v.Lineage().Base, err
}

// touch writes the account's record as it is.
func touch(t *testing.T, s *machine.Store, name machine.AccountName) {
	a := s.Account(name)
	err := a.Do(t.Context(), func(tx *txn.Tx) error {
		v, err := a.Read(tx)
		if err != nil {
			return err
		}
		return machine.Accounts.Put(tx, v)
	})
	if err != nil {
		t.Fatal(err)
	}
}
