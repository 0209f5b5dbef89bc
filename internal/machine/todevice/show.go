package todevice

import (
	"context"
	"slices"

	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/session"
	"github.com/pawlkv/pawl/txn"
)

// Sessions returns what may be shown of the sessions with a peer, first of the one to
// send in.
func (m *Messages) Sessions(ctx context.Context, peer ratchet.PublicKey) ([]records.SessionInfo, error) {
	return txn.View(ctx, m.account.DB, func(tx *txn.Tx) ([]records.SessionInfo, error) {
		if _, err := m.account.Read(tx); err != nil {
			return nil, err
		}
		c, err := records.ReadContact(tx, peer)
		if err == nil {
			err = c.Lost
		}
		if err != nil {
			return nil, err
		}
		first, sends := session.Choose(c.Sessions)
		var all []records.SessionInfo
		for _, s := range c.Sessions {
			if _, pruned := s.Pruned(); pruned {
				continue
			}
			info, err := records.InspectSession(tx, s)
			if err != nil {
				return nil, err
			}
			at := len(all)
			if sends && s.ID() == first.ID() {
				at = 0
			}
			all = slices.Insert(all, at, info)
		}
		return all, nil
	})
}
