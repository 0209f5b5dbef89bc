package pawlmautrix

import (
	"context"

	"maunium.net/go/mautrix/id"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/matrix"
)

// name is a device.
type name struct {
	user   id.UserID
	device id.DeviceID
}

// trusting is what a strategy rests on that no Machine hears of when it changes.
type trusting struct {
	least id.TrustState
	told  uint64
}

func (h *CryptoHelper) trusting() trusting {
	return trusting{h.olm.SendKeysMinTrust, h.keys.told.Load()}
}

// strategy says which devices of a room's members may have its key: all whose trust is at
// least SendKeysMinTrust, as mautrix-go counts it. Where Pawl counts alike it is Pawl's
// strategy. Where mautrix-go was told of a device by itself (that it is verified, or
// blacklisted), or where Pawl has no word for the minimum, it is decided here, once each
// time that a key is shared.
func (h *CryptoHelper) strategy(ctx context.Context, members []matrix.UserID) (group.Strategy, func(pawl.DeviceInfo) bool, error) {
	told, err := h.told(ctx, members)
	if err != nil {
		return 0, nil, err
	}
	least := h.olm.SendKeysMinTrust
	if !told {
		switch {
		case least <= id.TrustStateUnset:
			return group.AllDevices, nil, nil
		case least == id.TrustStateCrossSignedTOFU:
			return group.CrossSigned, nil, nil
		case least == id.TrustStateCrossSignedVerified:
			return group.Verified, nil, nil
		}
	}
	allowed := map[name]bool{}
	for _, u := range members {
		all, err := h.keys.GetDevices(ctx, id.UserID(u))
		if err != nil {
			return 0, nil, err
		}
		for _, d := range all {
			trust, err := h.olm.ResolveTrustContext(ctx, d)
			if err != nil {
				return 0, nil, err
			}
			allowed[name{d.UserID, d.DeviceID}] = trust >= max(least, id.TrustStateUnset)
		}
	}
	return group.ByCaller, func(d pawl.DeviceInfo) bool {
		yes, known := allowed[name{id.UserID(d.User), id.DeviceID(d.Device)}]
		return yes || !known && least <= id.TrustStateUnset
	}, nil
}

// told reports whether mautrix-go was told how far devices of members are trusted.
func (h *CryptoHelper) told(ctx context.Context, members []matrix.UserID) (bool, error) {
	all, err := rows[devices](ctx, h.keys, spaceDevices)
	if err != nil || len(all) == 0 {
		return false, err
	}
	for _, u := range members {
		for _, d := range all[string(u)].Devices {
			if trust := id.TrustState(d.Trust); trust == id.TrustStateVerified || trust == id.TrustStateBlacklisted {
				return true, nil
			}
		}
	}
	return false, nil
}
