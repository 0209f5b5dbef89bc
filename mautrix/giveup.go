package pawlmautrix

import (
	"context"
	"fmt"
	"slices"

	"maunium.net/go/mautrix/id"

	"github.com/pawlkv/pawl"
)

// What an account says of itself, as extra records.
const (
	gaveUp    = "given-up"  // no helper uses it any more
	inherited = "inherited" // it has the room keys of those that were given up before it
)

// GiveUp has the device never used again: the next Init makes a new one of the user, which
// inherits the room keys that this one has received. It may be called after an Init that
// has failed with ErrKeysGone.
func (h *CryptoHelper) GiveUp(ctx context.Context) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.account == nil {
		return ErrNotReady
	}
	return put(ctx, NewStore(h.account), spaceAccount, gaveUp, true)
}

// accounts are those in the store, and apart from them those of the client's user that
// were given up.
func (h *CryptoHelper) accounts(ctx context.Context, store *pawl.Store) (all []pawl.Identity, old []*pawl.Machine, err error) {
	all, err = store.Accounts(ctx)
	if err != nil {
		return nil, nil, err
	}
	var left []pawl.Identity
	for _, a := range all {
		if h.isUser(id.UserID(a.UserID)) {
			m, err := store.Machine(ctx, a.UserID, a.DeviceID)
			if err != nil {
				return nil, nil, err
			}
			given, _, err := read[bool](ctx, NewStore(m), spaceAccount, gaveUp)
			if err != nil {
				return nil, nil, err
			}
			if given {
				old = append(old, m)
				continue
			}
		}
		left = append(left, a)
	}
	return left, old, nil
}

// inherit gives a new account the room keys of those that were given up, once.
func (h *CryptoHelper) inherit(ctx context.Context, store *pawl.Store, m *pawl.Machine) error {
	_, old, err := h.accounts(ctx, store)
	if err != nil || len(old) == 0 {
		return err
	}
	own := NewStore(m)
	if done, _, err := read[bool](ctx, own, spaceAccount, inherited); err != nil || done {
		return err
	}
	for _, from := range old {
		if err := bequeath(ctx, from, m); err != nil {
			return fmt.Errorf("failed to take over the room keys of the device that was given up: %w", err)
		}
	}
	return put(ctx, own, spaceAccount, inherited, true)
}

// inheriting is how many keys are read at once.
const inheriting = 500

func bequeath(ctx context.Context, from, to *pawl.Machine) error {
	var some []pawl.RoomKey
	for key, err := range from.ExportRoomKeys(ctx, pawl.RoomKeyExport{Damaged: func(error) {}}) {
		if err != nil {
			return err
		}
		if some = append(some, key); len(some) == inheriting {
			if _, err := to.PutRoomKeys(ctx, some); err != nil {
				return err
			}
			some = slices.Delete(some, 0, len(some))
		}
	}
	_, err := to.PutRoomKeys(ctx, some)
	return err
}
