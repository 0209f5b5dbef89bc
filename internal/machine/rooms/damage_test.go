package rooms_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/internal/machine/rooms"
	"github.com/pawlkv/pawl/internal/machine/upkeep"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/txn"
)

const quiet = matrix.RoomID("!quiet:example.org")

// ward is a room whose records are harmed, beside one that has nothing to do with it.
type ward struct {
	*handle
	session, old group.SessionID
	dead         ratchet.PublicKey
}

func newWard(t *testing.T) *ward {
	t.Helper()
	w := newWorld(t, atFloor())
	w.add(bob, "B1")
	w.add(carol, "C1")
	dead := w.add(dave, "D1")
	clear(dead.oneTime)
	x := &ward{handle: w.handle(), dead: dead.self.Identity()}
	x.old = x.shareAll(bob, carol, dave).Session
	must(t, x.rooms.Rotate(t.Context(), room))
	x.session = x.shareAll(bob, carol, dave).Session
	x.elsewhere = quiet
	for range 5 {
		_, err := x.rooms.Share(t.Context(), quiet, []matrix.UserID{carol}, settings)
		must(t, err)
		x.sendAll()
	}
	return x
}

// harmed are the records by their kinds.
var harmed = map[string]func(tx *txn.Tx, w *ward) (string, error){
	"room":         func(tx *txn.Tx, _ *ward) (string, error) { return records.Rooms.Key(tx, room) },
	"member":       func(tx *txn.Tx, _ *ward) (string, error) { return records.Members.Key(tx, bob) },
	"room-changes": func(tx *txn.Tx, _ *ward) (string, error) { return records.RoomChanges.Key(tx) },
	"group-out":    func(tx *txn.Tx, _ *ward) (string, error) { return records.Outbound.Key(tx, room) },
	"group-old": func(tx *txn.Tx, w *ward) (string, error) {
		return records.OldOutbound.Key(tx, records.RoomSession{Room: room, ID: w.old})
	},
	"group-shared": func(tx *txn.Tx, w *ward) (string, error) {
		return records.Shares.Key(tx, records.ShareName{RoomSession: records.RoomSession{Room: room, ID: w.session}, User: bob, Device: "B1"})
	},
	"told-no-olm": func(tx *txn.Tx, w *ward) (string, error) { return records.ToldNoOlm.Key(tx, w.dead) },
}

// calls are what the package does; the error is the call's.
var calls = map[string]func(ctx context.Context, w *ward) error{
	"encrypt": func(ctx context.Context, w *ward) error {
		_, err := w.rooms.Encrypt(ctx, room, "m.room.message", []byte("{}"), rooms.Form{})
		return err
	},
	"share": func(ctx context.Context, w *ward) error {
		_, err := w.rooms.Share(ctx, room, []matrix.UserID{bob, carol, dave}, settings)
		return err
	},
	"rotate": func(ctx context.Context, w *ward) error { return w.rooms.Rotate(ctx, room) },
	"somebody leaves": func(ctx context.Context, w *ward) error {
		return w.rooms.MembersChanged(ctx, room, []rooms.MemberChange{{User: bob, Membership: rooms.Leave}}, false)
	},
	"show": func(ctx context.Context, w *ward) error {
		_, err := w.rooms.Show(ctx, room)
		return err
	},
	"a device changes": func(ctx context.Context, w *ward) error {
		return w.account.Do(ctx, func(tx *txn.Tx) error { return records.MarkRoomsOf(tx, bob) })
	},
	"encrypt elsewhere": func(ctx context.Context, w *ward) error {
		_, err := w.rooms.Encrypt(ctx, quiet, "m.room.message", []byte("{}"), rooms.Form{})
		return err
	},
	"sweep": func(ctx context.Context, w *ward) error {
		_, err := upkeep.Sweep(ctx, w.account, records.Kinds(), w.now.Add(30*24*time.Hour))
		return err
	},
}

// answers are those of calls that damage concerns, and of what was set aside; all
// others do what they do anyway.
var answers = map[string]map[string]error{
	"room damaged":         {"encrypt": kv.ErrCorrupt, "share": kv.ErrCorrupt, "show": kv.ErrCorrupt},
	"room aside":           {"encrypt": rooms.ErrRotate},
	"room-changes damaged": {"encrypt": rooms.ErrNotShared, "encrypt elsewhere": rooms.ErrNotShared},
	"room-changes aside":   {"encrypt": rooms.ErrNotShared, "encrypt elsewhere": rooms.ErrNotShared},
	"group-out damaged":    {"encrypt": rooms.ErrNotShared, "show": kv.ErrCorrupt},
	"group-out aside":      {"encrypt": rooms.ErrNotShared},
}

// TestDamage: a record that cannot be read costs no more than it must, in its own
// room; and however it was, after repair all have the key who are to have it, and
// nobody who left.
func TestDamage(t *testing.T) {
	for kind, key := range harmed {
		for _, how := range []string{"damaged", "aside"} {
			for name, call := range calls {
				if raceEnabled && name != "share" && name != "somebody leaves" {
					continue // it is slow, and one process runs at a time
				}
				w := newWard(t)
				harm(t, w.account, how == "aside", func(tx *txn.Tx) (string, error) { return key(tx, w) })
				err, want := call(t.Context(), w), answers[kind+" "+how][name]
				if !errors.Is(err, want) {
					t.Errorf("%s %s: %s: %v, want %v", kind, how, name, err, want)
				}
				if name == "somebody leaves" && kind != "group-out" {
					w.wantRetired(kind + " " + how)
				}
				w.mend(kind+" "+how+", after "+name, name == "somebody leaves")
			}
		}
	}
}

func (w *ward) wantRetired(what string) {
	w.Helper()
	if got := why(w.T, w.account); got == group.Kept {
		w.Errorf("%s: somebody left, and the session is in use", what)
	}
}

// mend repairs what is broken, and wants all to work.
func (w *ward) mend(what string, left bool) {
	w.Helper()
	ctx := w.Context()
	check := func(ctx context.Context) ([]records.Finding, error) {
		return upkeep.Check(ctx, w.account, records.Kinds())
	}
	_, err := upkeep.Repair(ctx, w.account, check)
	must(w.T, err)
	if found, err := check(ctx); err != nil || len(found) > 0 {
		w.Errorf("%s: after repair check finds %v, %v", what, found, err)
	}
	members := []matrix.UserID{bob, carol, dave}
	want := "[B1 C1]"
	if left {
		members, want = members[1:], "[C1]"
	}
	w.now = w.now.Add(time.Hour)
	w.shareAll(members...)
	if got := fmt.Sprint(w.readers(w.mustEncrypt("repaired"))); got != want {
		w.Errorf("%s: repaired, it is read by %s, want %s", what, got, want)
	}
}

// TestDamageOfShares: of a share that cannot be read, or was set aside, nobody knows
// whose it was: another session takes its place before somebody else changes.
func TestDamageOfShares(t *testing.T) {
	for _, aside := range []bool{false, true} {
		w := newWard(t)
		harm(t, w.account, aside, func(tx *txn.Tx) (string, error) { return harmed["group-shared"](tx, w) })
		w.changes(carol)
		if s := w.shareAll(bob, carol, dave); s.Session == w.session {
			t.Errorf("set aside %v: the session is the same", aside)
		}
	}
}
