package pawlmautrix

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/cenkalti/backoff/v5"
	"maunium.net/go/mautrix/crypto"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/matrix"
)

// rounds is how often a key is shared anew for one event, when members or devices
// change again and again.
const rounds = 10

// Encrypt encrypts an event's content for a room, after it gave the room key to all
// devices that are to have it. Content is a json.RawMessage, a *event.Content, or what
// marshals as an object.
func (h *CryptoHelper) Encrypt(ctx context.Context, room id.RoomID, kind event.Type, content any) (*event.EncryptedEventContent, error) {
	return h.encrypt(ctx, room, kind, content)
}

func (h *CryptoHelper) encrypt(ctx context.Context, room id.RoomID, kind event.Type, content any, options ...pawl.RoomEventOption) (encrypted *event.EncryptedEventContent, err error) {
	err = h.call(ctx, func(ctx context.Context, m *pawl.Machine) (err error) {
		encrypted, err = h.encryptWith(ctx, m, room, kind, content, options...)
		return err
	})
	return encrypted, err
}

func (h *CryptoHelper) encryptWith(ctx context.Context, m *pawl.Machine, room id.RoomID, kind event.Type, content any, options ...pawl.RoomEventOption) (*event.EncryptedEventContent, error) {
	if err := h.checkFields(); err != nil {
		return nil, err
	}
	if err := matrix.RoomID(room).Check(); err != nil {
		return nil, err
	}
	raw, err := marshal(content)
	switch {
	case err != nil:
		return nil, err
	case kind.Type == "":
		return nil, fmt.Errorf("%w: the event has no type", pawl.ErrContent)
	}
	if with, known := h.shared.Load(room); !known || with != h.trusting() {
		// Nobody knows what happened in the room while the program was not there; or others
		// are to have the key than when it was shared.
		if err := h.share(ctx, m, room); err != nil {
			return nil, fmt.Errorf("failed to share the room key: %w", err)
		}
	}
	if h.olm.MSC4392Relations {
		outside, err := relationOutside(kind, raw)
		if err != nil {
			return nil, err
		}
		options = append(options, pawl.RelationInside(outside))
	}
	for range rounds {
		out, err := m.EncryptRoomEvent(ctx, matrix.RoomID(room), kind.Type, raw, options...)
		if err == nil {
			encrypted := &event.EncryptedEventContent{}
			if h.olm.PlaintextMentions {
				encrypted.Mentions = mentions(raw)
			}
			return encrypted, json.Unmarshal(out, encrypted)
		}
		if !errors.Is(err, pawl.ErrNotShared) && !errors.Is(err, pawl.ErrRotate) {
			return nil, err
		}
		if err := h.share(ctx, m, room); err != nil {
			return nil, fmt.Errorf("failed to share the room key: %w", err)
		}
	}
	return nil, fmt.Errorf("%w: whoever is to have it changed %d times", pawl.ErrNotShared, rounds)
}

// EncryptWithStateKey is Encrypt for events of the room's state, if there is a key.
func (h *CryptoHelper) EncryptWithStateKey(ctx context.Context, room id.RoomID, kind event.Type, stateKey *string, content any) (*event.EncryptedEventContent, error) {
	if stateKey != nil {
		return h.encrypt(ctx, room, kind, content, pawl.StateKey(*stateKey))
	}
	return h.encrypt(ctx, room, kind, content)
}

// relationOutside is what of a content's relation servers see with MSC4392, nil if
// nothing: threads and edits, but no replies and no reactions.
func relationOutside(kind event.Type, content json.RawMessage) (json.RawMessage, error) {
	var c struct {
		RelatesTo map[string]json.RawMessage `json:"m.relates_to"`
	}
	if err := json.Unmarshal(content, &c); err != nil {
		return nil, fmt.Errorf("%w: its m.relates_to is no object", pawl.ErrContent)
	}
	delete(c.RelatesTo, "m.in_reply_to")
	delete(c.RelatesTo, "is_falling_back")
	if c.RelatesTo["rel_type"] == nil || kind.Type == event.EventReaction.Type {
		return nil, nil
	}
	return json.Marshal(c.RelatesTo)
}

// mentions are those of a content; nil: it has none.
func mentions(content json.RawMessage) *event.Mentions {
	var c struct {
		Mentions *event.Mentions `json:"m.mentions"`
	}
	if json.Unmarshal(content, &c) != nil {
		return nil
	}
	return c.Mentions
}

func marshal(content any) (json.RawMessage, error) {
	if c, ok := content.(event.Content); ok {
		content = &c // its MarshalJSON has a pointer's receiver
	}
	raw, err := json.Marshal(content)
	if err != nil {
		return nil, fmt.Errorf("failed to marshal the content: %w", err)
	}
	if len(raw) == 0 || raw[0] != '{' {
		return nil, fmt.Errorf("%w: what marshals as %.20s is no object", pawl.ErrContent, raw)
	}
	return raw, nil
}

// share gives the room key to all members' devices, to those of whoever came meanwhile, too:
// nothing would tell later that they have not got it.
func (h *CryptoHelper) share(ctx context.Context, m *pawl.Machine, room id.RoomID) error {
	before, _ := m.Room(ctx, matrix.RoomID(room)) // damage is mended, or told, below
	members, err := h.members(ctx, room)
	for err == nil {
		if err = h.shareWith(ctx, m, room, members); err != nil {
			break
		}
		had := members
		after, wrong := m.Room(ctx, matrix.RoomID(room))
		if wrong != nil || after.Changes == before.Changes {
			return wrong
		}
		before = after
		if members, err = h.members(ctx, room); slices.Equal(members, had) {
			break
		}
	}
	return err
}

// shareWith gives the room key to the devices of members.
func (h *CryptoHelper) shareWith(ctx context.Context, m *pawl.Machine, room id.RoomID, members []matrix.UserID) error {
	under := new(trusting) // nobody else's
	h.shared.Store(room, under)
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval, pause.MaxInterval = 20*time.Millisecond, time.Second
	for {
		with := h.trusting()
		settings, err := h.settings(ctx, room, members)
		if err != nil {
			return err
		}
		s, err := m.ShareRoomKey(ctx, matrix.RoomID(room), members, settings)
		if err != nil {
			return err
		}
		if err := h.sender.sendEach(ctx, s.Requests); err != nil {
			return err
		}
		if s.Done {
			h.sender.kick()                            // what nobody waits for
			h.shared.CompareAndSwap(room, under, with) // unless RoomChanged was called
			return errors.Join(h.forgetOwn(ctx, s.Session), h.keepExpiry(ctx, room, id.SessionID(s.Session.String()), false))
		}
		if len(s.Requests) > 0 {
			pause.Reset()
			continue
		}
		// Another process has sent them, or they wait for the device's own keys.
		if err := h.sender.sendAll(ctx); err != nil {
			return err
		}
		select {
		case <-time.After(pause.NextBackOff()):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// settings are what the StateStore knows of a room, which Pawl may not know of one that
// the client was in before. The strategy is mautrix-go's.
func (h *CryptoHelper) settings(ctx context.Context, room id.RoomID, members []matrix.UserID) (s pawl.RoomSettings, err error) {
	if s.Strategy, s.Allow, err = h.strategy(ctx, members); err != nil {
		return s, fmt.Errorf("failed to look up how far devices are trusted: %w", err)
	}
	state := h.client.StateStore.(crypto.StateStore)
	encryption, err := state.GetEncryptionEvent(ctx, room)
	if err != nil {
		return s, fmt.Errorf("failed to get the room's encryption event: %w", err)
	}
	if encryption != nil {
		s.Algorithm = string(encryption.Algorithm)
		s.Messages = encryption.RotationPeriodMessages
		s.Age = time.Duration(min(encryption.RotationPeriodMillis, group.MaxAge.Milliseconds())) * time.Millisecond
	}
	visibility, err := state.GetHistoryVisibility(ctx, room)
	if err != nil {
		return s, fmt.Errorf("failed to get the room's history visibility: %w", err)
	}
	if visibility != nil {
		s.Visibility = visibilities[visibility.HistoryVisibility]
	}
	return s, nil
}

var visibilities = map[event.HistoryVisibility]group.Visibility{
	event.HistoryVisibilityInvited:       group.Invited,
	event.HistoryVisibilityJoined:        group.Joined,
	event.HistoryVisibilityShared:        group.Shared,
	event.HistoryVisibilityWorldReadable: group.WorldReadable,
}
