package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"sync"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/matrix"
	pawlmautrix "github.com/pawlkv/pawl/mautrix"
)

// alone is a program on a pawl.Machine, without the helper. Its requests go through the
// same client.
type alone struct {
	*bot
	machine *pawl.Machine
	shared  map[id.RoomID]bool
	kicked  chan struct{} // of one: there may be requests
}

func openMachine(ctx context.Context, e engine, dir string, s *server) (*bot, error) {
	k, store, err := e.opened(ctx, dir)
	if err != nil {
		return nil, err
	}
	a := &alone{bot: &bot{}, shared: map[id.RoomID]bool{}, kicked: make(chan struct{}, 1)}
	a.close = k.Close
	if err := a.begin(ctx, store, s); err != nil {
		return nil, errors.Join(err, k.Close())
	}
	running, stop := context.WithCancel(ctx)
	var ended sync.WaitGroup
	ended.Go(func() { a.serve(running) })
	a.close = func() error {
		stop()
		ended.Wait()
		return k.Close()
	}
	return a.bot, nil
}

func (a *alone) begin(ctx context.Context, store *pawl.Store, s *server) (err error) {
	if a.client, a.rooms, err = newClient(s, bob, bobDevice); err != nil {
		return err
	}
	if a.machine, err = store.OpenOrCreate(ctx, bob, bobDevice); err != nil {
		return err
	}
	a.keys = pawlmautrix.NewStore(a.machine)
	a.say, a.take = a.sends, a.receive
	a.meet = func(ctx context.Context, user matrix.UserID) error {
		if err := a.machine.TrackUsers(ctx, user); err != nil {
			return err
		}
		a.kick()
		return knows(ctx, a.machine, user)
	}
	return a.deliverAll(ctx)
}

// serve sends what there is to send whenever there may be something.
func (a *alone) serve(ctx context.Context) {
	for {
		select {
		case <-a.kicked:
			_ = a.deliverAll(ctx) // what was not sent is sent with the next
		case <-ctx.Done():
			return
		}
	}
}

func (a *alone) kick() {
	select {
	case a.kicked <- struct{}{}:
	default:
	}
}

func (a *alone) deliverAll(ctx context.Context) error {
	for {
		requests, err := a.machine.OutgoingRequests(ctx)
		if err != nil || len(requests) == 0 {
			return err
		}
		if err := a.deliver(ctx, requests); err != nil {
			return err
		}
	}
}

func (a *alone) deliver(ctx context.Context, requests []pawl.Request) error {
	for _, r := range requests {
		answer, err := a.client.MakeFullRequest(ctx, mautrix.FullRequest{
			Method: r.Method, URL: a.client.BuildClientURL(path(r)...), RequestBytes: r.Body, MaxAttempts: 1, SensitiveContent: true,
			Headers: http.Header{"Content-Type": {"application/json"}},
		})
		if err == nil {
			err = a.machine.MarkSent(ctx, r.ID, answer)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func path(r pawl.Request) []any {
	switch r.Kind {
	case pawl.KeysUpload:
		return []any{"v3", "keys", "upload"}
	case pawl.KeysQuery:
		return []any{"v3", "keys", "query"}
	case pawl.KeysClaim:
		return []any{"v3", "keys", "claim"}
	}
	return []any{"v3", "sendToDevice", r.EventType, r.ID.String()}
}

// receive is what takes in a response: the token is stored with it.
func (a *alone) receive(response []byte, _ string) (call, error) {
	return func(ctx context.Context) error {
		ticket, err := a.machine.NextSync(ctx)
		if err != nil {
			return err
		}
		if _, err = a.machine.ReceiveSync(ctx, ticket, response); err == nil {
			a.kick()
		}
		return err
	}, nil
}

// sends encrypts and sends, and shares the room's key where that is to be done.
func (a *alone) sends(ctx context.Context, room id.RoomID) error {
	if !a.shared[room] {
		if err := a.share(ctx, room); err != nil {
			return err
		}
	}
	for {
		content, err := a.machine.EncryptRoomEvent(ctx, matrix.RoomID(room), event.EventMessage.Type, said)
		if err == nil {
			_, err = a.client.SendMessageEvent(ctx, room, event.EventEncrypted, json.RawMessage(content), mautrix.ReqSendEvent{DontEncrypt: true})
			return err
		}
		if !errors.Is(err, pawl.ErrNotShared) && !errors.Is(err, pawl.ErrRotate) {
			return err
		}
		if err := a.share(ctx, room); err != nil {
			return err
		}
	}
}

func (a *alone) share(ctx context.Context, room id.RoomID) error {
	all, err := a.rooms.GetRoomJoinedOrInvitedMembers(ctx, room)
	if err != nil {
		return err
	}
	members := make([]matrix.UserID, len(all))
	for i, u := range all {
		members[i] = matrix.UserID(u)
	}
	settings := pawl.RoomSettings{Messages: group.MaxMessages, Strategy: group.AllDevices}
	for {
		s, err := a.machine.ShareRoomKey(ctx, matrix.RoomID(room), members, settings)
		if err != nil {
			return err
		}
		if s.Done {
			a.shared[room] = true
			a.kick() // what nobody waits for, as with the helper
			return nil
		}
		if err := a.deliver(ctx, s.Requests); err != nil {
			return err
		}
		if len(s.Requests) == 0 {
			if err := a.deliverAll(ctx); err != nil {
				return err
			}
		}
	}
}
