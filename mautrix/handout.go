package pawlmautrix

import (
	"context"
	"errors"
	"runtime/debug"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/session"
)

// handOut gives mautrix-go's machine, as they came, and then the listeners the to-device
// events that are not Pawl's, decrypted and in order, and stores the token once they have
// returned: whoever dies before gets them again. So it dispatches them itself, and leaves
// none of them to the syncer, which would do so together with the events of rooms. A
// syncer that cannot dispatch gets them in the response, once.
//
// It returns whether the token is the stored one, and false if it could not be stored.
func (r *receiver) handOut(ctx context.Context, response *mautrix.RespSync, received pawl.Received) (advanced, ok bool) {
	came := response.ToDevice.Events
	response.ToDevice.Events = nil
	var receipts []session.ReceiptID
	var failed any
	for _, e := range received.Events {
		r.toMachine(ctx, e, came)
		if evt := r.eventOf(e, came); evt != nil {
			if p := r.dispatch(ctx, response, evt); p != nil {
				failed = p
			}
		}
		if ctx.Err() != nil { // the listener may have given up
			return false, false
		}
		if e.Encrypted {
			receipts = append(receipts, e.Receipt)
		}
	}
	advanced = received.Advanced
	ok = received.Held == nil || r.store(ctx, func() (err error) {
		if err = r.machine.Acknowledge(ctx, receipts...); err == nil {
			advanced, err = r.machine.StoreToken(ctx, received.Held)
		}
		return err
	})
	if failed != nil && ok {
		panic(failed) // syncing ends, as it does with mautrix-go: the event will not come again
	}
	return advanced, ok
}

// eventOf is an event as listeners expect it; nil: it has no content.
func (r *receiver) eventOf(e pawl.ToDeviceEvent, came []*event.Event) *event.Event {
	if !e.Encrypted && e.Index >= 0 && e.Index < len(came) {
		return came[e.Index]
	}
	evt := &event.Event{Sender: id.UserID(e.Sender), Type: event.Type{Type: e.Type, Class: event.ToDeviceEventType}}
	evt.Mautrix.WasEncrypted = e.Encrypted
	if err := evt.Content.UnmarshalJSON(e.Content); err != nil {
		r.log.Warn().Err(err).Str("type", e.Type).Msg("A to-device event has no content")
		return nil
	}
	return evt
}

// dispatch gives an event to the listeners, as a DefaultSyncer would. It returns what a
// listener panicked with: one event must not keep the others from being handled.
func (r *receiver) dispatch(ctx context.Context, response *mautrix.RespSync, evt *event.Event) (failed any) {
	to, ok := r.client.Syncer.(mautrix.DispatchableSyncer)
	if !ok {
		response.ToDevice.Events = append(response.ToDevice.Events, evt)
		return nil
	}
	defer func() {
		if failed = recover(); failed != nil {
			r.log.Error().Any("panic", failed).Bytes("stack", debug.Stack()).Str("type", evt.Type.Type).Msg("A listener of to-device events panicked")
		}
	}()
	evt.Type.Class = event.ToDeviceEventType
	evt.Mautrix.EventSource = event.SourceToDevice
	if !r.parse(evt) {
		return nil
	}
	to.Dispatch(ctx, evt)
	return nil
}

// parse parses an event's content if the syncer says so. It returns false for one that
// listeners are not to get.
func (r *receiver) parse(evt *event.Event) bool {
	syncer, ok := r.client.Syncer.(*mautrix.DefaultSyncer)
	if ok && !syncer.ParseEventContent {
		return true
	}
	err := evt.Content.ParseRaw(evt.Type)
	if err == nil || !ok {
		return err == nil || errors.Is(err, event.ErrUnsupportedContentType) || errors.Is(err, event.ErrContentAlreadyParsed)
	}
	return syncer.ParseErrorHandler(evt, err)
}
