package pawlmautrix

import (
	"context"
	"fmt"
	"runtime/debug"

	"maunium.net/go/mautrix/crypto"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
)

// KeyShare decides whether a device that asks for a room key is given it; nil: it is.
type KeyShare = func(context.Context, *id.Device, event.RequestedKeyInfo) *crypto.KeyShareRejection

// allowKeyShare is what AllowKeyShare of mautrix-go's machine is.
func (h *CryptoHelper) allowKeyShare() KeyShare {
	if h.KeyShare != nil {
		return h.KeyShare
	}
	return leaveKeyRequests
}

// remembers is how many requests for room keys are known not to come a second time.
const remembers = 1024

// answerRequests lets mautrix-go's machine answer those who ask for a room key and are not
// devices of the own user, of the to-device events that came. It waits for nothing: whoever
// gets no answer asks again.
func (r *receiver) answerRequests(came []*event.Event) {
	if r.keyShare == nil {
		return
	}
	for _, e := range came {
		if e.Type.Type != event.ToDeviceRoomKeyRequest.Type || e.Sender == r.client.UserID {
			continue
		}
		evt := *e
		evt.Type.Class = event.ToDeviceEventType
		if evt.Content.Parsed == nil && evt.Content.ParseRaw(evt.Type) != nil {
			continue
		}
		asked, ok := evt.Content.Parsed.(*event.RoomKeyRequestEventContent)
		if !ok || asked.Action != event.KeyRequestActionRequest {
			continue
		}
		name := fmt.Sprintf("%q %q %q %q", evt.Sender, asked.RequestingDeviceID, asked.RequestID, asked.Body.SessionID)
		if had, _ := r.requests.ContainsOrAdd(name, struct{}{}); had {
			continue
		}
		r.background(func(ctx context.Context) {
			defer func() {
				if p := recover(); p != nil {
					r.log.Error().Any("panic", p).Bytes("stack", debug.Stack()).Msg("mautrix-go's machine panicked over a request for a room key")
				}
			}()
			r.olm.HandleRoomKeyRequest(ctx, evt.Sender, asked)
		})
	}
}
