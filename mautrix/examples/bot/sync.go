package main

import (
	"context"
	"errors"
	"time"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/event"
)

// again is how long it waits after a sync that failed. mautrix-go waits ten seconds.
const again = time.Second

// timeline is how many events of a room one sync may bring.
const timeline = 1000

// syncer is mautrix-go's that tells of failures, and tries again soon.
type syncer struct {
	*mautrix.DefaultSyncer
	out *output
}

func (s *syncer) OnFailedSync(_ *mautrix.RespSync, err error) (time.Duration, error) {
	s.out.say(object{"event": "sync_error", "error": err.Error()})
	if errors.Is(err, mautrix.MUnknownToken) {
		return 0, err
	}
	return again, nil
}

// listen has messages told.
func (b *bot) listen(s *syncer) {
	s.FilterJSON = &mautrix.Filter{Room: &mautrix.RoomFilter{Timeline: &mautrix.FilterPart{Limit: timeline}}}
	s.OnEventType(event.EventMessage, func(_ context.Context, e *event.Event) {
		b.out.say(object{
			"event": "message", "room": e.RoomID, "event_id": e.ID, "sender": e.Sender,
			"body": e.Content.AsMessage().Body, "encrypted": e.Mautrix.EventSource&event.SourceDecrypted != 0,
		})
	})
	s.OnSync(func(context.Context, *mautrix.RespSync, string) bool {
		b.out.say(object{"event": "synced"})
		return true
	})
}

func (b *bot) undecryptable(e *event.Event, err error) {
	b.out.say(object{"event": "undecryptable", "room": e.RoomID, "event_id": e.ID, "sender": e.Sender, "error": err.Error()})
}

func (b *bot) start(ctx context.Context) error {
	if b.cancel != nil {
		return errors.New("it syncs already")
	}
	ctx, b.cancel = context.WithCancel(ctx)
	b.ended = make(chan error, 1)
	go func() { b.ended <- b.client.SyncWithContext(ctx) }()
	return nil
}

// stop ends syncing once what was received has been processed.
func (b *bot) stop() error {
	if b.cancel == nil {
		return nil
	}
	cancel := b.cancel
	b.cancel = nil
	defer cancel()
	select {
	case err := <-b.ended: // by itself
		return err
	default:
	}
	cancel()
	<-b.ended // with whatever it was doing: a database says "interrupted"
	return nil
}
