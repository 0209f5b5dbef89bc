package receive

import (
	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/device"
	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/internal/machine/devices"
	"github.com/pawlkv/pawl/internal/machine/keyrequests"
	"github.com/pawlkv/pawl/internal/machine/keys"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/internal/machine/roomkeys"
	"github.com/pawlkv/pawl/internal/machine/rooms"
	"github.com/pawlkv/pawl/internal/machine/unwedge"
	"github.com/pawlkv/pawl/internal/syncresponse"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/txn"
)

// Handed returns the packages of an account that the parts of a response are for.
func Handed(a *machine.Account, room *roomkeys.Keys, requests *keyrequests.Requests, u *unwedge.Unwedging, code func(error) string) Others {
	h := handed{a, room, requests}
	return Others{
		Began: func(tx *txn.Tx) (Uploads, error) {
			mark, err := keys.Began(tx)
			return &mark, err
		},
		SawCounts: func(tx *txn.Tx, v account.Account, since Uploads, count *int, unused []string) error {
			return keys.SawCounts(tx, a, v, *since, count, unused)
		},
		SawPushed: func(tx *txn.Tx, count *int, unused []string) error {
			return keys.SawPushed(tx, a, count, unused)
		},
		Uploads: []txn.Ref{records.Pool.Ref(), records.UploadStates.Ref()},
		KeyRequest: func(tx *txn.Tx, v account.Account, m Message) error {
			return requests.Receive(tx, v, m.Place, m.From.User, m.Content)
		},
		OwnerOf:  records.OwnerOf,
		DeviceOf: records.Devices.Get,
		Prove:    devices.Prove,
		Reads:    func(key ratchet.PublicKey) []txn.Ref { return []txn.Ref{records.Owners.Ref(key)} },
		Sends: func(by device.Name) []txn.Ref {
			return []txn.Ref{records.Devices.Ref(by), records.Identities.Ref(by.User), records.Identities.Ref(a.Name.User)}
		},
		Gives: func(s group.SessionID) []txn.Ref {
			return []txn.Ref{records.GroupIns.Ref(s), records.KeyRequests.Ref(s)}
		},
		Outdated:    func(tx *txn.Tx, u matrix.UserID) error { return devices.MarkOutdated(tx, u) },
		Left:        func(tx *txn.Tx, u matrix.UserID) error { return devices.Left(tx, a, u) },
		AllOutdated: func(tx *txn.Tx, v account.Account) error { return devices.AllOutdated(tx, a, v) },
		UserCost:    devices.TrackShare,
		RoomKey:     h.roomKey,
		Room: func(tx *txn.Tx, v account.Account, r syncresponse.Room, response []byte) error {
			return rooms.Apply(tx, a, v, r, response)
		},
		RoomCost:   rooms.Cost,
		Unreadable: u.Saw,
		Reopened:   u.Reopened,
		CodeOf:     code,
	}
}

type handed struct {
	account  *machine.Account
	keys     *roomkeys.Keys
	requests *keyrequests.Requests
}

// roomKey keeps a room key, or a notice that there is none. The user of a device that
// is not known yet is asked for.
func (h handed) roomKey(tx *txn.Tx, v account.Account, m Message) ([]RoomKey, error) {
	from := roomkeys.From{User: m.From.User, Curve25519: m.From.Curve25519, Ed25519: m.From.Ed25519}
	if d := m.From.Device; d != nil {
		from.Device = d.Name
		trust, damaged, err := records.TrustOf(tx, h.account, *d)
		if err != nil {
			return nil, err
		}
		if damaged != nil {
			if m.Type == typeForwardedKey { // which hangs on it
				return nil, damaged
			}
			h.account.Store.Tell(tx, []error{damaged})
		}
		from.Trust = trust
	}
	if m.Read.IsZero() {
		m.Read = roomkeys.Read(m.Type, m.Content)
	}
	out, err := h.keys.Receive(tx, v, m.Place, from, m.Type, m.Read)
	if err != nil {
		return nil, err
	}
	if out.Provenance != 0 {
		if err := h.requests.Stored(tx, v, m.Place, out.Session, out.Provenance); err != nil {
			return nil, err
		}
	}
	if out.Unsettled {
		if err := devices.AskFor(tx, h.account, m.From.User); err != nil {
			return nil, err
		}
	}
	switch out.Result {
	case roomkeys.New, roomkeys.Better, roomkeys.Replaced:
		return []RoomKey{{out.Room, out.Session}}, nil
	}
	return nil, nil
}
