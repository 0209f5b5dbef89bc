package pawlbot

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/url"
	"strconv"
	"time"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/internal/proof/clients/bot"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/session"
)

// held is how long the server holds a sync without news.
const held = 30 * time.Second

// filter asks for all of what the tests send.
const filter = `{"room":{"timeline":{"limit":1000}}}`

func (c *client) start() error {
	if c.stopping != nil {
		return errors.New("it syncs already")
	}
	ctx, cancel := context.WithCancel(c.life)
	c.stopping, c.stopped = cancel, make(chan struct{})
	go func() {
		defer close(c.stopped)
		c.loop(ctx)
	}()
	return nil
}

func (c *client) stop() {
	if c.stopping != nil {
		c.stopping()
		<-c.stopped
		c.stopping = nil
	}
}

// loop syncs until ctx ends. The first answer is not waited for.
func (c *client) loop(ctx context.Context) {
	pause, wait := pause(), time.Duration(0)
	for ctx.Err() == nil {
		err := c.sync(ctx, wait)
		switch {
		case err == nil:
			c.tell(bot.Event{Name: "synced"})
			pause.Reset()
			wait = held
		case ctx.Err() == nil:
			c.tell(bot.Event{Name: "sync_error", Error: err.Error()})
			select {
			case <-time.After(pause.NextBackOff()):
			case <-ctx.Done():
			}
		}
	}
}

// sync is one request. Where it goes on is in the store, and so the same for all
// processes: whichever of them has an answer takes it in.
func (c *client) sync(ctx context.Context, wait time.Duration) error {
	ticket, err := c.machine.NextSync(ctx)
	if err != nil {
		return err
	}
	query := url.Values{"filter": {filter}, "timeout": {strconv.FormatInt(wait.Milliseconds(), 10)}}
	if ticket.Since != "" {
		query.Set("since", ticket.Since)
	}
	answer, err := c.server.ask(ctx, "GET", "sync?"+query.Encode(), nil)
	if err != nil {
		return err
	}
	return c.receive(context.WithoutCancel(ctx), ticket, answer)
}

// receive takes in an answer: keys first, then the messages that they open.
func (c *client) receive(ctx context.Context, ticket pawl.SyncTicket, answer []byte) error {
	got, err := c.machine.ReceiveSync(ctx, ticket, answer)
	c.ring()
	if err != nil {
		return err
	}
	for _, r := range got.Refused {
		slog.Warn("a to-device event was refused", "sender", r.Sender, "type", r.Type, "error", r.Err)
	}
	// Nothing is done with what is not Pawl's, and it need not come again.
	var done []session.ReceiptID
	for _, e := range got.Events {
		if e.Encrypted {
			done = append(done, e.Receipt)
		}
	}
	if err := c.machine.Acknowledge(ctx, done...); err != nil {
		return err
	}
	return c.show(ctx, answer)
}

// show tells the messages of an answer.
func (c *client) show(ctx context.Context, answer []byte) error {
	var a struct {
		Rooms struct {
			Join map[matrix.RoomID]struct {
				Timeline struct{ Events []event }
			}
		}
	}
	if err := json.Unmarshal(answer, &a); err != nil {
		return err
	}
	for room, news := range a.Rooms.Join {
		for _, e := range news.Timeline.Events {
			c.showOne(ctx, room, e)
		}
	}
	return nil
}
