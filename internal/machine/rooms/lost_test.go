package rooms_test

import (
	"testing"
	"time"

	"github.com/pawlkv/pawl/device"
	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/machine/records"
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
// to go out, though they could when that was planned, is tried again after a while.
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
		a := w.hooked(func(n int) error {
			if n == at {
				came = true
				w.write(kv.Write{Key: session.Key, Value: []byte("damaged")})
			}
			return nil
		})
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
