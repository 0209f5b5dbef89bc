package rooms_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pawlkv/pawl/device"
	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/internal/machine/rooms"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/txn"
)

// lose takes a record out of the store, as if it had never been.
func (w *world) lose(key string) {
	w.Helper()
	w.write(kv.Write{Key: key, Delete: true})
}

// TestLostMember: where it is lost that somebody may have a room's key, what their
// devices were told of the session still says so when they leave; who was told nothing
// may leave.
func TestLostMember(t *testing.T) {
	for name, c := range map[string]struct {
		limited bool
		events  []string
		rotates bool
	}{
		"leaves":                    {false, []string{member(bob, "leave")}, true},
		"is banned":                 {false, []string{member(bob, "ban")}, true},
		"left and came back":        {false, []string{member(bob, "leave"), member(bob, "join")}, true},
		"is invited after a gap":    {true, []string{member(bob, "invite")}, true},
		"is joined after a gap":     {true, []string{member(bob, "join")}, false},
		"was never told and leaves": {false, []string{member(dave, "leave")}, false},
	} {
		w := newWorld(t, atFloor())
		w.add(bob, "B1")
		w.add(carol, "C1")
		h := w.handle()
		h.shareAll(bob, carol)
		key := ""
		do(t, h.account, func(tx *txn.Tx) (err error) {
			key, err = records.Members.Key(tx, bob)
			return err
		})
		w.lose(key)
		sync(t, h.account, c.limited, c.events...)
		if got := why(t, h.account); (got == group.SomebodyLeft) != c.rotates {
			t.Errorf("%s: the session is %v", name, got)
		}
	}
}

// TestUnusableMeanwhile: a device whose sessions cannot be used any more when its key is
// to go out, though they could when another was to be claimed, is tried again after a
// while.
func TestUnusableMeanwhile(t *testing.T) {
	harmed := 0
	for at := 1; ; at++ {
		w := newWorld(t)
		w.add(bob, "B1")
		w.add(carol, "C1")
		h := w.handle()
		h.shareAll(bob, carol) // so there are sessions
		must(t, h.rooms.Rotate(t.Context(), room))
		session := w.sessionWith(h, "C1")
		came := false
		damage := func() { w.write(kv.Write{Key: session.Key, Value: []byte("damaged")}) }
		a := w.hooked(func(n int) error {
			switch n {
			case at:
				came = true
				w.write(kv.Write{Key: session.Key, Value: session.Value})
			case at + 1:
				damage()
			}
			return nil
		})
		damage()
		drive(a)
		if !came {
			break
		}
		w.write(kv.Write{Key: session.Key, Value: session.Value}) // it is repaired
		if h.share(bob, carol); !h.reads("C1") {
			harmed++
			w.now = w.now.Add(16 * time.Minute)
			h.share(bob, carol)
			h.sendAll()
			h.shareAll(bob, carol)
		}
		w.wantReaders(h.mustEncrypt("for all"), "B1", "C1")
	}
	if harmed == 0 {
		t.Error("the damage never came between")
	}
}

func (w *world) write(one kv.Write) {
	w.Helper()
	_, err := w.store.Commit(w.Context(), &kv.Batch{ID: kv.NewCommitID(0), Writes: []kv.Write{one}})
	must(w.T, err)
}

// sessionWith returns the record of the session with carol's device.
func (w *world) sessionWith(h *handle, id matrix.DeviceID) (e kv.Entry) {
	w.Helper()
	do(w.T, h.account, func(tx *txn.Tx) error {
		c, err := records.ReadContact(tx, w.peers[device.Name{User: carol, Device: id}].self.Identity())
		if err != nil {
			return err
		}
		e.Key, err = records.Sessions.Key(tx, records.SessionName{Peer: c.Sessions[0].Peer(), ID: c.Sessions[0].ID()})
		return err
	})
	view := w.store.Snapshot()
	defer view.Close()
	all, err := view.Get(w.Context(), e.Key)
	must(w.T, err)
	return all[0]
}

// reads reports whether carol's device has the key of the session.
func (h *handle) reads(id matrix.DeviceID) bool {
	info, err := h.rooms.Show(h.Context(), room)
	must(h.T, err)
	_, has := h.peers[device.Name{User: carol, Device: id}].keys[info.Session]
	return has
}

// records returns the keys of all records of an account.
func (h *handle) records() (keys []string) {
	h.Helper()
	scope, _ := h.account.DB.Scope()
	view := h.store.Snapshot()
	defer view.Close()
	for e, err := range view.Scan(h.Context(), scope+"/") {
		must(h.T, err)
		keys = append(keys, e.Key)
	}
	return keys
}

// TestDeviceChangeAfterALoss: whichever record is lost, as if it had never been, nothing
// is encrypted once a device of a member has come or gone before the key was shared once
// more, nor if it was shared in another room meanwhile; and then the new device reads, and
// the one that is gone does not.
func TestDeviceChangeAfterALoss(t *testing.T) {
	kinds := map[string]int{}
	for n, gone, elsewhere := 0, false, false; ; {
		w := newWorld(t)
		w.add(bob, "B1")
		w.add(bob, "B2")
		h := w.handle()
		h.elsewhere = quiet
		inQuiet := func() {
			for range 5 {
				_, err := h.rooms.Share(t.Context(), quiet, []matrix.UserID{bob}, settings)
				must(t, err)
				h.sendAll()
			}
		}
		h.shareAll(bob)
		inQuiet()
		h.mustEncrypt("before")
		all := h.records()
		if n == len(all) {
			break
		}
		scope, _ := h.account.DB.Scope()
		kind, _, _ := strings.Cut(strings.TrimPrefix(all[n], scope+"/"), "/")
		told := fmt.Sprintf("record %d of %d, of kind %s, gone %v, elsewhere %v", n, len(all), kind, gone, elsewhere)
		w.lose(all[n])
		if elsewhere {
			s, err := h.rooms.Share(t.Context(), quiet, []matrix.UserID{bob}, settings)
			if err == nil && !s.Done {
				h.sendAll()
			}
		}
		w.now = w.now.Add(time.Second)
		id := matrix.DeviceID("B3")
		if gone {
			id = "B2"
			w.peers[device.Name{User: bob, Device: id}].gone = true
		} else {
			w.add(bob, id)
		}
		h.changes(bob)
		_, err := h.encrypt("meanwhile")
		switch {
		case err == nil:
			t.Errorf("%s: encrypted under an index that others have", told)
		case errors.Is(err, rooms.ErrNotShared), errors.Is(err, rooms.ErrRotate):
			kinds[kind]++
			h.shareAll(bob)
			if got := w.readers(h.mustEncrypt("after")); slices.Contains(got, string(id)) == gone {
				t.Errorf("%s: then %q read", told, got)
			}
		}
		if gone, elsewhere = !gone, gone != elsewhere; !gone && !elsewhere {
			n++
		}
	}
	for _, kind := range []string{"member", "user", "room", "room-changes", "group-out", "group-shared", "device", "owner"} {
		if kinds[kind] < 4 {
			t.Errorf("%d times a record of kind %s was lost and the change was noticed: %v", kinds[kind], kind, kinds)
		}
	}
}
