package events_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/device"
	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/internal/record"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/txn"
	"github.com/pawlkv/pawl/txn/seal"
)

const (
	alice = matrix.UserID("@alice:example.org")
	bob   = matrix.UserID("@bob:example.org")
	room  = matrix.RoomID("!room:example.org")
)

// patience is how long a test waits for what must come.
const patience = 30 * time.Second

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// process is a handle on the account.
type process struct {
	testing.TB
	account *machine.Account
}

func newProcess(t testing.TB, engine kv.Store) process {
	t.Helper()
	tools := machine.Tools{Now: time.Now, Rand: rand.Reader, Log: slog.New(slog.DiscardHandler)}
	s, err := machine.Open(t.Context(), engine, seal.RawKey([32]byte{1}), tools)
	must(t, err)
	name := machine.AccountName{User: alice, Device: "PHONE"}
	if _, err := s.Create(t.Context(), name); err != nil && !errors.Is(err, machine.ErrAccountExists) {
		t.Fatal(err)
	}
	return process{t, s.Account(name)}
}

func (p process) do(fn func(tx *txn.Tx) error) {
	p.Helper()
	must(p, p.account.Do(p.Context(), fn))
}

// key makes the key of a session at an index.
func key(t testing.TB, index uint32) group.Key {
	t.Helper()
	s, err := group.NewSender(rand.Reader)
	must(t, err)
	k, err := s.Key().Advance(index)
	must(t, err)
	return k
}

// putKey stores a key.
func (p process) putKey(in matrix.RoomID, k group.Key) {
	p.Helper()
	stored, err := group.NewInbound(in, group.NewCopy(k, group.Source{Provenance: group.Direct}))
	must(p, err)
	p.do(func(tx *txn.Tx) error { return records.GroupIns.Join(tx, stored) })
}

// withhold stores a notice.
func (p process) withhold(in matrix.RoomID, id group.SessionID, from matrix.UserID) {
	p.Helper()
	w, err := group.NewWithheld(group.Withheld{Room: in, Session: id, From: from, Code: group.Blacklisted, At: time.Now()})
	must(p, err)
	p.do(func(tx *txn.Tx) error { return records.PutWithheld(tx, w) })
}

// putDevice stores a device of bob's.
func (p process) putDevice(n int, display string) device.Device {
	p.Helper()
	d := device.Device{Claim: device.Claim{Keys: device.Keys{
		Name:       device.Name{User: bob, Device: matrix.DeviceID(fmt.Sprint("D", n))},
		Curve25519: ratchet.PublicKey{byte(n), 1}, Ed25519: account.VerifyKey{byte(n), 2}, DisplayName: display,
	}}, Seen: record.Time(time.Now())}
	p.do(func(tx *txn.Tx) error { return records.Devices.Put(tx, d) })
	return d
}

// putIdentity stores an identity.
func (p process) putIdentity(user matrix.UserID, master byte) device.Known {
	p.Helper()
	k := device.Known{Identity: device.Identity{User: user, Master: account.VerifyKey{master}}, Pinned: account.VerifyKey{1}}
	p.do(func(tx *txn.Tx) error { return records.Identities.Put(tx, k) })
	return k
}

// refuse keeps an event that was refused.
func (p process) refuse(n int) {
	p.Helper()
	p.do(func(tx *txn.Tx) error {
		v, err := p.account.Read(tx)
		if err != nil {
			return err
		}
		at, err := p.account.Moment(tx, v, 0)
		if err != nil {
			return err
		}
		return records.KeepRefused(tx, records.Refused{At: at, Sender: bob, Type: "m.room.encrypted", Why: "why", Event: records.TagOf([]byte{byte(n)})})
	})
}

// watched counts the watches of a store.
type watched struct {
	kv.Store
	now, ever atomic.Int64
}

func (w *watched) Watch(ctx context.Context, prefix string, after kv.Version) iter.Seq2[kv.Change, error] {
	return func(yield func(kv.Change, error) bool) {
		w.now.Add(1)
		w.ever.Add(1)
		defer w.now.Add(-1)
		w.Store.Watch(ctx, prefix, after)(yield)
	}
}

// eventually waits for a condition.
func eventually(t testing.TB, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not %s after %v", what, patience)
		}
	}
}
