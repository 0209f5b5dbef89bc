package pawl

import (
	"context"

	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/internal/machine/upkeep"
	"github.com/pawlkv/pawl/kv"
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
	Records  map[string]int // how many the store holds of each kind: "session"
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
		Peers: convert(in.Peers, peerInfo),
	}, err
}

func peerInfo(p records.PeerInfo) PeerInfo {
	sessions := convert(p.Sessions, func(s records.SessionInfo) SessionInfo { return SessionInfo(s) })
	return PeerInfo{p.Curve25519, p.Version, sessions}
}
