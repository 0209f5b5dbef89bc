package rooms

import (
	"context"
	"slices"

	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/internal/machine/outbox"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/txn"
)

// Sharing is how far sharing a key has come.
type Sharing struct {
	Session group.SessionID
	// Done: everybody has the key, or is known not to get it now.
	Done bool
	// Requests have no answer yet. Where Done is true nobody waits for them.
	Requests []outbox.ID
	// NobodyVerified: only verified devices are to have the key, and the own identity is
	// not, so that nobody is.
	NobodyVerified bool
}

// outcome says how far it has come.
func (c *call) outcome(ctx context.Context) (Sharing, error) {
	return txn.View(ctx, c.account.DB, func(tx *txn.Tx) (Sharing, error) {
		s, err := c.read(tx)
		if err != nil {
			return Sharing{}, err
		}
		nobody, err := c.nobodyVerified(tx, s.room)
		if err != nil {
			return Sharing{}, err
		}
		open, err := unanswered(tx, s.room)
		done := s.has && s.whole() && s.due(c.account.Store.Now()) == group.Kept
		return Sharing{Session: s.out.ID(), Done: done, Requests: open, NobodyVerified: nobody}, err
	})
}

// nobodyVerified reports whether a room's key is for verified devices, and there can be
// none. Who is to be verified by what cannot be read is not.
func (c *call) nobodyVerified(tx *txn.Tx, r records.Room) (bool, error) {
	if r.Strategy != group.Verified {
		return false, nil
	}
	own, err := records.IdentityOf(tx, c.account.Name.User)
	if err != nil && !machine.IsDamage(err) {
		return false, err
	}
	return err != nil || !own.IsVerified(own), nil
}

// unanswered returns the requests of a room that are still there.
func unanswered(tx *txn.Tx, r records.Room) (open []outbox.ID, err error) {
	for _, id := range slices.Concat(r.Waiting, r.Asking) {
		_, there, err := outbox.Find(tx, id)
		if err != nil && !machine.IsDamage(err) {
			return nil, err
		}
		if there {
			open = append(open, id)
		}
	}
	return open, nil
}
