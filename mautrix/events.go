package pawlmautrix

import (
	"context"
	"errors"
	"time"

	"github.com/rs/zerolog"
	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/crypto"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/matrix"
)

// How long an event waits for its room key: at first, and after own devices were asked
// for it. They are cryptohelper's.
const (
	firstWait = 3 * time.Second
	longWait  = 22 * time.Second
)

// listen has the client's syncs go through the helper.
func (h *CryptoHelper) listen(m *pawl.Machine) {
	r := newReceiver(h, m)
	h.receiver = r
	h.client.Store = &syncStore{receiver: r}
	syncer, ok := h.client.Syncer.(mautrix.ExtensibleSyncer)
	if !ok { // of an application service
		h.listenTo(h.ASEventProcessor)
		return
	}
	syncer.OnSync(r.receive)
	if _, ok := h.client.Syncer.(mautrix.DispatchableSyncer); ok {
		syncer.OnEventType(event.EventEncrypted, h.HandleEncrypted)
	} else {
		h.log.Warn().Msg("The client's syncer does not implement DispatchableSyncer: events are not decrypted by themselves")
	}
}

// HandleEncrypted decrypts an event and hands it to the listeners, once the store is
// there. If its key is not there it waits for it by itself; see firstWait.
func (h *CryptoHelper) HandleEncrypted(ctx context.Context, evt *event.Event) {
	if h == nil || evt == nil {
		return
	}
	decrypted, err := h.decrypt(ctx, evt)
	switch {
	case err == nil:
		h.dispatch(ctx, decrypted)
	case errors.Is(err, crypto.ErrNoSessionFound) && ctx.Value(mautrix.SyncTokenContextKey) != "":
		go h.await(ctx, evt)
	default:
		h.undecryptable(evt, err)
	}
}

// await decrypts an event when its key comes, from whichever process.
func (h *CryptoHelper) await(ctx context.Context, evt *event.Event) {
	content := evt.Content.AsEncrypted()
	if !h.wait(ctx, evt.RoomID, content.SessionID, evt.Sender, firstWait) {
		h.RequestSession(ctx, evt.RoomID, content.SenderKey, content.SessionID, evt.Sender, "")
		h.wait(ctx, evt.RoomID, content.SessionID, evt.Sender, longWait)
	}
	decrypted, err := h.decrypt(ctx, evt)
	if err != nil {
		h.undecryptable(evt, err)
		return
	}
	h.dispatch(ctx, decrypted)
}

// decrypt is Decrypt for an event that does not come again: a store that is away is
// waited for.
func (h *CryptoHelper) decrypt(ctx context.Context, evt *event.Event) (decrypted *event.Event, err error) {
	err = waiting(ctx, h.log, "Failed to decrypt an event, trying again", away, func() error {
		decrypted, err = h.Decrypt(ctx, evt)
		return err
	})
	return decrypted, err
}

func (h *CryptoHelper) dispatch(ctx context.Context, decrypted *event.Event) {
	if h.CustomPostDecrypt != nil {
		h.CustomPostDecrypt(ctx, decrypted)
		return
	}
	if h.ASEventProcessor != nil {
		h.ASEventProcessor.Dispatch(ctx, decrypted)
		return
	}
	if syncer, ok := h.client.Syncer.(mautrix.DispatchableSyncer); ok {
		syncer.Dispatch(ctx, decrypted)
	}
}

func (h *CryptoHelper) undecryptable(evt *event.Event, err error) {
	h.log.Warn().Err(err).Stringer("event_id", evt.ID).Stringer("room_id", evt.RoomID).Msg("Failed to decrypt event")
	if h.DecryptErrorCallback != nil {
		h.DecryptErrorCallback(evt, err)
	}
}

// WaitForSession waits until there is a room key, or a notice that it is withheld,
// whichever process has received it. It returns false if there is none in time.
func (h *CryptoHelper) WaitForSession(ctx context.Context, room id.RoomID, sender id.SenderKey, session id.SessionID, timeout time.Duration) bool {
	return h.wait(ctx, room, session, h.userOf(ctx, room, sender), timeout)
}

// mostSearched bounds in how many users' devices a key is looked for.
const mostSearched = 500

// userOf is which member of a room has a device with a key; "": nobody is known to. Only
// the user whose message it is explains that its key is withheld.
func (h *CryptoHelper) userOf(ctx context.Context, room id.RoomID, key id.SenderKey) id.UserID {
	m, err := h.ready()
	if err != nil || key == "" {
		return ""
	}
	members, err := h.client.StateStore.GetRoomJoinedOrInvitedMembers(ctx, room)
	if err != nil {
		return ""
	}
	for _, user := range members[:min(len(members), mostSearched)] {
		of, err := m.Devices(ctx, matrix.UserID(user))
		if err != nil {
			continue
		}
		for _, d := range of.Devices {
			if id.SenderKey(d.Curve25519.String()) == key {
				return user
			}
		}
	}
	return ""
}

func (h *CryptoHelper) wait(ctx context.Context, room id.RoomID, session id.SessionID, sender id.UserID, timeout time.Duration) bool {
	name, err := group.ParseSessionID(string(session))
	if err != nil {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	err = h.call(ctx, func(ctx context.Context, m *pawl.Machine) error {
		return waiting(ctx, h.log, "Failed to look for a room key, trying again", away, func() error {
			return m.WaitForRoomKey(ctx, matrix.RoomID(room), name, matrix.UserID(sender))
		})
	})
	var withheld *group.WithheldError
	return err == nil || errors.As(err, &withheld)
}

// RequestSession asks own verified devices for a room key. Others have no answer to
// give: whoever sent the event gives it again when a session with them is repaired.
func (h *CryptoHelper) RequestSession(ctx context.Context, room id.RoomID, _ id.SenderKey, session id.SessionID, _ id.UserID, _ id.DeviceID) {
	m, err := h.ready()
	if err != nil {
		return
	}
	name, err := group.ParseSessionID(string(session))
	if err == nil {
		err = m.RequestRoomKey(ctx, matrix.RoomID(room), name)
	}
	log := zerolog.Ctx(ctx)
	if log.GetLevel() == zerolog.Disabled {
		log = &h.log
	}
	if err != nil {
		log.Debug().Err(err).Stringer("session_id", session).Msg("No room key was requested")
		return
	}
	h.sender.kick()
}
