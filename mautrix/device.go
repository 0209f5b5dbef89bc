package pawlmautrix

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v5"
	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/id"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/matrix"
)

// device returns the machine of the client's device, which is made if the store has
// none. The client is logged in as that device if LoginAs or MSC4190 says so.
func (h *CryptoHelper) device(ctx context.Context, store *pawl.Store) (*pawl.Machine, error) {
	stored, err := h.stored(ctx, store)
	if err != nil {
		return nil, err
	}
	if err := h.login(ctx, stored); err != nil {
		return nil, err
	}
	user, device := h.client.UserID, h.client.DeviceID
	if user == "" || device == "" {
		return nil, errNobody
	}
	if stored.UserID != "" && (id.UserID(stored.UserID) != user || id.DeviceID(stored.DeviceID) != device) {
		return nil, fmt.Errorf("%w: the server logged in %s of %s, and the store has %s of %s",
			ErrDevice, device, user, stored.DeviceID, stored.UserID)
	}
	m, err := store.OpenOrCreate(ctx, matrix.UserID(user), matrix.DeviceID(device))
	if err != nil {
		return nil, err
	}
	return m, h.inherit(ctx, store, m)
}

// stored returns the device in the store that is the client's, zero if there is none.
// A path is one device's, unless DBAccountID says that several share it; an open store
// may have any number.
func (h *CryptoHelper) stored(ctx context.Context, store *pawl.Store) (pawl.Identity, error) {
	all, _, err := h.accounts(ctx, store)
	if err != nil {
		return pawl.Identity{}, err
	}
	var mine []pawl.Identity
	for _, a := range all {
		device := id.DeviceID(a.DeviceID)
		switch {
		case !h.isUser(id.UserID(a.UserID)):
		case device == h.client.DeviceID, string(device) == h.DBAccountID:
			return a, nil
		default:
			mine = append(mine, a)
		}
	}
	switch {
	case len(mine) == 1 && !h.chosen():
		return mine[0], nil
	case len(mine) > 1 && !h.chosen():
		return pawl.Identity{}, fmt.Errorf("%w: the store has several of %s (%s): set DBAccountID to one of them",
			ErrDevice, mine[0].UserID, deviceList(mine))
	case len(all) > 0 && h.given == nil && h.DBAccountID == "":
		return pawl.Identity{}, fmt.Errorf("%w: the store has %s of %s: log in as that one, give another store, or set DBAccountID if several are to share this one",
			ErrDevice, all[0].DeviceID, all[0].UserID)
	}
	return pawl.Identity{}, nil
}

// chosen reports that the client says which device it is.
func (h *CryptoHelper) chosen() bool { return h.client.DeviceID != "" && h.LoginAs == nil }

func deviceList(all []pawl.Identity) string {
	names := make([]string, len(all))
	for i, a := range all {
		names[i] = string(a.DeviceID)
	}
	return strings.Join(names, ", ")
}

// isUser reports whether the client is, or logs in as, a user.
func (h *CryptoHelper) isUser(user id.UserID) bool {
	if h.client.UserID != "" {
		return user == h.client.UserID
	}
	if h.LoginAs == nil {
		return false
	}
	name := h.LoginAs.Identifier.User
	return string(user) == name || user.Localpart() == name
}

// login logs the client in, as the stored device if there is one.
func (h *CryptoHelper) login(ctx context.Context, stored pawl.Identity) error {
	device := id.DeviceID(stored.DeviceID)
	switch {
	case h.MSC4190:
		name := ""
		if h.LoginAs != nil {
			name = h.LoginAs.InitialDeviceDisplayName
		}
		if err := h.client.CreateDeviceMSC4190(ctx, device, name); err != nil {
			return fmt.Errorf("failed to create the device: %w", err)
		}
		return nil
	case h.LoginAs == nil:
		return nil
	case h.LoginAs.Type == mautrix.AuthTypeAppservice && h.client.SetAppServiceDeviceID && device != "":
		h.client.DeviceID = device
		return nil
	}
	q := *h.LoginAs
	q.StoreCredentials = !h.client.SetAppServiceDeviceID
	if device != "" {
		q.DeviceID = device
	}
	answer, err := h.client.Login(ctx, &q)
	if err != nil {
		return fmt.Errorf("failed to log in: %w", err)
	}
	h.client.DeviceID = answer.DeviceID
	return nil
}

// publish uploads the device's keys, if the server has none, and makes sure that those
// it has are ours. Where another process has the upload under way its end is waited for.
func (h *CryptoHelper) publish(ctx context.Context, m *pawl.Machine) error {
	own, err := m.Identity(ctx)
	if err != nil {
		return err
	}
	state := NewStore(m)
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval, pause.MaxInterval = 20*time.Millisecond, time.Second
	for end := time.Now().Add(publishing); ; {
		shown, _, err := read[bool](ctx, state, spaceAccount, publishedKeys) // before the server is asked
		if err != nil {
			return err
		}
		there, err := h.publishOnce(ctx, own)
		switch {
		case err != nil:
			return err
		case there && !shown:
			return put(ctx, state, spaceAccount, publishedKeys, true)
		case there:
			return nil
		case shown:
			return fmt.Errorf("%w: %w: was it logged out? Log in as a new device, with a new store", ErrDevice, ErrKeysGone)
		case time.Now().After(end):
			return errors.New("failed to publish the device's keys: the server has none, and has not taken them lately: try again in a minute")
		}
		select {
		case <-time.After(pause.NextBackOff()):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// publishedKeys is what an account says of itself once the server had its keys.
const publishedKeys = "published"

// publishing is how long another process may take to publish the device's keys.
const publishing = 10 * time.Second

// publishOnce sends what is to be sent, and reports whether the server has the device's
// keys then.
func (h *CryptoHelper) publishOnce(ctx context.Context, own pawl.Identity) (bool, error) {
	if err := h.sender.sendAll(ctx); err != nil {
		if errors.Is(err, pawl.ErrDeviceTaken) {
			return false, fmt.Errorf("%w: %w", ErrDevice, err)
		}
		return false, fmt.Errorf("failed to publish the device's keys: %w", err)
	}
	answer, err := h.client.QueryKeys(ctx, &mautrix.ReqQueryKeys{DeviceKeys: map[id.UserID]mautrix.DeviceIDList{
		h.client.UserID: {h.client.DeviceID},
	}})
	if err != nil {
		return false, fmt.Errorf("failed to ask for the device's keys: %w", err)
	}
	keys, there := answer.DeviceKeys[h.client.UserID][h.client.DeviceID]
	if there && keys.Keys.GetEd25519(h.client.DeviceID) != id.Ed25519(own.Ed25519.String()) {
		return false, fmt.Errorf("%w: the server has other keys for it: log in as a new device", ErrDevice)
	}
	return there, nil
}
