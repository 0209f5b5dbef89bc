package pawl

import (
	"cmp"
	"context"
	"slices"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/otk"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/session"
	"github.com/pawlkv/pawl/txn"
)

// Inspection is what may be shown of an account: public parts and counts.
type Inspection struct {
	Identity Identity
	Retired  string // where the account moved, or ""
	Recovery string // why the account must be recovered, or ""
	Keys     KeyCounts
	Peers    []PeerInfo // in the order of their identity keys
	Receipts ReceiptCounts
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
// works on a retired account too.
func (m *Machine) Inspect(ctx context.Context) (Inspection, error) {
	return txn.View(ctx, m.db, func(tx *txn.Tx) (Inspection, error) {
		a, err := m.account(tx)
		if err != nil {
			return Inspection{}, err
		}
		out := Inspection{Identity: identityOf(a)}
		if to, retired := a.Retired(); retired {
			out.Retired = to.Path
		}
		if why, needed := a.NeedsRecovery(); needed {
			out.Recovery = why.Cause.String()
		}
		if out.Keys, err = m.countKeys(tx); err != nil {
			return Inspection{}, err
		}
		if out.Receipts, err = m.countReceipts(tx); err != nil {
			return Inspection{}, err
		}
		out.Peers, err = m.inspectPeers(tx)
		return out, err
	})
}

func (m *Machine) countKeys(tx *txn.Tx) (KeyCounts, error) {
	pool, err := m.settledPool(tx)
	if err != nil {
		return KeyCounts{}, err
	}
	current, previous := pool.Fallbacks()
	counts := KeyCounts{
		Generated: pool.Count(otk.Generated), Offered: pool.Count(otk.Offered),
		Published: pool.Count(otk.Published), Abandoned: pool.Count(otk.Abandoned),
		NextID: pool.Next(), Fallback: current.ID, PreviousFallback: previous.ID,
	}
	for k, err := range keys.Scan(tx) {
		if err != nil {
			return KeyCounts{}, err
		}
		if _, _, used := k.Used(); used {
			counts.Used++
		}
	}
	return counts, nil
}

func (m *Machine) countReceipts(tx *txn.Tx) (ReceiptCounts, error) {
	var counts ReceiptCounts
	for r, err := range receipts.Scan(tx) {
		if err != nil {
			return ReceiptCounts{}, err
		}
		if _, kept := r.Key(); kept {
			counts.Open++
		} else {
			counts.Acknowledged++
		}
	}
	return counts, nil
}

func (m *Machine) inspectPeers(tx *txn.Tx) ([]PeerInfo, error) {
	var all []PeerInfo
	for p, err := range peers.Scan(tx) {
		if err != nil {
			return nil, err
		}
		info, err := m.inspectPeer(tx, p)
		if err != nil {
			return nil, err
		}
		all = append(all, info)
	}
	slices.SortFunc(all, func(a, b PeerInfo) int {
		return cmp.Compare(a.Curve25519.String(), b.Curve25519.String())
	})
	return all, nil
}

func (m *Machine) inspectPeer(tx *txn.Tx, p session.Peer) (PeerInfo, error) {
	c, err := m.contact(tx, p.Identity())
	if err != nil {
		return PeerInfo{}, err
	}
	version, err := peers.Version(tx, p.Identity())
	if err != nil {
		return PeerInfo{}, err
	}
	info := PeerInfo{Curve25519: p.Identity(), Version: version}
	for _, s := range c.sessions {
		one, err := m.inspectSession(tx, s)
		if err != nil {
			return PeerInfo{}, err
		}
		info.Sessions = append(info.Sessions, one)
	}
	return info, nil
}

func (m *Machine) inspectSession(tx *txn.Tx, s session.Session) (SessionInfo, error) {
	version, err := sessions.Version(tx, nameOf(s))
	if err != nil {
		return SessionInfo{}, err
	}
	state, err := s.Ratchet()
	if err != nil {
		return SessionInfo{}, err
	}
	info := SessionInfo{
		ID: s.ID(), Version: version, Origin: s.Origin(),
		Created: s.Created(), LastReceived: s.LastReceived(), LastSent: s.LastSent(), ReceiveOnly: s.ReceiveOnly(),
		Receiving: state.ReceiverChains(),
	}
	if chain, ok := state.SenderChain(); ok {
		info.Sending = &chain
	}
	return info, nil
}
