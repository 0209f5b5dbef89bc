package records_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/pawlkv/pawl/device"
	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/txn"
)

const bob = matrix.UserID("@bob:example.org")

// state is what the rooms' marks are.
func marks(t *testing.T, a *machine.Account, rooms ...matrix.RoomID) (changed []uint64, everywhere uint64) {
	t.Helper()
	do(t, a, func(tx *txn.Tx) error {
		changed = nil
		for _, id := range rooms {
			r, _, err := records.ReadRoom(tx, id)
			if err != nil {
				return err
			}
			changed = append(changed, r.Changed)
		}
		var err error
		everywhere, _, err = records.Everywhere(tx)
		return err
	})
	return changed, everywhere
}

func enrol(t *testing.T, a *machine.Account, user matrix.UserID, rooms ...matrix.RoomID) {
	t.Helper()
	for _, room := range rooms {
		do(t, a, func(tx *txn.Tx) error {
			if _, known, err := records.Rooms.Get(tx, room); err != nil || !known {
				if err := records.Rooms.Put(tx, records.Room{ID: room}); err != nil {
					return err
				}
			}
			return records.Enrol(tx, user, room)
		})
	}
}

func isMember(t *testing.T, a *machine.Account, user matrix.UserID, room matrix.RoomID) (is bool) {
	t.Helper()
	do(t, a, func(tx *txn.Tx) (err error) {
		is, _, err = records.IsMember(tx, user, room)
		return err
	})
	return is
}

// follow has a user followed, who is in no room.
func follow(t *testing.T, a *machine.Account, users ...matrix.UserID) {
	t.Helper()
	for _, user := range users {
		do(t, a, func(tx *txn.Tx) error {
			return errors.Join(records.InNoRoom(tx, user), records.PutUser(tx, device.Tracking{User: user}.Track()))
		})
	}
}

// TestMarkRoomsOf: the rooms of a user are marked, and no others; none of a user who is
// followed and in none, and all of one of whom that is lost, who is in all from then on.
func TestMarkRoomsOf(t *testing.T) {
	a := newAccount(t)
	mark := func() { do(t, a, func(tx *txn.Tx) error { return records.MarkRoomsOf(tx, bob) }) }
	follow(t, a, bob)
	mark()
	enrol(t, a, bob, "!a", "!b")
	enrol(t, a, "@carol:example.org", "!c", "!b")
	mark()
	if changed, all := marks(t, a, "!a", "!b", "!c"); fmt.Sprint(changed, all) != "[1 1 0] 0" {
		t.Errorf("the marks are %v, %d", changed, all)
	}
	do(t, a, func(tx *txn.Tx) error { return records.Dismiss(tx, bob, "!a") })
	mark()
	if changed, all := marks(t, a, "!a", "!b", "!c"); fmt.Sprint(changed, all) != "[1 2 0] 0" {
		t.Errorf("after one was left: %v, %d", changed, all)
	}
	do(t, a, func(tx *txn.Tx) error { return records.Dismiss(tx, bob, "!b") })
	mark()
	if isMember(t, a, bob, "!b") {
		t.Error("of no room, and still a member")
	}
	wantRecords(t, a, records.Kinds(), "member", 2) // bob, in none, and carol
	do(t, a, func(tx *txn.Tx) error { return records.Members.Delete(tx, bob) })
	_, before := marks(t, a)
	mark()
	if changed, all := marks(t, a, "!a", "!b", "!c"); fmt.Sprint(changed) != "[1 2 0]" || all <= before {
		t.Errorf("where it is lost in which rooms: %v, %d", changed, all)
	}
	enrol(t, a, bob, "!a")
	if !isMember(t, a, bob, "!b") {
		t.Error("enrolled in a room again, who was lost is not in all")
	}
}

// TestMarkManyRooms: who is in more rooms than are listed marks all of them, and
// the commit is one that every engine takes.
func TestMarkManyRooms(t *testing.T) {
	a := newAccount(t)
	for i := range 40 {
		enrol(t, a, bob, matrix.RoomID(fmt.Sprint("!", i)))
	}
	if !isMember(t, a, bob, "!0") || !isMember(t, a, bob, "!39") || !isMember(t, a, bob, "!elsewhere") {
		t.Error("a member of many rooms is none of some")
	}
	do(t, a, func(tx *txn.Tx) error { return records.MarkRoomsOf(tx, bob) })
	if changed, all := marks(t, a, "!0", "!39"); fmt.Sprint(changed) != "[0 0]" || all == 0 {
		t.Errorf("the marks are %v, %d", changed, all)
	}
	// Many users in one commit, each in several rooms: the engine takes 100 writes.
	var crowd []matrix.UserID
	for i := range 20 {
		crowd = append(crowd, matrix.UserID(fmt.Sprintf("@u%d:b", i)))
		for j := range 12 {
			enrol(t, a, crowd[i], matrix.RoomID(fmt.Sprintf("!%d.%d", i, j)))
		}
	}
	do(t, a, func(tx *txn.Tx) error {
		for _, user := range crowd {
			if err := records.MarkRoomsOf(tx, user); err != nil {
				return err
			}
		}
		return nil
	})
	if changed, all := marks(t, a, "!0.0", "!19.0"); changed[0] != 1 || changed[1] == 1 || all < 2 {
		t.Errorf("the marks of a crowd are %v, %d", changed, all)
	}
}

// TestMemberDamage: a record that cannot be read costs rooms that are shared once
// more, and nothing is missed.
func TestMemberDamage(t *testing.T) {
	for _, aside := range []bool{false, true} {
		a := newAccount(t)
		enrol(t, a, bob, "!a", "!b")
		harm(t, a, aside, func(tx *txn.Tx) (string, error) { return records.Members.Key(tx, bob) })
		if !isMember(t, a, bob, "!a") {
			t.Errorf("set aside %v: no member", aside)
		}
		do(t, a, func(tx *txn.Tx) error { return records.MarkRoomsOf(tx, bob) })
		changed, first := marks(t, a, "!a", "!b")
		if fmt.Sprint(changed) != "[0 0]" || first == 0 {
			t.Errorf("set aside %v: the marks are %v, %d", aside, changed, first)
		}
		enrol(t, a, bob, "!a")
		do(t, a, func(tx *txn.Tx) error { return records.MarkRoomsOf(tx, bob) })
		if _, all := marks(t, a); all != first+1 {
			t.Errorf("set aside %v: enrolled in one, the others are marked %d times", aside, all)
		}
		harm(t, a, aside, records.RoomChanges.Key)
		do(t, a, func(tx *txn.Tx) error { return records.MarkRoomsOf(tx, bob) })
		if _, all := marks(t, a); all <= first+1 {
			t.Errorf("set aside %v: a count that was lost goes on at %d", aside, all)
		}
		enrol(t, a, "@carol:example.org", "!b")
		harm(t, a, aside, func(tx *txn.Tx) (string, error) { return records.Rooms.Key(tx, "!b") })
		do(t, a, func(tx *txn.Tx) error { return records.MarkRoomsOf(tx, "@carol:example.org") })
		do(t, a, func(tx *txn.Tx) error {
			r, known, err := records.ReadRoom(tx, "!b")
			if known || aside != (err == nil) || aside && !r.Encrypted || !aside && !machine.IsDamage(err) {
				t.Errorf("set aside %v: the room is %+v, %v", aside, r, err)
			}
			return nil
		})
	}
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
	if !aside {
		overwrite(t, a, name)
	}
}

func overwrite(t *testing.T, a *machine.Account, key string) {
	t.Helper()
	_, err := a.Store.DB.Store().Commit(t.Context(), &kv.Batch{ID: kv.NewCommitID(0), Writes: []kv.Write{{Key: key, Value: []byte("damaged")}}})
	if err != nil {
		t.Fatal(err)
	}
}
