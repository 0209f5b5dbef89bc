package pawl

import (
	"context"
	"time"

	"github.com/pawlkv/pawl/device"
	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/internal/machine/upkeep"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/otk"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/session"
)

// Inspection is what may be shown of an account: public parts and counts.
type Inspection struct {
	Damaged  []error // of the records that cannot be shown; see [Machine.Check]
	Identity Identity
	Retired  string // where the account moved, or ""
	Recovery string // why the account must be recovered, or ""
	Keys     KeyCounts
	Peers    []PeerInfo // in the order of their identity keys
	Receipts ReceiptCounts
	Rooms    []RoomInspection
	Devices  []DeviceInspection // others' and the own one, by user and id
	Requests []RequestInspection
	// Unreadable are the peers of whom something came that nobody could read, or that
	// said so of us.
	Unreadable []PeerEvidence
	Records    map[string]int // how many the store holds of each kind: "session"
}

// RoomInspection is what is kept of a room.
type RoomInspection struct {
	Room      matrix.RoomID
	Encrypted bool
	Session   group.SessionID // that events are encrypted in; zero: none
	Messages  uint32          // that were
	Why       group.Why       // it was given up, group.Kept if it was not
	Given     int             // devices that have its key
	Withheld  int             // devices that do not get it, or could not be reached
	Waiting   int             // requests with its key that have no answer
}

// DeviceInspection is a device as answers to /keys/query showed it.
type DeviceInspection struct {
	device.Name
	Curve25519 ratchet.PublicKey
	Gone       time.Time // since when answers leave it out; zero: it is there
	Disputed   bool      // another one claims its key
}

// RequestInspection is a request that waits to be sent, or for its answer.
type RequestInspection struct {
	ID       RequestID
	Kind     string // "keys/upload"
	Made     time.Time
	Handed   uint32 // how often it was handed out
	Failures uint32 // in a row
}

// PeerEvidence says that sessions with a peer may have come apart, and what was done.
type PeerEvidence struct {
	Curve25519 ratchet.PublicKey
	User       matrix.UserID
	First      time.Time // when what nobody could read came first, since it was well
	Last       time.Time // and last; zero: nothing did
	Why        string    // it could not be read
	Tries      int       // sessions that were asked for since
	Tried      time.Time // when the last one was; zero: none was
	Heard      time.Time // when it was found well again; zero: it was not
}

// KeyCounts counts one-time keys by stage and names the fallback keys.
type KeyCounts struct {
	Generated, Offered, Published, Abandoned int
	Used                                     int // tombstones
	NextID                                   otk.ID
	Fallback, PreviousFallback               otk.ID // 0: none
}

// ReceiptCounts counts receipts.
type ReceiptCounts struct {
	Open         int // keep their message's key
	Acknowledged int
}

// PeerInfo is a peer with its sessions, in the order in which they were added.
type PeerInfo struct {
	Curve25519 ratchet.PublicKey
	Version    kv.Version // of the peer's record
	Sessions   []SessionInfo
}

// SessionInfo is the public part of a session.
type SessionInfo struct {
	ID           ratchet.SessionID
	Version      kv.Version // of the session's record: one commit a message
	Origin       session.Origin
	Created      session.Stamp
	LastReceived session.Stamp       // 0: never
	LastSent     session.Stamp       // 0: never
	ReceiveOnly  bool                // since a recovery
	Sending      *ratchet.ChainInfo  // nil: none until the next message is sent
	Receiving    []ratchet.ChainInfo // newest first
}

// Inspect returns the public parts of the account, from one snapshot. It
// works on a retired account too. What is damaged is left out and told.
func (m *Machine) Inspect(ctx context.Context) (Inspection, error) {
	in, err := upkeep.Inspect(ctx, m.account, records.Kinds())
	return Inspection{
		Damaged: in.Damaged, Identity: Identity(in.Identity), Retired: in.Retired, Recovery: in.Recovery,
		Keys: KeyCounts(in.Keys), Receipts: ReceiptCounts(in.Receipts), Records: in.Records,
		Peers: convert(in.Peers, peerInfo), Rooms: convert(in.Rooms, roomInspection),
		Devices: convert(in.Devices, func(d device.Device) DeviceInspection {
			return DeviceInspection{d.Name, d.Curve25519, d.Gone, d.Disputed}
		}),
		Requests: convert(in.Requests, func(r records.Request) RequestInspection {
			return RequestInspection{RequestID(r.ID), r.Kind.String(), r.Made.Time, r.Handed, r.Failures}
		}),
		Unreadable: convert(in.Wedges, func(w records.Wedge) PeerEvidence {
			return PeerEvidence{w.Key, w.User, w.First.Time, w.Last.Time, w.Why, w.Tries, w.Begun.Time, w.Heard}
		}),
	}, err
}

func roomInspection(r records.InspectedRoom) RoomInspection {
	return RoomInspection{r.ID, r.Encrypted, r.Session, r.Messages, r.Why, r.Given, r.Withheld, len(r.Waiting)}
}

func peerInfo(p records.PeerInfo) PeerInfo {
	sessions := convert(p.Sessions, func(s records.SessionInfo) SessionInfo { return SessionInfo(s) })
	return PeerInfo{p.Curve25519, p.Version, sessions}
}
