package rooms_test

import (
	"crypto/rand"
	"log/slog"
	"testing"
	"time"

	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/txn"
	"github.com/pawlkv/pawl/txn/seal"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// newAccount makes alice's phone on an engine that takes no more in one commit than
// every engine does.
func newAccount(t *testing.T) *machine.Account {
	t.Helper()
	return newAccountOn(t, memkv.New(memkv.WithLimits(kv.Floor())))
}

func newAccountOn(t *testing.T, engine kv.Store) *machine.Account {
	t.Helper()
	tools := machine.Tools{Now: time.Now, Rand: rand.Reader, Log: slog.New(slog.DiscardHandler)}
	s, err := machine.Open(t.Context(), engine, seal.RawKey([32]byte{1}), tools)
	must(t, err)
	a, err := s.Create(t.Context(), machine.AccountName{User: alice, Device: "PHONE"})
	must(t, err)
	return a
}

func do(t *testing.T, a *machine.Account, fn func(tx *txn.Tx) error) {
	t.Helper()
	must(t, a.Do(t.Context(), fn))
}

func newOutbound(a *machine.Account, tx *txn.Tx, settings group.Settings) (group.Outbound, error) {
	v, err := a.Read(tx)
	if err != nil {
		return group.Outbound{}, err
	}
	at, err := a.Moment(tx, v, 0)
	if err != nil {
		return group.Outbound{}, err
	}
	sender, err := group.NewSender(rand.Reader)
	if err != nil {
		return group.Outbound{}, err
	}
	return group.NewOutbound(room, sender, settings, at, v.Lineage().KeysFrom)
}

// harm damages a record, or sets it aside.
func harm(t *testing.T, a *machine.Account, aside bool, key func(tx *txn.Tx) (string, error)) {
	t.Helper()
	var name string
	do(t, a, func(tx *txn.Tx) (err error) {
		name, err = key(tx)
		if err != nil || !aside {
			return err
		}
		return tx.SetAside(name, a.Store.Now())
	})
	if aside {
		return
	}
	_, err := a.Store.DB.Store().Commit(t.Context(), &kv.Batch{ID: kv.NewCommitID(0), Writes: []kv.Write{{Key: name, Value: []byte("damaged")}}})
	must(t, err)
}
