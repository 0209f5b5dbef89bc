package imports

import (
	"context"
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/device"
	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/internal/machine/devices"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/internal/machine/rooms"
	"github.com/pawlkv/pawl/internal/secret"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/txn"
)

// Identity is a master key that the program had of a user.
type Identity struct {
	User   matrix.UserID
	Master account.VerifyKey
	First  account.VerifyKey // that it had seen first, or accepted since
}

// Room is a room that the program knew to be encrypted.
type Room struct {
	Room       matrix.RoomID
	Encryption string // the content of m.room.encryption; "": not known
}

// Message is which event has a message of a Megolm session.
type Message struct {
	Session group.SessionID
	Index   uint32
	Event   matrix.EventID
}

// Extra is an extra record.
type Extra struct {
	Space, Name string
	Value       secret.Value[[]byte]
}

func (e Extra) record() records.Extra {
	return records.Extra{Space: e.Space, Name: e.Name, Value: e.Value.Reveal()}
}

// checkRest fails with ErrDevice where something is not what is kept.
func checkRest(d Device) error {
	if len(d.Since) > records.MaxToken || !utf8.ValidString(d.Since) {
		return fmt.Errorf("%w: a token of %d bytes, or no text", ErrDevice, len(d.Since))
	}
	for _, u := range d.Users {
		if err := u.Check(); err != nil {
			return fmt.Errorf("%w: %w", ErrDevice, err)
		}
	}
	for _, i := range d.Identities {
		if err := i.User.Check(); err != nil || i.Master == (account.VerifyKey{}) || i.First == (account.VerifyKey{}) {
			return fmt.Errorf("%w: no identity of %q", ErrDevice, i.User)
		}
	}
	for _, r := range d.Rooms {
		if err := r.Room.Check(); err != nil {
			return fmt.Errorf("%w: %w", ErrDevice, err)
		}
	}
	for _, m := range d.Messages {
		if err := m.Event.Check(); err != nil {
			return fmt.Errorf("%w: %w", ErrDevice, err)
		}
	}
	for _, w := range d.Withheld {
		if _, err := group.NewWithheld(w); err != nil {
			return fmt.Errorf("%w: %w", ErrDevice, err)
		}
	}
	for _, e := range d.Extras {
		if err := records.Extras.Name(e.record()).Check(e.Value.Reveal()); err != nil {
			return fmt.Errorf("%w: %w", ErrDevice, err)
		}
	}
	return nil
}

// What each takes of a commit.
var (
	identityShare = machine.Share{Bytes: 1 << 10, Writes: 1, Checks: 1}
	messageShare  = machine.Share{Bytes: 256, Writes: 1, Checks: 2}
	withheldShare = machine.Share{Bytes: 16 << 10, Writes: 3, Checks: 3}
	smallShare    = machine.Share{Bytes: 4 << 10, Writes: 1, Checks: 1}
	extraShare    = machine.Share{Bytes: records.MaxExtraValue + 4<<10, Writes: 1, Checks: 1}
)

// small is an extra record of which one commit takes many.
const small = 2 << 10

// putRest puts in what stands beside keys and sessions. What is there already stays: an
// import that goes on gives all of it again.
func (i *importing) putRest(ctx context.Context) error {
	d := i.device
	var few, many []Extra
	for _, e := range d.Extras {
		if len(e.Name)+len(e.Value.Reveal()) <= small {
			many = append(many, e)
		} else {
			few = append(few, e)
		}
	}
	for _, put := range []func() error{
		func() error { return putEach(ctx, i, d.Identities, identityShare, putIdentity) },
		func() error { return putEach(ctx, i, d.Users, devices.TrackShare, putUser) },
		func() error { return putEach(ctx, i, d.Rooms, rooms.EncryptShare, i.putRoom) },
		func() error { return putEach(ctx, i, d.Messages, messageShare, i.putMessage) },
		func() error { return putEach(ctx, i, d.Withheld, withheldShare, putWithheld) },
		func() error { return putEach(ctx, i, many, smallShare, putExtra) },
		func() error { return putEach(ctx, i, few, extraShare, putExtra) },
	} {
		if err := put(); err != nil {
			return err
		}
	}
	return nil
}

// putEach puts some in, in as many commits as the engine needs, unless somebody has
// finished the import meanwhile.
func putEach[T any](ctx context.Context, i *importing, all []T, each machine.Share, put func(*txn.Tx, T) error) error {
	for some := range slices.Chunk(all, i.store.PerCommit(each)) {
		err := i.account.Do(ctx, func(tx *txn.Tx) error {
			at, err := i.look(tx)
			if err != nil || at.finished() {
				return err
			}
			for _, one := range some {
				if err := put(tx, one); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// putIdentity pins the master key that was seen first. Who signed what the next answer
// tells.
func putIdentity(tx *txn.Tx, one Identity) error {
	_, there, err := records.Identities.Get(tx, one.User)
	if there || err != nil {
		return ignoreLost(err)
	}
	return records.Identities.Put(tx, device.Known{Identity: device.Identity{User: one.User, Master: one.Master}, Pinned: one.First})
}

func putUser(tx *txn.Tx, user matrix.UserID) error { return devices.Track(tx, user) }

func (i *importing) putRoom(tx *txn.Tx, one Room) error {
	return rooms.Encrypt(tx, i.account, one.Room, one.Encryption)
}

// putMessage notes which event has a message, of a session that there is: of another no
// event can be read.
func (i *importing) putMessage(tx *txn.Tx, one Message) error {
	_, there, err := records.GroupIns.Get(tx, one.Session)
	if !there || err != nil {
		return ignoreLost(err)
	}
	name := records.ReplayName{Session: one.Session, Index: one.Index}
	if _, there, err = records.Replays.Get(tx, name); there || err != nil {
		return ignoreLost(err)
	}
	return records.Replays.Put(tx, records.Replay{
		ReplayName: name, Event: records.EventDigest(i.store.Digest("event", string(one.Event))),
	})
}

func putWithheld(tx *txn.Tx, one group.Withheld) error {
	_, there, err := records.Withhelds.Get(tx, records.Withhelds.Name(one))
	if there || err != nil {
		return ignoreLost(err)
	}
	return records.PutWithheld(tx, one)
}

func putExtra(tx *txn.Tx, one Extra) error {
	r := one.record()
	_, there, err := records.Extras.Get(tx, records.Extras.Name(r))
	if there || err != nil {
		return ignoreLost(err)
	}
	return records.Extras.Put(tx, r)
}

// ignoreLost lets what was set aside be: something was there.
func ignoreLost(err error) error {
	if machine.IsSetAside(err) {
		return nil
	}
	return err
}
