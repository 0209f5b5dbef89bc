package calls

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/device"
	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/matrix"
)

// Calls on a machine: rooms and their events.
func init() {
	machineCall("share_room_key", "Machine.ShareRoomKey", "", func(g given, a *machine, p shareParams) (pawl.Sharing, error) {
		return a.machine.ShareRoomKey(g.ctx, p.Room, p.Members, p.settings())
	})
	machineCall("rotate_room_key", "Machine.RotateRoomKey", "", func(g given, a *machine, p roomParams) (nothing, error) {
		return nothing{}, a.machine.RotateRoomKey(g.ctx, p.Room)
	})
	machineCall("room", "Machine.Room", "", func(g given, a *machine, p roomParams) (pawl.RoomInfo, error) {
		return a.machine.Room(g.ctx, p.Room)
	})
	machineCall("encrypt_room_event", "Machine.EncryptRoomEvent", "the content, JSON",
		func(g given, a *machine, p eventParams) (contentResult, error) {
			content, err := g.raw()
			if err != nil {
				return contentResult{}, err
			}
			encrypted, err := a.machine.EncryptRoomEvent(g.ctx, p.Room, p.Type, content, p.options()...)
			return contentResult{encrypted}, err
		})
	machineCall("decrypt_room_event", "Machine.DecryptRoomEvent", "the content of the event, JSON",
		func(g given, a *machine, p encryptedParams) (pawl.DecryptedRoomEvent, error) {
			return a.machine.DecryptRoomEvent(g.ctx, pawl.RoomEvent{
				Room: p.Room, ID: p.ID, Sender: p.Sender, Content: g.body, AllowMismatched: p.AllowMismatched,
			})
		})
	machineCall("wait_for_room_key", "Machine.WaitForRoomKey", "", func(g given, a *machine, p waitParams) (nothing, error) {
		return nothing{}, a.machine.WaitForRoomKey(g.ctx, p.Room, p.Session, p.Sender)
	})
	machineCall("request_room_key", "Machine.RequestRoomKey", "", func(g given, a *machine, p sessionParams) (nothing, error) {
		return nothing{}, a.machine.RequestRoomKey(g.ctx, p.Room, p.Session)
	})
}

type (
	roomParams  struct{ Room matrix.RoomID }
	shareParams struct {
		Room       matrix.RoomID
		Members    []matrix.UserID
		Algorithm  string
		Messages   int
		Age        time.Duration
		Visibility group.Visibility
		Strategy   group.Strategy
		// Allow are the devices that may have the key, of the strategy by_caller, which it
		// stands for by itself.
		Allow *[]device.Name
	}
	eventParams struct {
		Room     matrix.RoomID
		Type     string
		StateKey *string
		// RelationInside is pawl.RelationInside, and RelationOutside what stands outside.
		RelationInside  bool
		RelationOutside json.RawMessage
	}
	contentResult   struct{ Content json.RawMessage }
	encryptedParams struct {
		Room            matrix.RoomID
		ID              matrix.EventID
		Sender          matrix.UserID
		AllowMismatched bool
	}
	waitParams struct {
		Room    matrix.RoomID
		Session group.SessionID
		Sender  matrix.UserID
	}
	sessionParams struct {
		Room    matrix.RoomID
		Session group.SessionID
	}
)

func (p shareParams) settings() pawl.RoomSettings {
	s := pawl.RoomSettings{
		Algorithm: p.Algorithm, Messages: p.Messages, Age: p.Age, Visibility: p.Visibility, Strategy: p.Strategy,
	}
	if p.Allow != nil {
		s.Allow = func(d pawl.DeviceInfo) bool { return slices.Contains(*p.Allow, d.Name) }
	}
	return s
}

func (p eventParams) options() (all []pawl.RoomEventOption) {
	if p.StateKey != nil {
		all = append(all, pawl.StateKey(*p.StateKey))
	}
	if p.RelationInside {
		all = append(all, pawl.RelationInside(p.RelationOutside))
	}
	return all
}
