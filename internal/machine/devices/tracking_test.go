package devices_test

import (
	"crypto/rand"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/internal/machine/devices"
	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/txn"
	"github.com/pawlkv/pawl/txn/seal"
)

// TestStates: users are awaited from when they are followed, and after each change.
func TestStates(t *testing.T) {
	tools := machine.Tools{Now: time.Now, Rand: rand.Reader, Log: slog.New(slog.DiscardHandler)}
	s, err := machine.Open(t.Context(), memkv.New(), seal.RawKey([32]byte{1}), tools)
	if err != nil {
		t.Fatal(err)
	}
	a, err := s.Create(t.Context(), machine.AccountName{User: "@alice:example.org", Device: "OWN"})
	if err != nil {
		t.Fatal(err)
	}
	const bob, carol, nobody = matrix.UserID("@bob:example.org"), matrix.UserID("@carol:example.org"), matrix.UserID("nobody")
	do := func(fn func(tx *txn.Tx, v account.Account) error) error {
		return a.Do(t.Context(), func(tx *txn.Tx) error {
			v, err := a.Active(tx)
			if err != nil {
				return err
			}
			return fn(tx, v)
		})
	}
	if err := do(func(tx *txn.Tx, _ account.Account) error { return devices.Track(tx, bob, nobody) }); err == nil {
		t.Error("who has no user id is followed")
	}
	for _, step := range []func(tx *txn.Tx, v account.Account) error{
		func(tx *txn.Tx, _ account.Account) error { return devices.Track(tx, bob) },
		func(tx *txn.Tx, _ account.Account) error { return devices.MarkOutdated(tx, bob, nobody) },
		func(tx *txn.Tx, v account.Account) error { return devices.AllOutdated(tx, a, v) },
		func(tx *txn.Tx, _ account.Account) error { return devices.Left(tx, a, bob, nobody) },
	} {
		if err := do(step); err != nil {
			t.Fatal(err)
		}
		err := do(func(tx *txn.Tx, v account.Account) error {
			states, err := devices.StatesOf(tx, a, v, bob, carol)
			if !slices.Equal(states, []devices.State{devices.Awaited, devices.Awaited}) {
				t.Errorf("states %v", states)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
