package devices

import (
	"context"
	"slices"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/device"
	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/txn"
)

// TrackShare is what [Track], [MarkOutdated] and [Left] take of a commit for each
// user.
var TrackShare = machine.Share{Bytes: records.UserShare.Bytes, Writes: records.UserShare.Writes + 2, Checks: records.UserShare.Checks + 3}

// Track begins to follow the changes of users, whose devices are outdated until they
// were asked for. Of whom is followed already nothing changes. Callers split what
// is more than a commit takes: [TrackShare].
func Track(tx *txn.Tx, users ...matrix.UserID) error {
	for _, user := range users {
		if err := user.Check(); err != nil {
			return err
		}
	}
	all, err := records.UsersOf(tx, users...)
	if err != nil {
		return err
	}
	for _, u := range all {
		if !u.Followed() {
			err = records.InNoRoom(tx, u.User)
		}
		if err != nil {
			return err
		}
	}
	return change(tx, users, func(u records.User) (device.Tracking, bool) {
		follow := u.Lost != nil || u.Changes == 0 || !u.Left.IsZero()
		return u.Track(), follow
	})
}

// Follow is Track in commits of its own, as many as the engine needs.
func Follow(ctx context.Context, a *machine.Account, users ...matrix.UserID) error {
	return records.OnRaised(ctx, a, func() error {
		for some := range slices.Chunk(users, a.Store.PerCommit(TrackShare)) {
			err := a.Do(ctx, func(tx *txn.Tx) error {
				if _, err := a.ActiveRaised(tx); err != nil {
					return err
				}
				return Track(tx, some...)
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// MarkOutdated notes that the devices or keys of users changed, of those who are
// followed: the server said so. A query that is under way does not cover it, and
// nothing is sent in the rooms of these users before they were asked for. Who may have a
// key of a room is to be followed: where there is no record of that it is lost. What is no
// user id is passed over.
func MarkOutdated(tx *txn.Tx, users ...matrix.UserID) error {
	lost, err := unfollowed(tx, users)
	if err != nil {
		return err
	}
	return change(tx, users, func(u records.User) (device.Tracking, bool) {
		if u.Lost != nil || slices.Contains(lost, u.User) {
			return u.Track(), true
		}
		return u.Change(), u.Changes > 0 && u.Left.IsZero()
	}, records.MarkRoomsOf)
}

// unfollowed returns those of some users whom nobody follows, and who may have a key of a
// room of ours.
func unfollowed(tx *txn.Tx, users []matrix.UserID) ([]matrix.UserID, error) {
	users = slices.DeleteFunc(slices.Clone(users), func(u matrix.UserID) bool { return u.Check() != nil })
	all, err := records.UsersOf(tx, users...)
	if err != nil {
		return nil, err
	}
	var none []matrix.UserID
	for _, u := range all {
		if !u.Followed() {
			none = append(none, u.User)
		}
	}
	if len(none) == 0 {
		return nil, nil
	}
	return records.InSomeRoom(tx, none...)
}

// Left ends the tracking of users: nothing is heard of their changes any more. The own
// user is followed always.
func Left(tx *txn.Tx, a *machine.Account, users ...matrix.UserID) error {
	return change(tx, users, func(u records.User) (device.Tracking, bool) {
		if u.Lost != nil {
			u.Tracking = u.Track()
		}
		return u.Leave(a.Store.Now()), u.Changes > 0 && u.Left.IsZero() && u.User != a.Name.User
	})
}

// AllOutdated makes all users outdated: changes may have been missed.
func AllOutdated(tx *txn.Tx, a *machine.Account, v account.Account) error {
	return records.AllOutdated(tx, a, v)
}

func change(tx *txn.Tx, users []matrix.UserID, next func(records.User) (device.Tracking, bool), then ...func(*txn.Tx, matrix.UserID) error) error {
	users = slices.DeleteFunc(slices.Clone(users), func(u matrix.UserID) bool { return u.Check() != nil })
	all, err := records.UsersOf(tx, users...)
	if err != nil {
		return err
	}
	for _, u := range all {
		t, changed := next(u)
		if !changed {
			continue
		}
		if err := records.PutUser(tx, t); err != nil {
			return err
		}
		for _, f := range then {
			if err := f(tx, t.User); err != nil {
				return err
			}
		}
	}
	return nil
}

// State is how far a user's devices are known.
type State int

const (
	// Current: an answer covers all changes that were heard of.
	Current State = iota
	// Outdated: not so, and the last query told nothing: nobody is held up.
	Outdated
	// Awaited: not so, and an answer is to be waited for.
	Awaited
)

// StatesOf returns how far the devices of users are known. Whoever sends to them
// reads it in the commit that sends.
func StatesOf(tx *txn.Tx, a *machine.Account, v account.Account, users ...matrix.UserID) ([]State, error) {
	epoch, err := records.EpochOf(tx, a, v)
	if err != nil {
		return nil, err
	}
	all, err := records.UsersOf(tx, users...)
	if err != nil {
		return nil, err
	}
	states := make([]State, len(users))
	for i, u := range all {
		switch {
		case !u.Outdated(epoch.All):
		case u.Waits(epoch.All):
			states[i] = Awaited
		default:
			states[i] = Outdated
		}
	}
	return states, nil
}

// IsOutdated reports whether something may have changed of a user's devices that no
// answer covers, or nobody follows the user.
func IsOutdated(tx *txn.Tx, a *machine.Account, v account.Account, user matrix.UserID) (bool, error) {
	states, err := StatesOf(tx, a, v, user)
	return err == nil && states[0] != Current, err
}

// AskFor sees to it that a user's devices are asked for, though nobody says that they
// have changed. Damage of what is known of the user is told, and keeps nothing else
// from being done.
func AskFor(tx *txn.Tx, a *machine.Account, user matrix.UserID) error {
	err := Track(tx, user)
	if err == nil {
		err = MarkOutdated(tx, user)
	}
	if machine.IsDamage(err) {
		a.Store.Tell(tx, []error{err})
		return nil
	}
	return err
}
