package pawlmautrix

import (
	"context"
	"errors"
	"fmt"

	"maunium.net/go/mautrix/id"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/matrix"
)

// What an account says of itself, as extra records.
const (
	gaveUp = "given-up" // no helper uses it any more
	heir   = "heir"     // of one that was given up: the device that has its room keys
)

// GiveUp has the device never used again: the next Init makes a new one of the user, which
// inherits the room keys that this one has received, and deletes its account. It may be
// called after an Init that has failed with ErrKeysGone.
func (h *CryptoHelper) GiveUp(ctx context.Context) error {
	h.turn.Lock()
	defer h.turn.Unlock()
	if h.account == nil {
		return ErrNotReady
	}
	return put(ctx, NewStore(h.account), spaceAccount, gaveUp, true)
}

// accounts are those in the store, and apart from them those of the client's user that
// were given up.
func (h *CryptoHelper) accounts(ctx context.Context, store *pawl.Store) (all []pawl.Identity, old []givenUp, err error) {
	all, err = store.Accounts(ctx)
	if err != nil {
		return nil, nil, err
	}
	var left []pawl.Identity
	for _, a := range all {
		if h.isUser(id.UserID(a.UserID)) {
			m, err := store.Machine(ctx, a.UserID, a.DeviceID)
			given := false
			if err == nil {
				given, _, err = read[bool](ctx, NewStore(m), spaceAccount, gaveUp)
			}
			if errors.Is(err, pawl.ErrNoAccount) {
				continue // another process has deleted it meanwhile
			}
			if err != nil {
				return nil, nil, err
			}
			if given {
				old = append(old, givenUp{a, m})
				continue
			}
		}
		left = append(left, a)
	}
	return left, old, nil
}

// givenUp is an account that was given up.
type givenUp struct {
	pawl.Identity
	machine *pawl.Machine
}

// inherit gives a new account the room keys of those that were given up, with which event
// has which message, and deletes these. One whose keys were published before is none of theirs.
func (h *CryptoHelper) inherit(ctx context.Context, store *pawl.Store, m *pawl.Machine) error {
	_, old, err := h.accounts(ctx, store)
	if err != nil || len(old) == 0 {
		return err
	}
	published, _, err := read[bool](ctx, NewStore(m), spaceAccount, publishedKeys)
	if err != nil {
		return err
	}
	for _, from := range old {
		if from.DeviceID == matrix.DeviceID(h.client.DeviceID) {
			return fmt.Errorf("%w: %s was given up: log in as a new device", ErrDevice, from.DeviceID)
		}
		err := h.inheritFrom(ctx, store, from, m, !published)
		if err != nil && !errors.Is(err, pawl.ErrNoAccount) { // it was, by another process of the device
			return fmt.Errorf("failed to take over the room keys of the device that was given up: %w", err)
		}
	}
	return nil
}

func (h *CryptoHelper) inheritFrom(ctx context.Context, store *pawl.Store, from givenUp, to *pawl.Machine, isNew bool) error {
	state := NewStore(from.machine)
	has, _, err := read[id.DeviceID](ctx, state, spaceAccount, heir)
	if err != nil || has == "" && !isNew {
		return err
	}
	if has == "" {
		if _, err := to.InheritRoomKeys(ctx, from.UserID, from.DeviceID); err != nil {
			return err
		}
		if err := put(ctx, state, spaceAccount, heir, h.client.DeviceID); err != nil {
			return err
		}
	}
	if err := store.Delete(ctx, from.UserID, from.DeviceID); err != nil && !errors.Is(err, pawl.ErrNoAccount) {
		h.log.Warn().Err(err).Str("device_id", string(from.DeviceID)).Msg("Failed to delete the account of a device that was given up: the next start tries again")
	}
	return nil
}
