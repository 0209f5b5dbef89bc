package pawlmautrix

import (
	"context"
	"iter"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/event"
)

// follow is called when a response did not move Pawl's token on: this process has left
// the chain. If another process has moved the token since the last response, that is
// all. Otherwise there is none any more, and this one asks for what comes after the
// stored token itself. It makes one request: that one's token lets the server delete
// to-device events, and those that it covers must have come in the client's own
// responses before. It returns false if something could not be committed.
//
// If the answer brought nothing that the listeners have not got, the client goes on
// from there, and is in the chain again.
func (r *receiver) follow(ctx context.Context, response *mautrix.RespSync) bool {
	t, err := r.machine.NextSync(ctx)
	switch {
	case err != nil:
		return ctx.Err() == nil // the next response tries again
	case t.Since == response.NextBatch || t.Since != r.chain:
		return true
	}
	missed, err := r.client.FullSyncRequest(ctx, mautrix.ReqSync{Since: t.Since})
	if err != nil {
		r.log.Warn().Err(err).Msg("Failed to ask for what another process of the device has not received")
		return ctx.Err() == nil
	}
	tidy(missed)
	if _, ok := r.commit(ctx, t, missed); !ok {
		return false
	}
	if len(missed.ToDevice.Events) == 0 && r.hasSeen(missed) {
		response.NextBatch = missed.NextBatch
	}
	return true
}

// hasSeen reports whether the listeners have got all events of rooms in a response.
func (r *receiver) hasSeen(response *mautrix.RespSync) bool {
	for e := range timeline(response) {
		if !r.seen.Contains(e.ID) {
			return false
		}
	}
	return true
}

// timeline yields the events of all rooms' timelines.
func timeline(response *mautrix.RespSync) iter.Seq[*event.Event] {
	return func(yield func(*event.Event) bool) {
		for _, room := range response.Rooms.Join {
			for _, e := range room.Timeline.Events {
				if !yield(e) {
					return
				}
			}
		}
		for _, room := range response.Rooms.Leave {
			for _, e := range room.Timeline.Events {
				if !yield(e) {
					return
				}
			}
		}
	}
}
