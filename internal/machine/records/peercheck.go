package records

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/session"
	"github.com/pawlkv/pawl/txn"
)

// checkPeers: what a peer lists exists and is live. One that cannot be read is
// complained of by itself.
func checkPeers(c *Checkup) {
	sessions := c.sessionsByID()
	for p := range readable(c, &Peers) {
		for _, id := range p.Sessions() {
			name := SessionName{p.Identity(), id}
			switch at(c, &Sessions, name) {
			case nothing:
				says := fmt.Sprintf("peer %s lists session %s, which is missing", p.Identity(), id)
				if s, elsewhere := sessions[id]; elsewhere {
					says = fmt.Sprintf("peer %s lists session %s, which is with %s", p.Identity(), id, s.Peer())
				}
				c.Find(Peers.Kind, missingSession(name, says), "%s", says)
			case aside:
				c.Find(Peers.Kind, unlisted(name), "peer %s lists session %s, which was set aside", p.Identity(), id)
			case whole:
				if _, pruned := sessions[id].Pruned(); pruned {
					c.Find(Peers.Kind, unlisted(name), "peer %s lists session %s, which was pruned", p.Identity(), id)
				}
			}
		}
	}
}

const takenOff = "take the session off the peer's list"

// missingSession leaves a mark where a session is missing, so that its first
// message can never open it again, and takes it off its peer's list.
func missingSession(name SessionName, why string) *Fix {
	return inOne(takenOff, func(tx *txn.Tx, a *machine.Account) error {
		done, err := markMissing(tx, a, &Sessions, name, machine.Aside{Why: why, Name: name.ID[:]})
		if err != nil || !done {
			return err
		}
		return unlist(tx, name)
	})
}

func unlisted(name SessionName) *Fix {
	return inOne(takenOff, func(tx *txn.Tx, _ *machine.Account) error {
		s, live, err := Sessions.Get(tx, name)
		if _, pruned := s.Pruned(); live && !pruned || err != nil && !machine.IsSetAside(err) {
			return err
		}
		return unlist(tx, name)
	})
}

// unlist takes a session off its peer's list.
func unlist(tx *txn.Tx, name SessionName) error {
	p, ok, err := Peers.Get(tx, name.Peer)
	if machine.IsSetAside(err) || machine.IsDamage(err) || !ok && err == nil {
		return nil
	}
	if err != nil || !p.Has(name.ID) {
		return err
	}
	return Peers.Put(tx, p.Remove(name.ID))
}

// repairPeer makes the record of a peer again from its sessions. Where there are
// none nobody knows whose record it is, and it is set aside.
func repairPeer(c *Checkup, u unread) *Fix {
	for s := range readable(c, &Sessions) {
		if key, err := Peers.Key(c.Tx, s.Peer()); err == nil && key == u.key {
			return rebuiltPeer(s.Peer(), u.says)
		}
	}
	return setAsideFix(u, nil)
}

// rebuiltPeer lists a peer's sessions again. What the lost record said is not
// known, so it is as after a recovery: they only receive.
func rebuiltPeer(identity ratchet.PublicKey, why string) *Fix {
	says := "make the record again from the peer's sessions, which only receive from now on"
	return &Fix{says, func(ctx context.Context, a *machine.Account) error {
		// Without the record none is added. They are read beforehand, since those that
		// were pruned may be any number.
		live, err := txn.View(ctx, a.DB, func(tx *txn.Tx) ([]SessionName, error) { return liveSessions(tx, identity) })
		if err != nil {
			return err
		}
		return a.Do(ctx, func(tx *txn.Tx) error {
			if _, err := a.Active(tx); err != nil {
				return err
			}
			return rebuildPeer(tx, a, identity, live, why)
		})
	}}
}

func rebuildPeer(tx *txn.Tx, a *machine.Account, identity ratchet.PublicKey, live []SessionName, why string) error {
	_, known, err := Peers.Get(tx, identity)
	if known {
		return nil
	}
	if machine.IsDamage(err) {
		if err := setAsideRecord(tx, a, &Peers, identity, machine.Aside{Why: why}); err != nil {
			return err
		}
	} else if err != nil && !machine.IsSetAside(err) {
		return err
	}
	peer, err := newPeer(tx, a, identity)
	if err != nil {
		return err
	}
	found, err := Sessions.GetAll(tx, live...)
	if err != nil {
		return err
	}
	for _, f := range found {
		if _, pruned := f.Value.Pruned(); f.Err != nil || !f.OK || pruned {
			continue // gone meanwhile, or the next check finds it
		}
		if peer, err = peer.Add(f.Value.ID()); err != nil {
			return err
		}
		if err := Sessions.Put(tx, f.Value.StopSending()); err != nil {
			return err
		}
	}
	return Peers.Put(tx, peer)
}

// newPeer is a peer that we know, in the account's format.
func newPeer(tx *txn.Tx, a *machine.Account, identity ratchet.PublicKey) (session.Peer, error) {
	v, err := a.Read(tx)
	peer := session.NewPeer(identity)
	if err == nil && v.Raised() {
		peer = peer.Rated(session.Acquainted) // what strangers leave is swept, and this may be none
	}
	return peer, err
}

// setAsideRecord sets aside whatever stands in a record's place.
func setAsideRecord[N, T any](tx *txn.Tx, a *machine.Account, r *txn.Record[N, T], name N, of machine.Aside) error {
	key, err := r.Key(tx, name)
	if err != nil {
		return err
	}
	version, err := r.Version(tx, name)
	if err != nil {
		return err
	}
	_, err = machine.SetAside(tx, a, key, version, of)
	return err
}

// liveSessions names a peer's sessions, those that were opened first first, and no
// more than a peer may have: the next check finds those that are left.
func liveSessions(tx *txn.Tx, identity ratchet.PublicKey) ([]SessionName, error) {
	var live []session.Session
	for s, err := range Sessions.ScanUnder(tx, txn.PathOf(identity.String())) {
		if machine.IsDamage(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if _, pruned := s.Pruned(); !pruned {
			live = append(live, s)
		}
	}
	slices.SortFunc(live, func(a, b session.Session) int {
		return cmp.Or(cmp.Compare(a.CreatedIn(), b.CreatedIn()), cmp.Compare(a.Created(), b.Created()))
	})
	var names []SessionName
	for _, s := range live[:min(len(live), session.MaxPerPeer)] {
		names = append(names, Sessions.Name(s))
	}
	return names, nil
}
