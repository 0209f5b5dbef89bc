package outbox_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/internal/machine/outbox"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/txn"
	"github.com/pawlkv/pawl/txn/seal"
)

// device is an account on a store, with a clock that tests move.
type device struct {
	*testing.T
	kv      kv.Store
	account *machine.Account
	now     time.Time
}

func newDevice(t *testing.T, options ...memkv.Option) *device {
	return newDeviceOn(t, memkv.New(options...))
}

func newDeviceOn(t *testing.T, store kv.Store) *device {
	t.Helper()
	d := &device{T: t, kv: store, now: time.Date(2030, 1, 2, 12, 0, 0, 0, time.UTC)}
	tools := machine.Tools{Now: func() time.Time { return d.now }, Rand: rand.Reader, Log: slog.New(slog.DiscardHandler)}
	s, err := machine.Open(t.Context(), store, seal.RawKey([32]byte{1}), tools)
	d.must(err)
	d.account, err = s.Create(t.Context(), machine.AccountName{User: "@alice:example.org", Device: "DEVICE"})
	d.must(err)
	return d
}

func (d *device) must(err error) {
	d.Helper()
	if err != nil {
		d.Fatal(err)
	}
}

// box returns another handle, as another process has it.
func (d *device) box() *outbox.Outbox { return boxOf(d.account.Store.Account(d.account.Name)) }

// boxOf returns the outbox of the handle that made the requests.
func boxOf(a *machine.Account) *outbox.Outbox {
	return outbox.NewOutbox(a, nil, map[outbox.Kind]outbox.Handler{
		outbox.ToDevice: outbox.Plain{Account: a}, outbox.Query: outbox.Plain{Account: a}, outbox.Upload: outbox.Plain{Account: a},
	})
}

// add makes requests in one transaction, in order.
func (d *device) add(all ...outbox.New) (ids []outbox.ID) {
	d.Helper()
	d.must(d.account.Do(d.Context(), func(tx *txn.Tx) error {
		ids = nil
		v, err := d.account.Sending(tx)
		if err != nil {
			return err
		}
		for i, n := range all {
			n.Place = i
			id, err := outbox.Add(tx, d.account, v, n)
			if err != nil {
				return err
			}
			ids = append(ids, id)
		}
		return nil
	}))
	return ids
}

// message is a request with a body of its own.
func message(n int) outbox.New {
	return outbox.New{Kind: outbox.ToDevice, EventType: "m.room.encrypted", Body: fmt.Appendf(nil, `{"n":%d}`, n)}
}

// wantOut fails unless a handle is handed out these requests, in this order.
func (d *device) wantOut(b *outbox.Outbox, want ...outbox.ID) (got []outbox.Request) {
	d.Helper()
	got, err := b.Outgoing(d.Context())
	d.must(err)
	if !slices.EqualFunc(got, want, func(r outbox.Request, id outbox.ID) bool { return r.ID == id }) {
		d.Fatalf("handed out are %v, want %v", idsOf(got), want)
	}
	return got
}

func idsOf(all []outbox.Request) (ids []outbox.ID) {
	for _, r := range all {
		ids = append(ids, r.ID)
	}
	return ids
}

// stored returns all that is stored, by key.
func (d *device) stored() map[string]kv.Version {
	d.Helper()
	all := map[string]kv.Version{}
	snap := d.kv.Snapshot()
	defer snap.Close()
	for e, err := range snap.Scan(context.Background(), "") {
		d.must(err)
		all[e.Key] = e.Version
	}
	return all
}
