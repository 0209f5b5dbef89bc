package records

import (
	"slices"
	"strings"

	"github.com/pawlkv/pawl/device"
	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/txn"
)

// InspectedRoom is what is kept of a room, and the session that we send in.
type InspectedRoom struct {
	Room
	Session  group.SessionID // zero: none
	Messages uint32          // that were sent in it
	Why      group.Why       // it was given up, if it was
	Given    int             // devices that have its key
	Withheld int             // devices that do not get it, or could not be reached
}

// inspectRooms adds the rooms, by their ids. Of a session that cannot be read, and of
// what devices were told, only that is left out.
func inspectRooms(tx *txn.Tx, _ *machine.Account, out *Inspection, damaged *machine.Damages) error {
	told := map[RoomSession][2]int{}
	for s, err := range Shares.Scan(tx) {
		if err != nil && !damaged.Note(err) {
			return err
		}
		if err == nil {
			n := told[RoomSession{s.Room, s.Session}]
			if s.Outcome.Has() {
				n[0]++
			} else {
				n[1]++
			}
			told[RoomSession{s.Room, s.Session}] = n
		}
	}
	for r, err := range Rooms.Scan(tx) {
		if err != nil && !damaged.Note(err) {
			return err
		}
		if err != nil {
			continue
		}
		seen := InspectedRoom{Room: r}
		o, ok, err := Outbound.Get(tx, r.ID)
		if err != nil && !gone(err) {
			return err
		}
		if ok && err == nil {
			seen.Session, seen.Messages = o.ID(), o.Sender().Index()
			_, seen.Why = o.Retired()
			n := told[RoomSession{r.ID, o.ID()}]
			seen.Given, seen.Withheld = n[0], n[1]
		}
		out.Rooms = append(out.Rooms, seen)
	}
	slices.SortFunc(out.Rooms, func(a, b InspectedRoom) int { return strings.Compare(string(a.ID), string(b.ID)) })
	return nil
}

// inspectDevices adds others' devices and the own one, by user and id.
func inspectDevices(tx *txn.Tx, _ *machine.Account, out *Inspection, damaged *machine.Damages) error {
	if err := collect(tx, &Devices, damaged, &out.Devices); err != nil {
		return err
	}
	slices.SortFunc(out.Devices, func(a, b device.Device) int {
		if c := strings.Compare(string(a.User), string(b.User)); c != 0 {
			return c
		}
		return strings.Compare(string(a.Device), string(b.Device))
	})
	return nil
}

// inspectRequests adds what waits to be sent, or for an answer, in order.
func inspectRequests(tx *txn.Tx, _ *machine.Account, out *Inspection, damaged *machine.Damages) error {
	err := collect(tx, &Requests, damaged, &out.Requests)
	SortRequests(out.Requests)
	return err
}

// inspectWedges adds the peers of whom something could not be read, by their keys.
func inspectWedges(tx *txn.Tx, _ *machine.Account, out *Inspection, damaged *machine.Damages) error {
	err := collect(tx, &Wedges, damaged, &out.Wedges)
	slices.SortFunc(out.Wedges, func(a, b Wedge) int { return strings.Compare(a.Key.String(), b.Key.String()) })
	return err
}

// collect adds all records that can be read, and notes the others.
func collect[N, T any](tx *txn.Tx, r *txn.Record[N, T], damaged *machine.Damages, into *[]T) error {
	for v, err := range r.Scan(tx) {
		if err != nil && !damaged.Note(err) {
			return err
		}
		if err == nil {
			*into = append(*into, v)
		}
	}
	return nil
}
