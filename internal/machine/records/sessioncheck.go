package records

import (
	"context"
	"fmt"
	"slices"

	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/otk"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/session"
	"github.com/pawlkv/pawl/txn"
)

// checkSessions: a live session is listed, and the one-time key of ours that
// opened it is used up.
func checkSessions(c *Checkup) {
	listed := map[SessionName]bool{}
	for p := range readable(c, &Peers) {
		for _, name := range SessionNames(p) {
			listed[name] = true
		}
	}
	keys := keysByPublic(c)
	for s := range readable(c, &Sessions) {
		name := Sessions.Name(s)
		if _, pruned := s.Pruned(); !pruned && !listed[name] {
			switch at(c, &Peers, name.Peer) {
			case nothing, aside:
				says := fmt.Sprintf("session %s with %s is not listed by its peer, of which there is no record", name.ID, name.Peer)
				c.Find(Peers.Kind, rebuiltPeer(name.Peer, says), "%s", says)
			case whole:
				c.Find(Sessions.Kind, listedAgain(name), "session %s with %s is not listed by its peer", name.ID, name.Peer)
			}
		}
		if s.Origin() == session.WithOneTimeKey {
			checkOpener(c, keys, s)
		}
	}
}

// checkOpener: the key that opened a session is used up by it.
func checkOpener(c *Checkup, keys map[ratchet.PublicKey]otk.Key, s session.Session) {
	key := s.OneTimeKey()
	switch at(c, &Keys, key) {
	case nothing:
		says := fmt.Sprintf("one-time key %s, which opened session %s, left no tombstone", key, s.ID())
		c.Find(Keys.Kind, missingKey(key, says), "%s", says)
	case whole:
		if by, _, used := keys[key].Used(); !used || by != s.ID() {
			says := fmt.Sprintf("one-time key %s opened session %s and is not marked so", key, s.ID())
			c.Find(Keys.Kind, goneKey(key, says), "%s", says)
		}
	}
}

// repairSession sets aside a session that cannot be read, and takes it off its
// peer's list, if that is known. The mark in its place keeps its first message
// from opening it again.
func repairSession(c *Checkup, u unread) *Fix {
	for p := range readable(c, &Peers) {
		for _, name := range SessionNames(p) {
			if key, err := Sessions.Key(c.Tx, name); err == nil && key == u.key {
				return brokenSession(u, name)
			}
		}
	}
	return setAsideFix(u, nil)
}

// setSessionsAside sets aside all sessions that cannot be read, and leaves marks in
// the place of those that are missing.
func setSessionsAside(ctx context.Context, r *Recovery) error {
	found, err := txn.View(ctx, r.Account.DB, func(tx *txn.Tx) ([]Finding, error) {
		c, err := NewCheckup(tx, r.Account, []Kind{{Records: many(&Peers), Broken: repairPeer}, {Records: many(&Sessions), Broken: repairSession}})
		if err != nil {
			return nil, err
		}
		c.Found = slices.DeleteFunc(c.Found, func(f Finding) bool { return f.Kind != Sessions.Kind })
		checkPeers(c)
		return c.Found, nil
	})
	if err != nil {
		return err
	}
	for _, f := range found {
		r.Damaged.Add(machine.Corrupt("%s", f.Broken))
		if err := f.Fix.Do(ctx, r.Account); err != nil {
			return err
		}
	}
	return nil
}

// SetSessionAside sets aside a session that cannot be read, to make place for
// another of its peer.
func SetSessionAside(tx *txn.Tx, a *machine.Account, name SessionName, why error) error {
	return setAsideRecord(tx, a, &Sessions, name, machine.Aside{Why: why.Error(), Name: name.ID[:]})
}

func brokenSession(u unread, name SessionName) *Fix {
	return inOne("set it aside, and "+takenOff, func(tx *txn.Tx, a *machine.Account) error {
		done, err := machine.SetAside(tx, a, u.key, u.version, machine.Aside{Why: u.says, Name: name.ID[:]})
		if err != nil || !done {
			return err
		}
		return unlist(tx, name)
	})
}

// listedAgain puts a session on its peer's list: it only receives from now on, as
// after a recovery. Where the list is full it is set aside.
func listedAgain(name SessionName) *Fix {
	return inOne("list it again: it only receives from now on", func(tx *txn.Tx, a *machine.Account) error {
		s, ok, err := Sessions.Get(tx, name)
		if machine.IsSetAside(err) || machine.IsDamage(err) || err == nil && !ok {
			return nil
		}
		if err != nil {
			return err
		}
		p, ok, err := Peers.Get(tx, name.Peer)
		if err != nil || !ok || p.Has(name.ID) {
			return err
		}
		if _, pruned := s.Pruned(); pruned {
			return nil
		}
		if p.Full() {
			return setAsideRecord(tx, a, &Sessions, name, machine.Aside{Why: "its peer has no place for it", Name: name.ID[:]})
		}
		if p, err = p.Add(name.ID); err != nil {
			return err
		}
		if err := Sessions.Put(tx, s.StopSending()); err != nil {
			return err
		}
		return Peers.Put(tx, p)
	})
}
