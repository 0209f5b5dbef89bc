package rooms_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/pawlkv/pawl/device"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/kvtest/faulty"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/txn"
)

// TestOneIdentityKeyTwice: two devices that have one identity key, as damage can leave
// them, have one session, and no two messages in it have one key.
func TestOneIdentityKeyTwice(t *testing.T) {
	h := crowd(t, 20)
	do(t, h.account, func(tx *txn.Tx) error {
		d, _, err := records.Devices.Get(tx, device.Name{User: bob, Device: "B0003"})
		if err != nil {
			return err
		}
		for _, id := range []matrix.DeviceID{"B0003-A", "B0017-A"} {
			d.Device = id
			if err := records.Devices.Put(tx, d); err != nil {
				return err
			}
		}
		return nil
	})
	h.share(bob)
	all, err := h.box.Outgoing(t.Context())
	must(t, err)
	steps := map[string]bool{}
	n := 0
	for _, r := range all {
		var body struct {
			Messages map[matrix.UserID]map[matrix.DeviceID]struct {
				Ciphertext map[string]struct{ Body string }
			}
		}
		must(t, json.Unmarshal(r.Body, &body))
		for _, content := range body.Messages[bob] {
			for _, c := range content.Ciphertext {
				m, err := ratchet.ParsePreKeyMessage(h.decode(c.Body))
				must(t, err)
				steps[fmt.Sprint(m.Normal.RatchetKey, m.Normal.Index)] = true
				n++
			}
		}
	}
	if n != 22 || len(steps) != n {
		t.Errorf("%d messages of %d keys, want 22 of as many", n, len(steps))
	}
}

// TestCrowdMeanwhile: a call that began when nobody had the key goes on when more
// devices were told of it than one commit checks, and gives it to the others.
func TestCrowdMeanwhile(t *testing.T) {
	n := 130
	h := crowd(t, n, atFloor())
	w := h.world
	must(t, h.rooms.Rotate(t.Context(), room))
	told := 0
	tells := func(one kv.Write) bool {
		_, kind := txn.KindOf(one.Key)
		return kind == records.Shares.Kind
	}
	a := w.handleOn(faulty.Wrap(w.store, faulty.Hooks{Before: func(_ context.Context, call faulty.Call) error {
		if told > 0 || call.Op != faulty.Commit || !slices.ContainsFunc(call.Batch.Writes, tells) {
			return nil
		}
		ended := w.hooked(func(int) error {
			if told = len(h.told()); told > kv.Floor().Checks {
				return kv.ErrClosed
			}
			return nil
		})
		_, err := ended.rooms.Share(t.Context(), room, []matrix.UserID{bob}, settings)
		if !errors.Is(err, kv.ErrClosed) {
			t.Errorf("sharing in a store that is closed: %v", err)
		}
		return nil
	}}))
	a.share(bob)
	if got := len(h.told()); told <= kv.Floor().Checks || told == n || got != n {
		t.Errorf("%d devices were told meanwhile, and %d in the end, want %d", told, got, n)
	}
	a.sendAll()
	if s := h.shareAll(bob); !s.Done {
		t.Errorf("after all: %+v", s)
	}
}

// told returns the devices that were told of the session.
func (h *handle) told() (all []device.Name) {
	h.Helper()
	do(h.T, h.account, func(tx *txn.Tx) error {
		all = nil
		out, _, err := records.Outbound.Get(tx, room)
		if err != nil {
			return err
		}
		for share, err := range records.Shares.ScanUnder(tx, txn.PathOf(string(room), out.ID().String())) {
			if err != nil {
				return err
			}
			all = append(all, device.Name{User: share.User, Device: share.Device})
		}
		return nil
	})
	return all
}

// TestManyMembers: the devices of many members are read in one scan, and where the store
// has many more those of each, after it was found out once.
func TestManyMembers(t *testing.T) {
	h, users := met(t, 20)
	w := h.world
	all, each := 0, 0 // scans
	h = w.handleOn(faulty.Wrap(w.store, faulty.Hooks{Before: func(_ context.Context, call faulty.Call) error {
		switch _, kind := txn.KindOf(call.Prefix); {
		case call.Op != faulty.Scan || kind != records.Devices.Kind:
		case strings.HasSuffix(call.Prefix, "/"+kind+"/"):
			all++
		default:
			each++
		}
		return nil
	}}))
	share := func(what string, wantAll, wantEach int) {
		t.Helper()
		must(t, h.rooms.Rotate(t.Context(), room))
		all, each = 0, 0
		if h.share(users...); len(h.told()) != len(users) || all != wantAll || each != wantEach {
			t.Errorf("%s: %d devices were told after %d scans of all and %d of one user's, want %d after %d and %d",
				what, len(h.told()), all, each, len(users), wantAll, wantEach)
		}
		h.sendAll()
	}
	share("few others", 1, 0)
	do(t, h.account, func(tx *txn.Tx) error {
		for i := range 80 {
			keys := device.Keys{Name: device.Name{User: "@crowd:c", Device: matrix.DeviceID(fmt.Sprint(i))}}
			keys.Curve25519, keys.Ed25519 = somePublic(t), w.own.Fingerprint()
			if err := records.Devices.Put(tx, device.Device{Claim: device.Claim{Keys: keys}, Seen: w.now}); err != nil {
				return err
			}
		}
		return nil
	})
	share("many others", 1, len(users)+1)
	share("many others again", 0, len(users)+1)
}
