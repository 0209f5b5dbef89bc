package rooms

import (
	"slices"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/internal/syncresponse"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/txn"
)

// Apply does what follows from what a sync says of a room, in the commit of the
// caller, which has read the account: the session that we send in is given up when
// somebody left who may have its key, nothing is sent before others have it who
// came, and the room is encrypted for good when its state says so. A room of which
// neither that nor anything that concerns its history was ever said leaves nothing.
//
// A room's record that is damaged keeps nothing else from being applied: nothing is
// sent in that room. Malformed events are passed over, but that a membership which
// cannot be read is none.
func Apply(tx *txn.Tx, a *machine.Account, v account.Account, r syncresponse.Room, response []byte) error {
	c, err := read(tx, a, v.User(), r.ID)
	if c == nil || err != nil {
		return err
	}
	for _, e := range r.Events {
		if err := c.event(e, e.Content.Of(response), r.Limited); err != nil {
			return err
		}
	}
	if r.Gone {
		c.retire(group.SomebodyLeft)
	}
	return c.write()
}

// Cost is what [Apply] takes of a commit at most.
func Cost(r syncresponse.Room) machine.Share {
	members := 0
	for _, e := range r.Events {
		if e.Kind == syncresponse.Member {
			members++
		}
	}
	return cost(members)
}

func cost(members int) machine.Share {
	members = min(members, maxLooks)
	return machine.Share{Bytes: 24<<10 + members*(5<<10), Writes: 2 + members, Checks: 2 + members}
}

// maxLooks bounds the members of one room that are looked at in one commit. Of more
// nobody knows whether they have a key, or are to be given it.
const maxLooks = 16

// change is what becomes of a room in one commit.
type change struct {
	tx    *txn.Tx
	a     *machine.Account
	own   matrix.UserID
	was   records.Room
	room  records.Room
	known bool
	// lost: the record cannot be read, or was set aside.
	lost    bool
	damaged bool // and cannot be written
	looks   int
	why     group.Why // why the session is given up
}

// read begins a change. It returns nil for what is no room.
func read(tx *txn.Tx, a *machine.Account, own matrix.UserID, id matrix.RoomID) (*change, error) {
	if id.Check() != nil {
		return nil, nil
	}
	r, known, err := records.ReadRoom(tx, id)
	c := &change{tx: tx, a: a, own: own, was: r, room: r, known: known, lost: r.Encrypted && !known}
	if machine.IsDamage(err) {
		a.Store.Tell(tx, []error{err})
		c.room.ID, c.lost, c.damaged, err = id, true, true, nil
	}
	return c, err
}

// event applies one event of the room's state.
func (c *change) event(e syncresponse.RoomEvent, content []byte, limited bool) error {
	switch {
	case e.Kind == syncresponse.Member:
		m := parseMember(content)
		if e.Passed {
			return c.passed(matrix.UserID(e.StateKey), m, limited)
		}
		return c.member(matrix.UserID(e.StateKey), m, limited)
	case e.StateKey != "":
	case e.Kind == syncresponse.Encryption:
		c.encrypt(parseEncryption(content))
	case e.Kind == syncresponse.HistoryVisibility && !e.Passed:
		c.show(parseVisibility(content))
	}
	return nil
}

// member applies a membership. Who has just left may have the session's key; who
// comes is to have it.
func (c *change) member(user matrix.UserID, m Membership, limited bool) error {
	switch {
	case user.Check() != nil || !c.known && !c.lost:
		return nil // nothing was ever shared
	case user == c.own:
		if m != Join {
			c.retire(group.SomebodyLeft)
		}
		return nil
	}
	was, certain, err := c.isMember(user)
	if err != nil {
		return err
	}
	if was && (m.gone() || limited && m != Join) {
		c.retire(group.SomebodyLeft)
	}
	if !m.gone() {
		c.room = c.room.Return(user)
		if !certain {
			c.room = c.room.Change()
		}
		return nil
	}
	c.room = c.room.Leave(user)
	if !was {
		return nil
	}
	c.room = c.room.Change()
	if !certain {
		return nil
	}
	return records.Dismiss(c.tx, user, c.room.ID)
}

// passed applies a membership that another one stands for at the end: who left and is
// back may not read what was sent meanwhile.
func (c *change) passed(user matrix.UserID, m Membership, limited bool) error {
	if user.Check() != nil || !c.known && !c.lost || !m.gone() && (!limited || m == Join) {
		return nil
	}
	was := user == c.own
	if !was {
		var err error
		if was, _, err = c.isMember(user); err != nil {
			return err
		}
	}
	if was {
		c.retire(group.SomebodyLeft)
	}
	return nil
}

// isMember reports whether somebody may have a key of the room, and whether that is
// certain.
func (c *change) isMember(user matrix.UserID) (is, certain bool, err error) {
	if c.looks++; c.looks > maxLooks {
		return true, false, nil
	}
	if is, certain, err = records.IsMember(c.tx, user, c.room.ID); is || err != nil {
		return is, certain, err
	}
	is, err = c.wasTold(user)
	return is, false, err
}

// wasTold reports whether a device of somebody, of whom it is not known that they may
// have a key of the room, was told something of the session that we send in: then what
// was known of them is lost.
func (c *change) wasTold(user matrix.UserID) (bool, error) {
	out, has, err := records.Outbound.Get(c.tx, c.room.ID)
	if machine.IsDamage(err) || machine.IsSetAside(err) || err == nil && !has {
		return false, nil // it is not sent in
	}
	if err != nil {
		return false, err
	}
	return records.WasTold(c.tx, records.RoomSession{Room: c.room.ID, ID: out.ID()}, user)
}

// encrypt applies what the room's state says of encryption: for good, and never
// another algorithm than Megolm once it was that.
func (c *change) encrypt(e encryption) {
	megolm := c.room.Encrypted && !c.room.Foreign && !c.lost
	c.room.Encrypted = true
	c.room.Foreign = !e.megolm && !megolm
	if e.megolm {
		c.room.State.Messages, c.room.State.Age = e.messages, e.age
	}
}

// show applies the history visibility.
func (c *change) show(v group.Visibility) {
	if c.known || c.lost || c.room.Encrypted || v != group.Shared {
		c.room.State.Visibility = v
	}
}

// retire gives up the session that we send in.
func (c *change) retire(why group.Why) {
	if c.why == group.Kept {
		c.why = why
	}
}

// write writes what has changed. Where the record was lost nobody knows what the
// session was shared under.
func (c *change) write() error {
	changed := !same(c.room, c.was)
	if c.lost && changed {
		c.retire(group.SettingsChanged)
	}
	if err := c.giveUp(); err != nil || !changed || c.damaged {
		return err
	}
	return records.Rooms.Put(c.tx, c.room)
}

// same compares what a change may change.
func same(a, b records.Room) bool {
	return a.Encrypted == b.Encrypted && a.Foreign == b.Foreign && a.State == b.State && a.Changed == b.Changed &&
		slices.Equal(a.Gone, b.Gone)
}

// giveUp retires the session. One that cannot be read is not sent in.
func (c *change) giveUp() error {
	if c.why == group.Kept {
		return nil
	}
	o, ok, err := records.Outbound.Get(c.tx, c.room.ID)
	if machine.IsDamage(err) {
		c.a.Store.Tell(c.tx, []error{err})
		return nil
	}
	if machine.IsSetAside(err) {
		return nil
	}
	if _, why := o.Retired(); err != nil || !ok || why != group.Kept {
		return err
	}
	return records.Outbound.Put(c.tx, o.Retire(c.why, c.a.Store.Now()))
}

// EncryptShare is what [Encrypt] takes of a commit.
var EncryptShare = machine.Share{Bytes: 24 << 10, Writes: 2, Checks: 2}

// Encrypt notes that a room is encrypted, as the content of its m.room.encryption says;
// "": nobody knows what that says. What is known of the room goes before that.
func Encrypt(tx *txn.Tx, a *machine.Account, room matrix.RoomID, content string) error {
	c, err := read(tx, a, a.Name.User, room)
	if c == nil || machine.IsSetAside(err) {
		return nil
	}
	if err != nil || c.room.Encrypted {
		return err
	}
	if content == "" {
		c.room.Encrypted = true
	} else {
		c.encrypt(parseEncryption([]byte(content)))
	}
	return c.write()
}
