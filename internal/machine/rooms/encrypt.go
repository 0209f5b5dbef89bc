package rooms

import (
	"context"
	"encoding/json"
	"sync"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/internal/unpadded"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/txn"
)

// encrypted is the content of m.room.encrypted.
type encrypted struct {
	Algorithm  string          `json:"algorithm"`
	Ciphertext string          `json:"ciphertext"`
	Device     matrix.DeviceID `json:"device_id"`
	RelatesTo  json.RawMessage `json:"m.relates_to,omitempty"`
	SenderKey  string          `json:"sender_key"`
	Session    string          `json:"session_id"`
}

// Encrypt encrypts an event of a room and returns the content of the
// m.room.encrypted that carries it; see package pawl.
func (r *Rooms) Encrypt(ctx context.Context, room matrix.RoomID, eventType string, content []byte, form Form) (out json.RawMessage, err error) {
	if err := room.Check(); err != nil {
		return nil, err
	}
	plaintext, outside, err := plaintextOf(room, eventType, content, form)
	if err != nil {
		return nil, err
	}
	m := making{plaintext: plaintext, outside: outside}
	defer m.end()
	err = records.OnRaised(ctx, r.account, func() error {
		made, err := txn.Do(ctx, r.account.DB, func(tx *txn.Tx) (*made, error) { return r.encrypt(tx, room, &m) })
		if err != nil {
			return err
		}
		m.attempts.Wait()
		out, err = made.content, made.err
		return err
	})
	return out, err
}

// making is the event of one call. Each attempt encrypts it anew, and does so while its
// commit is under way: all that has to be stored before the message leaves is that its
// index is used.
type making struct {
	plaintext []byte
	outside   json.RawMessage
	attempts  sync.WaitGroup
}

// made is what an attempt encrypts. It is there when attempts have ended.
type made struct {
	content json.RawMessage
	err     error
}

// end erases the plaintext when nothing reads it any more.
func (m *making) end() {
	m.attempts.Wait()
	clear(m.plaintext)
}

// begin begins to encrypt. The content is whole but for the ciphertext.
func (m *making) begin(probe *txn.Probe, message func() []byte, content encrypted) *made {
	out := new(made)
	content.RelatesTo = m.outside
	m.attempts.Go(func() {
		began := probe.Begin()
		content.Ciphertext = unpadded.Encode(message())
		out.content, out.err = json.Marshal(content)
		probe.End(txn.Computing, began)
	})
	return out
}

// encrypt takes the next index of the session, in a commit that holds only if
// nothing has changed since the session was shared with everybody who is to have it.
func (r *Rooms) encrypt(tx *txn.Tx, room matrix.RoomID, m *making) (*made, error) {
	c := call{Rooms: r, room: room}
	s, err := c.read(tx)
	if err != nil {
		return nil, err
	}
	now := r.account.Store.Now()
	if s.has {
		if why := s.due(now); why != group.Kept {
			return nil, &RotateError{why}
		}
	}
	if !s.has || !s.whole() {
		open, err := unanswered(tx, s.room)
		if err != nil {
			return nil, err
		}
		return nil, &NotSharedError{open}
	}
	next, message, err := s.out.Sender().Begin(m.plaintext)
	if err != nil {
		return nil, err
	}
	out := m.begin(tx.Probe(), message, encrypted{
		Algorithm: account.Megolm, Device: s.v.Device(), SenderKey: s.v.Identity().String(), Session: s.out.ID().String(),
	})
	return out, records.Outbound.Put(tx, s.out.Sent(next, now))
}

// Rotate gives up the session that we send in: the next message goes in another.
func (r *Rooms) Rotate(ctx context.Context, room matrix.RoomID) error {
	if err := room.Check(); err != nil {
		return err
	}
	return records.OnRaised(ctx, r.account, func() error {
		return r.account.Do(ctx, func(tx *txn.Tx) error {
			v, err := r.account.ActiveRaised(tx)
			if err != nil {
				return err
			}
			c, err := read(tx, r.account, v.User(), room)
			if err != nil {
				return err
			}
			c.retire(group.Asked)
			return c.write()
		})
	})
}

// Info is what is known of a room.
type Info struct {
	Encrypted bool
	Foreign   bool // its state asks for another algorithm than Megolm
	Settings  group.Settings
	Session   group.SessionID // that we send in; zero: none
	Messages  uint32          // that were encrypted in it
	Why       group.Why       // why it is not used any more
	Shared    bool            // with everybody who is to have it
	Changes   uint64          // that were noticed of what sharing depends on
}

// Show returns what is known of a room.
func (r *Rooms) Show(ctx context.Context, room matrix.RoomID) (Info, error) {
	if err := room.Check(); err != nil {
		return Info{}, err
	}
	return txn.View(ctx, r.account.DB, func(tx *txn.Tx) (Info, error) {
		v, err := r.account.Read(tx)
		if err != nil {
			return Info{}, err
		}
		s, err := readState(tx, v, room)
		if err != nil {
			return Info{}, err
		}
		info := Info{Encrypted: s.room.Encrypted, Foreign: s.room.Foreign, Settings: s.room.Settings(), Changes: s.room.Changed}
		if s.has {
			info.Session, info.Messages, info.Why = s.out.ID(), s.out.Sender().Index(), s.due(r.account.Store.Now())
			info.Shared = s.whole() && info.Why == group.Kept
		}
		return info, s.lost
	})
}

// MemberChange is what became of somebody in a room.
type MemberChange struct {
	User       matrix.UserID
	Membership Membership
}

// MembersChanged does what [Apply] does with memberships, for whoever has no sync.
func (r *Rooms) MembersChanged(ctx context.Context, room matrix.RoomID, changes []MemberChange, limited bool) error {
	if err := room.Check(); err != nil {
		return err
	}
	for _, m := range changes {
		if err := m.User.Check(); err != nil {
			return err
		}
	}
	return records.OnRaised(ctx, r.account, func() error { return r.membersChanged(ctx, room, changes, limited) })
}

func (r *Rooms) membersChanged(ctx context.Context, room matrix.RoomID, changes []MemberChange, limited bool) error {
	for first := true; first || len(changes) > 0; first = false {
		some := changes[:min(len(changes), maxLooks)]
		changes = changes[len(some):]
		err := r.account.Do(ctx, func(tx *txn.Tx) error {
			v, err := r.account.ActiveRaised(tx)
			if err != nil {
				return err
			}
			c, err := read(tx, r.account, v.User(), room)
			if err != nil {
				return err
			}
			for _, m := range some {
				if err := c.member(m.User, m.Membership, limited); err != nil {
					return err
				}
			}
			return c.write()
		})
		if err != nil {
			return err
		}
	}
	return nil
}
