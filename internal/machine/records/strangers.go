package records

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/session"
	"github.com/pawlkv/pawl/txn"
)

// Standing returns what the peer is to us. Where its record does not say, its
// sessions do, unless one may have been pruned or cannot be read.
func (c Contact) Standing() session.Standing {
	rated := c.Peer.Standing()
	switch {
	case rated != session.Unrated:
		return rated
	case c.Lost != nil || len(c.Broken) > 0 || c.Peer.Full(), slices.ContainsFunc(c.Sessions, session.Session.Acquaints):
		return session.Acquainted
	}
	return session.Stranger
}

// silence is how long nothing was heard of the peer. What was heard in the
// future was heard now.
func (c Contact) silence(now time.Time) time.Duration {
	var heard session.Stamp
	for _, s := range c.Sessions {
		heard = max(heard, s.Heard())
	}
	return max(now.Sub(heard.Time()), 0)
}

// forgettable reports whether all that there is of a stranger may go.
func (c Contact) forgettable(now time.Time) bool {
	return c.Standing() == session.Stranger && len(c.Damages()) == 0 && c.silence(now) >= session.StrangerSilence
}

// strangerShare is what forgetting a stranger takes of a commit: its sessions
// are deleted, each may leave a mark, and each names a key that is looked at.
var strangerShare = machine.Share{Bytes: 16 << 10, Writes: 1 + 2*session.MaxPerPeer, Checks: 1 + 2*session.MaxPerPeer}

// sweepStrangers forgets strangers, the longest silent first: those that were
// silent for session.StrangerMemory, and of the others that may go as many as
// have more than session.MaxSilentSessions sessions together.
func sweepStrangers(ctx context.Context, s *Sweep) (err error) {
	silent, err := findStrangers(ctx, s)
	if err != nil {
		return err
	}
	forget := machine.Change[ratchet.PublicKey, session.Peer]{
		Records: &Peers, Each: strangerShare, Damaged: &s.Damaged,
		If: func(tx *txn.Tx, p session.Peer) (bool, error) {
			c, err := ReadContact(tx, p.Identity())
			return c.forgettable(s.Now), err
		},
		Do: func(tx *txn.Tx, p session.Peer) error { return forgetStranger(tx, p) },
	}
	s.Done.Strangers, err = forget.Named(ctx, s.Account, silent)
	return err
}

// stranger is one that may go.
type stranger struct {
	identity ratchet.PublicKey
	sessions int
	silence  time.Duration
}

// findStrangers returns those that are to go, the longest silent first.
func findStrangers(ctx context.Context, s *Sweep) ([]ratchet.PublicKey, error) {
	all, err := txn.View(ctx, s.Account.DB, func(tx *txn.Tx) ([]stranger, error) { return silentStrangers(tx, s) })
	if err != nil {
		return nil, err
	}
	slices.SortFunc(all, func(a, b stranger) int { return cmp.Compare(a.silence, b.silence) })
	sessions := 0
	kept := 0
	for _, one := range all {
		if sessions += one.sessions; sessions > session.MaxSilentSessions || one.silence >= session.StrangerMemory {
			break
		}
		kept++
	}
	var names []ratchet.PublicKey
	for _, one := range slices.Backward(all[kept:]) {
		names = append(names, one.identity)
	}
	return names, nil
}

// silentStrangers returns the strangers that may go, in an account of format 2:
// format 1 has nothing that what is forgotten could leave behind.
func silentStrangers(tx *txn.Tx, s *Sweep) (all []stranger, err error) {
	if a, err := s.Account.Read(tx); err != nil || !a.Raised() {
		return nil, err
	}
	sessions, err := sessionsByPeer(tx)
	if err != nil {
		return nil, err
	}
	for p, err := range Peers.Scan(tx) {
		if machine.IsDamage(err) {
			continue // the check complains of it
		}
		if err != nil {
			return nil, err
		}
		c := Contact{Peer: p, Sessions: sessions[p.Identity()]}
		if len(c.Sessions) == len(p.Sessions()) && c.forgettable(s.Now) {
			c := stranger{p.Identity(), len(c.Sessions), c.silence(s.Now)}
			all = append(all, c)
		}
	}
	return all, nil
}

// sessionsByPeer returns all live sessions that can be read.
func sessionsByPeer(tx *txn.Tx) (map[ratchet.PublicKey][]session.Session, error) {
	all := map[ratchet.PublicKey][]session.Session{}
	for s, err := range Sessions.Scan(tx) {
		if err != nil && !machine.IsDamage(err) {
			return nil, err
		}
		if _, pruned := s.Pruned(); err == nil && !pruned {
			all[s.Peer()] = append(all[s.Peer()], s)
		}
	}
	return all, nil
}

func forgetStranger(tx *txn.Tx, p session.Peer) error {
	c, err := ReadContact(tx, p.Identity())
	if err != nil {
		return err
	}
	for _, s := range c.Sessions {
		if err := Forget(tx, s); err != nil {
			return err
		}
	}
	return Peers.Delete(tx, p.Identity())
}

// Forget deletes a session of an account of format 2. It leaves a mark if a key
// of ours opened it that is still there: its first message would open it again.
func Forget(tx *txn.Tx, s session.Session) error {
	if err := Sessions.Delete(tx, SessionName{s.Peer(), s.ID()}); err != nil {
		return err
	}
	if s.Origin() == session.Outbound {
		return nil
	}
	key, there, err := Keys.Get(tx, s.OneTimeKey())
	switch {
	case machine.IsSetAside(err): // its private part is gone
		return nil
	case machine.IsDamage(err): // it may be there still, and has no id to name
		at, err := Sessions.Key(tx, SessionName{s.Peer(), s.ID()})
		if err != nil {
			return err
		}
		return tx.SetAside(at, s.Heard().Time())
	case err != nil || !there:
		return err
	}
	return Marks.Put(tx, session.Mark{Session: s.ID(), Key: uint32(key.ID())})
}
