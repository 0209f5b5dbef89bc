package records

import (
	"context"

	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/session"
	"github.com/pawlkv/pawl/txn"
)

// Sessions: one Olm session or its tombstone, session/<curve25519>/<id>.
var Sessions = txn.Record[SessionName, session.Session]{
	Kind: "session", Codec: machine.Encoded[session.Session]{Read: session.DecodeSession},
	Name: func(s session.Session) SessionName { return SessionName{s.Peer(), s.ID()} },
	Path: func(n SessionName) txn.Path { return txn.PathOf(n.Peer.String(), n.ID.String()) },
}

func sessionKind() Kind {
	return Kind{Records: many(&Sessions), Check: checkSessions, Broken: repairSession, Sweep: sweepSessions, Recover: recoverSessions}
}

// SessionName names a session.
type SessionName struct {
	Peer ratchet.PublicKey
	ID   ratchet.SessionID
}

// sessionShare is what changing a session takes of a commit: it has 8 KB at
// most, and what decides on it may be one record more.
var sessionShare = machine.Share{Bytes: 8<<10 + 256, Writes: 1, Checks: 2}

// sweepSessions deletes tombstones. One of a session opened with a fallback
// key stays for as long as that key could open it again.
func sweepSessions(ctx context.Context, s *Sweep) (err error) {
	old := func(tx *txn.Tx, one session.Session) (bool, error) {
		at, pruned := one.Pruned()
		if !pruned || s.Now.Sub(at.Time()) < session.ReceiptLife {
			return false, nil
		}
		if one.Origin() != session.WithFallbackKey {
			return true, nil
		}
		_, usable, err := Keys.Get(tx, one.OneTimeKey())
		if machine.IsSetAside(err) {
			return true, nil
		}
		return !usable, err
	}
	s.Done.Sessions, err = machine.Delete(&Sessions, sessionShare, &s.Damaged, old).All(ctx, s.Account)
	return err
}

// recoverSessions lets no session send that there is: none is added behind its
// back but such that peers open, which only receive from the first. A damaged one
// cannot send. It changes nothing if another process has finished the recovery.
//
// It takes damaged and missing ones off their peers' lists, so that they are not
// sent in if somebody puts them back.
func recoverSessions(ctx context.Context, r *Recovery) (err error) {
	if err := setSessionsAside(ctx, r); err != nil {
		return err
	}
	stop := machine.Change[SessionName, session.Session]{
		Records: &Sessions, Each: sessionShare, Damaged: &r.Damaged,
		If: func(tx *txn.Tx, s session.Session) (bool, error) {
			a, err := r.Account.Active(tx)
			_, recovering := a.NeedsRecovery()
			_, pruned := s.Pruned()
			return recovering && !pruned && !s.ReceiveOnly(), err
		},
		Do: func(tx *txn.Tx, s session.Session) error { return Sessions.Put(tx, s.StopSending()) },
	}
	r.Done.Sessions, err = stop.All(ctx, r.Account)
	return err
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

// InspectSession returns the public part of a session.
func InspectSession(tx *txn.Tx, s session.Session) (SessionInfo, error) {
	version, err := Sessions.Version(tx, SessionName{s.Peer(), s.ID()})
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
