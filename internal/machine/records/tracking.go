package records

import (
	"slices"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/device"
	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/txn"
)

// Users: how far the devices of a user are known, user/<user>. Write them with
// [PutUser].
var Users = txn.Record[matrix.UserID, device.Tracking]{
	Kind: "user", Codec: machine.Encoded[device.Tracking]{Read: device.DecodeTracking}, Steady: true,
	Name: func(t device.Tracking) matrix.UserID { return t.User }, Path: pathOfUser,
}

// Outdated: who is to be asked for, outdated/<user>: a list of what the records of
// the users say.
var Outdated = txn.Record[matrix.UserID, device.Waiting]{
	Kind: "outdated", Codec: machine.Encoded[device.Waiting]{Read: device.DecodeWaiting},
	Name: func(w device.Waiting) matrix.UserID { return w.User }, Path: pathOfUser,
}

// Tracking: what holds for all users, tracking.
var Tracking = txn.Single[device.Epoch]{Kind: "tracking", Codec: machine.Encoded[device.Epoch]{Read: device.DecodeEpoch}}

func outdatedKind() Kind {
	return Kind{Records: many(&Outdated), Check: checkOutdated, Broken: repairOutdated}
}

func userKind() Kind {
	return Kind{Records: many(&Users), Check: checkUsers, Broken: repairUser, Sweep: sweepUsers}
}

func trackingKind() Kind {
	return Kind{Records: one(&Tracking), Check: checkTracking, Broken: outdatedFix,
		FinishRecovery: func(tx *txn.Tx, a *machine.Account, _ *Recovered) error { return allOutdated(tx, a) }}
}

// UserShare is what changing how far a user is known takes of a commit.
var UserShare = machine.Share{Bytes: 8 << 10, Writes: 2, Checks: 1}

// PutUser writes how far a user is known, and keeps the list.
func PutUser(tx *txn.Tx, t device.Tracking) error {
	if err := Users.Put(tx, t); err != nil {
		return err
	}
	if w, waits := t.Waiting(); waits {
		return Outdated.Put(tx, w)
	}
	return Outdated.Delete(tx, t.User)
}

// User is how far a user is known. Lost says why there is no record that can be
// read, where there was one: it may be written anew, as of somebody who is tracked
// and of whom nothing is known.
type User struct {
	device.Tracking
	Lost error
}

// Followed reports that the user is followed, or was, or that this is lost.
func (u User) Followed() bool { return u.Changes > 0 || u.Lost != nil }

// UsersOf returns how far users are known, in their order. Of whom there is no
// record nothing is known, and nobody tracks them.
func UsersOf(tx *txn.Tx, users ...matrix.UserID) ([]User, error) {
	found, err := Users.GetAll(tx, users...)
	if err != nil {
		return nil, err
	}
	all := make([]User, len(users))
	for i, f := range found {
		if f.Err != nil && !machine.IsSetAside(f.Err) && !machine.IsDamage(f.Err) {
			return nil, f.Err
		}
		if all[i] = (User{f.Value, f.Err}); !f.OK {
			all[i].Tracking = device.Tracking{User: users[i]}
		}
	}
	return all, nil
}

// EpochOf returns what holds for all users. Where it is damaged or gone, all of them
// are outdated since now.
func EpochOf(tx *txn.Tx, a *machine.Account, v account.Account) (device.Epoch, error) {
	e, _, err := Tracking.Get(tx)
	if !machine.IsDamage(err) && !machine.IsSetAside(err) {
		return e, err
	}
	at, err := a.Moment(tx, v, 0)
	return device.Epoch{All: at.Order}, err
}

// AllOutdated makes all users outdated: changes may have been missed.
func AllOutdated(tx *txn.Tx, a *machine.Account, v account.Account) error {
	e, err := EpochOf(tx, a, v)
	if err != nil {
		return err
	}
	at, err := a.Moment(tx, v, 0)
	if err != nil {
		return err
	}
	e.All = max(e.All+1, at.Order)
	if err := MarkAllRooms(tx); err != nil {
		return err
	}
	return Tracking.Put(tx, e)
}

func allOutdated(tx *txn.Tx, a *machine.Account) error {
	v, err := a.Read(tx)
	if err != nil || !v.Raised() {
		return err
	}
	return AllOutdated(tx, a, v)
}

// checkUsers: who is to be asked for is on the list, and no user knows of a time
// that tracking does not have.
func checkUsers(c *Checkup) {
	for t := range readable(c, &Users) {
		if at(c, &Members, t.User) == nothing {
			c.Find(Members.Kind, inAllRooms(t.User), "user %s is followed, and it is lost in which rooms the user is", t.User)
		}
		w, waits := t.Waiting()
		if waits && slices.Contains([]state{nothing, aside}, at(c, &Outdated, w.User)) {
			c.Find(Outdated.Kind, outdatedAgain(t.User), "user %s is outdated, and not on the list of those", t.User)
		}
	}
}

// checkOutdated: who is on the list is to be asked for.
func checkOutdated(c *Checkup) {
	for w := range readable(c, &Outdated) {
		switch at(c, &Users, w.User) {
		case nothing:
			c.Find(Users.Kind, trackedAgain(w.User), "user %s is on the list of the outdated and has no record", w.User)
		case whole:
			t, _, err := Users.Get(c.Tx, w.User)
			if want, waits := t.Waiting(); err == nil && (!waits || want != w) {
				c.Find(Outdated.Kind, outdatedAgain(w.User), "user %s is on the list of the outdated with what is not so", w.User)
			}
		}
	}
}

// checkTracking: no user knows of a time when all were outdated that it does not.
func checkTracking(c *Checkup) {
	e, _, err := Tracking.Get(c.Tx)
	if err != nil {
		return // complained of by itself, or set aside
	}
	for t := range readable(c, &Users) {
		if t.Epoch > e.All {
			c.Find(Tracking.Kind, inOne(askAll, allOutdated), "tracking is behind what users know of it")
			return
		}
	}
}

const askAll = "ask for all devices again"

// outdatedFix writes anew what is only a time.
func outdatedFix(*Checkup, unread) *Fix { return inOne(askAll, allOutdated) }

// repairOutdated makes the record again from the user's, or removes it.
func repairOutdated(c *Checkup, u unread) *Fix {
	for t := range readable(c, &Users) {
		if key, err := Outdated.Key(c.Tx, t.User); err == nil && key == u.key {
			return outdatedAgain(t.User)
		}
	}
	return dropFix(c, u)
}

func outdatedAgain(user matrix.UserID) *Fix {
	return inOne("make the list again from the user's record", func(tx *txn.Tx, _ *machine.Account) error {
		all, err := UsersOf(tx, user)
		if err != nil || all[0].Changes == 0 {
			return err
		}
		return PutUser(tx, all[0].Tracking)
	})
}

// trackedAgain begins a user's record anew.
func trackedAgain(user matrix.UserID) *Fix {
	return inOne("ask for the user's devices again", func(tx *txn.Tx, _ *machine.Account) error {
		all, err := UsersOf(tx, user)
		if err != nil {
			return err
		}
		return PutUser(tx, all[0].Track())
	})
}

// repairUser begins the record anew, if something else says whose it is.
func repairUser(c *Checkup, u unread) *Fix {
	is := func(user matrix.UserID) bool {
		key, err := Users.Key(c.Tx, user)
		return err == nil && key == u.key
	}
	for w := range readable(c, &Outdated) {
		if is(w.User) {
			return trackedAgain(w.User)
		}
	}
	for d := range readable(c, &Devices) {
		if is(d.User) {
			return trackedAgain(d.User)
		}
	}
	return setAsideFix(u, nil)
}
