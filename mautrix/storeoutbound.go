package pawlmautrix

import (
	"context"
	"errors"
	"fmt"
	"time"

	"maunium.net/go/mautrix/crypto"
	"maunium.net/go/mautrix/crypto/olm"
	"maunium.net/go/mautrix/id"
)

// outbound is the session that mautrix-go sends in, in a room.
type outbound struct {
	ID            id.SessionID `json:"id,omitempty"` // "": there is none
	Pickle        []byte       `json:"pickle,omitempty"`
	Shared        bool         `json:"shared,omitempty"`
	MaxMessages   int          `json:"max_messages,omitempty"`
	Messages      int          `json:"messages,omitempty"`
	MaxAge        int64        `json:"max_age,omitempty"` // milliseconds
	SharedHistory *bool        `json:"shared_history,omitempty"`
	Created       time.Time    `json:"created"`
	LastUsed      time.Time    `json:"last_used"`
	// Removed counts how often a session of the room was removed.
	Removed uint64 `json:"removed,omitempty"`
}

// ErrRemoved: the session was removed, or another took its place, perhaps in another
// process. Nothing is sent in it any more.
var ErrRemoved = errors.New("pawlmautrix: the room's session was removed")

// inRecord is the key of pickles within records, which are sealed as all others.
var inRecord = []byte("pawl")

// outboundHandle is a session to send in: each Encrypt is a transaction, so that an
// index is used once, in whichever process.
type outboundHandle struct {
	store *Store
	room  id.RoomID
	id    id.SessionID
}

var _ olm.OutboundGroupSession = outboundHandle{}

// Pickle implements olm.OutboundGroupSession: it fails with ErrHandle.
func (outboundHandle) Pickle([]byte) ([]byte, error) { return nil, ErrHandle }

// Unpickle implements olm.OutboundGroupSession: it fails with ErrHandle.
func (outboundHandle) Unpickle(_, _ []byte) error { return ErrHandle }

// ID implements olm.OutboundGroupSession.
func (h outboundHandle) ID() id.SessionID { return h.id }

// open returns what is stored of the session.
func (h outboundHandle) open() (olm.OutboundGroupSession, error) {
	return wait(func(ctx context.Context) (olm.OutboundGroupSession, error) {
		v, _, err := read[outbound](ctx, h.store, spaceOutbound, string(h.room))
		if err != nil {
			return nil, err
		}
		return h.unpickle(v)
	})
}

func (h outboundHandle) unpickle(v outbound) (olm.OutboundGroupSession, error) {
	if v.ID != h.id {
		return nil, fmt.Errorf("%w: %s", ErrRemoved, h.id)
	}
	return olm.OutboundGroupSessionFromPickled(v.Pickle, inRecord)
}

// MessageIndex implements olm.OutboundGroupSession; 0 if the session is not there any
// more.
func (h outboundHandle) MessageIndex() uint {
	o, err := h.open()
	if err != nil {
		return 0
	}
	return o.MessageIndex()
}

// Key implements olm.OutboundGroupSession; "" if the session is not there any more.
func (h outboundHandle) Key() string {
	o, err := h.open()
	if err != nil {
		return ""
	}
	return o.Key()
}

// Encrypt implements olm.OutboundGroupSession. The message is returned when the step
// that made it is durable. It fails with ErrRemoved.
func (h outboundHandle) Encrypt(plaintext []byte) ([]byte, error) {
	return wait(func(ctx context.Context) (message []byte, err error) {
		err = change(ctx, h.store, spaceOutbound, string(h.room), func(v *outbound, _ bool) (bool, error) {
			o, err := h.unpickle(*v)
			if err != nil {
				return false, err
			}
			if message, err = o.Encrypt(plaintext); err != nil {
				return false, err
			}
			v.Messages, v.LastUsed = v.Messages+1, time.Now()
			v.Pickle, err = o.Pickle(inRecord)
			return true, err
		})
		return message, err
	})
}

// AddOutboundGroupSession implements crypto.Store: the session is a handle from then on.
// It fails with ErrRemoved if the room's session was removed since it was looked for, or
// if this one was.
func (s *Store) AddOutboundGroupSession(ctx context.Context, o *crypto.OutboundGroupSession) error {
	if o == nil || o.Internal == nil {
		return fmt.Errorf("%w: a session without its key", ErrHandle)
	}
	h, ok := o.Internal.(outboundHandle)
	if ok {
		return s.update(ctx, o, h, true)
	}
	pickle, err := o.Internal.Pickle(inRecord)
	if err != nil {
		return err
	}
	s.mu.Lock()
	seen, looked := s.removed[o.RoomID]
	s.mu.Unlock()
	err = change(ctx, s, spaceOutbound, string(o.RoomID), func(v *outbound, _ bool) (bool, error) {
		if looked && v.Removed != seen {
			return false, fmt.Errorf("%w while %s was made", ErrRemoved, o.ID())
		}
		*v = outbound{
			ID: o.ID(), Pickle: pickle, Shared: o.Shared, MaxMessages: o.MaxMessages, Messages: o.MessageCount, MaxAge: o.MaxAge.Milliseconds(),
			SharedHistory: o.SharedHistory, Created: o.CreationTime, LastUsed: o.LastEncryptedTime, Removed: v.Removed,
		}
		return true, nil
	})
	if err == nil {
		o.Internal = outboundHandle{s, o.RoomID, o.ID()}
	}
	return err
}

// UpdateOutboundGroupSession implements crypto.Store. What was encrypted is stored
// already; one that was removed meanwhile stays so.
func (s *Store) UpdateOutboundGroupSession(ctx context.Context, o *crypto.OutboundGroupSession) error {
	if o == nil {
		return fmt.Errorf("%w: no session", ErrHandle)
	}
	h, ok := o.Internal.(outboundHandle)
	if !ok {
		return fmt.Errorf("%w: not a session of this store: %T", ErrHandle, o.Internal)
	}
	return s.update(ctx, o, h, false)
}

func (s *Store) update(ctx context.Context, o *crypto.OutboundGroupSession, h outboundHandle, must bool) error {
	return change(ctx, s, spaceOutbound, string(h.room), func(v *outbound, _ bool) (bool, error) {
		switch {
		case v.ID != h.id && must:
			return false, fmt.Errorf("%w: %s", ErrRemoved, h.id)
		case v.ID != h.id, v.Shared || !o.Shared:
			return false, nil
		}
		v.Shared = true
		return true, nil
	})
}

// GetOutboundGroupSession implements crypto.Store.
func (s *Store) GetOutboundGroupSession(ctx context.Context, room id.RoomID) (*crypto.OutboundGroupSession, error) {
	v, _, err := read[outbound](ctx, s, spaceOutbound, string(room))
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.removed[room] = v.Removed
	s.mu.Unlock()
	if v.ID == "" {
		return nil, nil
	}
	o := &crypto.OutboundGroupSession{
		Internal: outboundHandle{s, room, v.ID}, MaxMessages: v.MaxMessages, MessageCount: v.Messages, SharedHistory: v.SharedHistory,
		Users: map[crypto.UserDevice]crypto.OGSState{}, RoomID: room, Shared: v.Shared,
	}
	o.MaxAge, o.CreationTime, o.LastEncryptedTime = time.Duration(v.MaxAge)*time.Millisecond, v.Created, v.LastUsed
	return o, nil
}

// RemoveOutboundGroupSession implements crypto.Store.
func (s *Store) RemoveOutboundGroupSession(ctx context.Context, room id.RoomID) error {
	return change(ctx, s, spaceOutbound, string(room), func(v *outbound, _ bool) (bool, error) {
		*v = outbound{Removed: v.Removed + 1}
		return true, nil
	})
}

func sharedName(user id.UserID, key id.IdentityKey, session id.SessionID) string {
	return string(session) + " " + string(key) + " " + string(user)
}

// MarkOutboundGroupSessionShared implements crypto.Store.
func (s *Store) MarkOutboundGroupSessionShared(ctx context.Context, user id.UserID, key id.IdentityKey, session id.SessionID) error {
	return put(ctx, s, spaceShared, sharedName(user, key, session), true)
}

// IsOutboundGroupSessionShared implements crypto.Store.
func (s *Store) IsOutboundGroupSessionShared(ctx context.Context, user id.UserID, key id.IdentityKey, session id.SessionID) (bool, error) {
	shared, _, err := read[bool](ctx, s, spaceShared, sharedName(user, key, session))
	return shared, err
}

// message is which event has a message of a session.
type message struct {
	Event     id.EventID `json:"event"`
	Timestamp int64      `json:"timestamp"`
}

// ValidateMessageIndex implements crypto.Store: whoever comes first has the place, in
// whichever process.
func (s *Store) ValidateMessageIndex(ctx context.Context, session id.SessionID, evt id.EventID, index uint, timestamp int64) (valid bool, err error) {
	err = change(ctx, s, spaceIndices, fmt.Sprint(session, " ", index), func(v *message, ok bool) (bool, error) {
		now := message{evt, timestamp}
		switch {
		case now == (message{}):
			valid = !ok
			return false, nil
		case ok:
			valid = *v == now
			return false, nil
		}
		*v, valid = now, true
		return true, nil
	})
	return valid && err == nil, err
}
