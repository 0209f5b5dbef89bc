package pawlmautrix

import (
	"context"
	"fmt"
	"time"

	"maunium.net/go/mautrix/id"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/matrix"
)

// devices are those of a user as mautrix-go put them.
type devices struct {
	Devices     map[id.DeviceID]stored `json:"devices,omitempty"`
	Tracked     bool                   `json:"tracked,omitempty"`
	Outdated    bool                   `json:"outdated,omitempty"`
	Errors      int                    `json:"errors,omitempty"`
	LastAttempt int64                  `json:"last_attempt,omitempty"` // seconds since 1970
}

// stored is a device.
type stored struct {
	Curve25519 id.IdentityKey `json:"curve25519"`
	Ed25519    id.SigningKey  `json:"ed25519"`
	Trust      int            `json:"trust,omitempty"`
	Deleted    bool           `json:"deleted,omitempty"`
	Name       string         `json:"name,omitempty"`
}

func storedOf(d *id.Device) stored {
	return stored{d.IdentityKey, d.SigningKey, int(d.Trust), d.Deleted, d.Name}
}

func (d stored) device(user id.UserID, name id.DeviceID) *id.Device {
	return &id.Device{
		UserID: user, DeviceID: name, IdentityKey: d.Curve25519, SigningKey: d.Ed25519, Trust: id.TrustState(d.Trust), Deleted: d.Deleted, Name: d.Name,
	}
}

// user returns what is known of a user's devices: what answers to /keys/query have
// proved to Pawl, with the trust that mautrix-go has put, and, as long as Pawl's answers
// do not cover all changes, those that mautrix-go has put.
func (s *Store) user(ctx context.Context, user id.UserID) (map[id.DeviceID]*id.Device, devices, error) {
	put, _, err := read[devices](ctx, s, spaceDevices, string(user))
	if err != nil {
		return nil, put, err
	}
	info, err := s.machine.Devices(ctx, matrix.UserID(user))
	if err != nil {
		return nil, put, err
	}
	put.Tracked = put.Tracked || info.Current
	all := map[id.DeviceID]*id.Device{}
	for name, d := range put.Devices {
		if !info.Current {
			all[name] = d.device(user, name)
		}
	}
	for _, d := range info.Devices {
		name := id.DeviceID(d.Device)
		proved := stored{
			Curve25519: id.IdentityKey(d.Curve25519.String()), Ed25519: id.SigningKey(d.Ed25519.String()),
			Name: d.DisplayName, Deleted: !d.Usable,
		}
		had, ok := put.Devices[name]
		switch same := had.Curve25519 == proved.Curve25519 && had.Ed25519 == proved.Ed25519; {
		case ok && !same && !info.Current:
			continue // of what is newer nobody has proved anything to Pawl
		case ok && same:
			proved.Trust, proved.Deleted = had.Trust, proved.Deleted || had.Deleted && !info.Current
		}
		all[name] = proved.device(user, name)
	}
	return all, put, nil
}

// GetDevices implements crypto.Store.
func (s *Store) GetDevices(ctx context.Context, user id.UserID) (map[id.DeviceID]*id.Device, error) {
	all, put, err := s.user(ctx, user)
	if err != nil || !put.Tracked {
		return nil, err
	}
	for name, d := range all {
		if d.Deleted {
			delete(all, name)
		}
	}
	return all, nil
}

// GetDevice implements crypto.Store.
func (s *Store) GetDevice(ctx context.Context, user id.UserID, name id.DeviceID) (*id.Device, error) {
	all, _, err := s.user(ctx, user)
	return all[name], err
}

// FindDeviceByKey implements crypto.Store.
func (s *Store) FindDeviceByKey(ctx context.Context, user id.UserID, key id.IdentityKey) (*id.Device, error) {
	all, _, err := s.user(ctx, user)
	for _, d := range all {
		if d.IdentityKey == key {
			return d, nil
		}
	}
	return nil, err
}

// PutDevice implements crypto.Store. What Pawl has proved of the device stays as it is:
// of one that is known the trust counts.
func (s *Store) PutDevice(ctx context.Context, user id.UserID, d *id.Device) error {
	if d == nil {
		return fmt.Errorf("%w: no device", ErrDevice)
	}
	defer s.told.Add(1)
	return change(ctx, s, spaceDevices, string(user), func(v *devices, _ bool) (bool, error) {
		if v.Devices == nil {
			v.Devices = map[id.DeviceID]stored{}
		}
		v.Devices[d.DeviceID] = storedOf(d)
		return true, nil
	})
}

// PutDevices implements crypto.Store. Pawl follows the user from then on, and asks by
// itself: what mautrix-go says it has verified proves nothing to it.
func (s *Store) PutDevices(ctx context.Context, user id.UserID, all map[id.DeviceID]*id.Device) error {
	if err := s.machine.TrackUsers(ctx, matrix.UserID(user)); err != nil {
		return err
	}
	if s.kick != nil {
		s.kick()
	}
	defer s.told.Add(1)
	return change(ctx, s, spaceDevices, string(user), func(v *devices, _ bool) (bool, error) {
		now := devices{Devices: map[id.DeviceID]stored{}, Tracked: true, LastAttempt: time.Now().Unix()}
		for name, d := range v.Devices {
			d.Deleted = true
			now.Devices[name] = d
		}
		for name, d := range all {
			if d == nil {
				continue
			}
			now.Devices[name] = storedOf(d)
		}
		*v = now
		return true, nil
	})
}

// FilterTrackedUsers implements crypto.Store.
func (s *Store) FilterTrackedUsers(ctx context.Context, users []id.UserID) (tracked []id.UserID, err error) {
	for _, u := range users {
		_, put, err := s.user(ctx, u)
		if err != nil {
			return nil, err
		}
		if put.Tracked {
			tracked = append(tracked, u)
		}
	}
	return tracked, nil
}

// MarkTrackedUsersOutdated implements crypto.Store. Pawl hears of changes by itself.
func (s *Store) MarkTrackedUsersOutdated(ctx context.Context, users []id.UserID) error {
	for _, u := range users {
		err := change(ctx, s, spaceDevices, string(u), func(v *devices, _ bool) (bool, error) {
			if !v.Tracked || v.Outdated {
				return false, nil
			}
			v.Outdated = true
			return true, nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// IncrementTrackedUsersErrorCount implements crypto.Store.
func (s *Store) IncrementTrackedUsersErrorCount(ctx context.Context, users []id.UserID) error {
	for _, u := range users {
		err := change(ctx, s, spaceDevices, string(u), func(v *devices, _ bool) (bool, error) {
			if !v.Outdated {
				return false, nil
			}
			v.Errors, v.LastAttempt = v.Errors+1, time.Now().Unix()
			if v.Errors > maxErrors {
				v.Tracked, v.Outdated = false, false
			}
			return true, nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// maxErrors is how often a user is asked for in vain, as in mautrix-go.
const maxErrors = 100

// GetOutdatedTrackedUsers implements crypto.Store. A user who could not be asked for
// some times is asked for again after a while, as in mautrix-go.
func (s *Store) GetOutdatedTrackedUsers(ctx context.Context) (users []id.UserID, err error) {
	all, err := rows[devices](ctx, s, spaceDevices)
	for name, v := range all {
		pause := min(int64(v.Errors)*int64(v.Errors)*int64(v.Errors), 10800)
		if v.Tracked && v.Outdated && (v.Errors < 5 || v.LastAttempt+pause < time.Now().Unix()) {
			users = append(users, id.UserID(name))
		}
	}
	return users, err
}

// PutCrossSigningKey implements crypto.Store.
func (s *Store) PutCrossSigningKey(ctx context.Context, user id.UserID, usage id.CrossSigningUsage, key id.Ed25519) error {
	return change(ctx, s, spaceIdentities, string(user), func(v *map[id.CrossSigningUsage]id.CrossSigningKey, _ bool) (bool, error) {
		if *v == nil {
			*v = map[id.CrossSigningUsage]id.CrossSigningKey{}
		}
		had, ok := (*v)[usage]
		if ok && had.Key == key {
			return false, nil
		}
		if !ok {
			had.First = key
		}
		had.Key = key
		(*v)[usage] = had
		return true, nil
	})
}

// GetCrossSigningKeys implements crypto.Store: what Pawl has proved, if that covers all
// changes, and else what mautrix-go has put; but of an identity that has changed never
// what is from before that. The first master key is another one for as long as nobody has
// accepted the change.
func (s *Store) GetCrossSigningKeys(ctx context.Context, user id.UserID) (map[id.CrossSigningUsage]id.CrossSigningKey, error) {
	keys, _, err := read[map[id.CrossSigningUsage]id.CrossSigningKey](ctx, s, spaceIdentities, string(user))
	if err != nil {
		return nil, err
	}
	info, err := s.machine.Devices(ctx, matrix.UserID(user))
	if err != nil {
		return nil, err
	}
	master := keys[id.XSUsageMaster]
	before := info.Changed && master.First == master.Key // mautrix-go has not heard of the change
	for usage, key := range usages(info) {
		had, put := keys[usage]
		if put && !info.Current && !before {
			continue
		}
		if keys == nil {
			keys = map[id.CrossSigningUsage]id.CrossSigningKey{}
		}
		now := id.CrossSigningKey{Key: key, First: key}
		if usage == id.XSUsageMaster && info.Changed {
			if now.First = had.First; now.First == key { // it is the first that mautrix-go has seen
				now.First = ""
			}
		}
		keys[usage] = now
	}
	return keys, nil
}

// usages are a user's cross-signing keys that Pawl knows.
func usages(u pawl.UserInfo) map[id.CrossSigningUsage]id.Ed25519 {
	keys := map[id.CrossSigningUsage]id.Ed25519{}
	for usage, key := range map[id.CrossSigningUsage]account.VerifyKey{
		id.XSUsageMaster: u.Identity.Master, id.XSUsageSelfSigning: u.Identity.SelfSigning, id.XSUsageUserSigning: u.Identity.UserSigning,
	} {
		if key != (account.VerifyKey{}) {
			keys[usage] = id.Ed25519(key.String())
		}
	}
	return keys
}

// ResetMasterKeyTOFU implements crypto.Store: it is accepted by Pawl, too, if that
// knows of it.
func (s *Store) ResetMasterKeyTOFU(ctx context.Context, user id.UserID, key id.Ed25519) error {
	err := change(ctx, s, spaceIdentities, string(user), func(v *map[id.CrossSigningUsage]id.CrossSigningKey, _ bool) (bool, error) {
		had, ok := (*v)[id.XSUsageMaster]
		if !ok || had.Key != key || had.First == key {
			return false, nil
		}
		had.First = key
		(*v)[id.XSUsageMaster] = had
		return true, nil
	})
	if err != nil {
		return err
	}
	info, err := s.machine.Devices(ctx, matrix.UserID(user))
	if err != nil || !info.Changed || id.Ed25519(info.Identity.Master.String()) != key {
		return err
	}
	return s.machine.AcceptIdentity(ctx, matrix.UserID(user), info.Identity.Master)
}
