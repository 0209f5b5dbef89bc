package records

import (
	"context"
	"time"

	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/session"
	"github.com/pawlkv/pawl/txn"
)

// placeShare is what giving a peer's sessions orders takes of a commit.
var placeShare = machine.Share{
	Bytes: session.MaxPerPeer * sessionShare.Bytes, Writes: session.MaxPerPeer, Checks: 1 + session.MaxPerPeer,
}

// placeOld puts right the times of sessions that a clock ahead told in format 1.
// There they are an order too, so the peer's sessions of format 1 get one first.
func (t truth) placeOld(ctx context.Context, s *Sweep, peers []ratchet.PublicKey) error {
	_, err := machine.Change[ratchet.PublicKey, session.Peer]{
		Records: &Peers, Each: placeShare, Damaged: &s.Damaged,
		If: func(*txn.Tx, session.Peer) (bool, error) { return true, nil },
		Do: func(tx *txn.Tx, p session.Peer) error {
			c, err := ReadContact(tx, p.Identity())
			if err != nil || len(c.Damages()) > 0 { // one that cannot be read has a place too
				return err
			}
			for _, one := range session.Placed(c.Sessions) {
				created, received := one.Created().Time(), one.LastReceived().Time()
				one = one.Moved(t.of(event{at: created}), t.of(event{at: received}), time.Time{})
				if err := Sessions.Put(tx, one); err != nil {
					return err
				}
			}
			return nil
		},
	}.Named(ctx, s.Account, peers)
	return err
}
