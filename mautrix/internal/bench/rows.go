package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"maunium.net/go/mautrix/id"

	"github.com/pawlkv/pawl/bench/peer"
	"github.com/pawlkv/pawl/bench/result"
	"github.com/pawlkv/pawl/matrix"
)

// The workloads.
const (
	first  = "first message"        // to devices that nothing is known of
	fresh  = "message with its key" // to devices that there are sessions with, in a room that is new
	later  = "message"              // into a room whose devices have the key
	taking = "room key"             // received
)

// How many messages make one repetition long enough.
const (
	inRooms = 5
	singly  = 400
	inBulk  = 2000
	atOnce  = 100
)

// benches are all that can be measured.
func benches() []peer.Bench {
	var all []peer.Bench
	for _, s := range systems() {
		all = append(all,
			s.bench(first, 1, result.Params{Peers: peers}, s.sayFirst),
			s.bench(fresh, inRooms, result.Params{Peers: peers}, s.sayFresh),
			s.bench(later, singly, result.Params{Peers: peers}, s.sayLater),
			s.bench(taking, singly, result.Params{Batch: 1}, s.takeKeys(1)),
			s.bench(taking, inBulk, result.Params{Batch: atOnce}, s.takeKeys(atOnce)),
		)
	}
	for _, e := range engines {
		all = append(all, e.bench())
	}
	return all
}

type measure func(context.Context, peer.Task) (peer.Outcome, error)

func (s system) bench(workload string, messages int, p result.Params, m measure) peer.Bench {
	row := s.row
	row.Workload, row.Params = workload, p
	return peer.Bench{Entry: peer.Entry{ID: fmt.Sprintf("%s/%s-%d", s.name, workload, p.Batch), Messages: messages, Row: row}, Measure: m}
}

// with has a bot that is opened do something.
func (s system) with(ctx context.Context, dir string, do func(*server, *bot) error) error {
	at, err := newServer()
	if err != nil {
		return err
	}
	defer at.close()
	b, err := s.open(ctx, dir, at)
	if err != nil {
		return err
	}
	return errors.Join(do(at, b), b.close())
}

func room(i int) id.RoomID { return id.RoomID(fmt.Sprintf("!room%d:example.org", i)) }

// says measures messages into rooms, each of which is to make the server tell some devices
// of keys. Before it the bot says something in the first room, unless that is measured.
func (s system) says(ctx context.Context, t peer.Task, before bool, rooms []id.RoomID, told int) (o peer.Outcome, err error) {
	err = s.with(ctx, t.Dir, func(at *server, b *bot) error {
		users, err := at.crowd(peers)
		if err != nil {
			return err
		}
		for i := range len(rooms) + 1 {
			if err := b.enter(ctx, room(i), users...); err != nil {
				return err
			}
		}
		if before {
			if err := b.say(ctx, room(0)); err != nil {
				return err
			}
			if n := at.counted(); n != peers {
				return fmt.Errorf("%d devices were told of the first key, want %d", n, peers)
			}
		}
		meter := peer.NewMeter(len(rooms))
		for _, r := range rooms {
			if err := meter.Call(func() error { return b.say(ctx, r) }); err != nil {
				return err
			}
		}
		o = meter.Stop(len(rooms))
		if n := at.counted(); n != told {
			return fmt.Errorf("%d devices were told of keys, want %d", n, told)
		}
		return nil
	})
	return o, err
}

func (s system) sayFirst(ctx context.Context, t peer.Task) (peer.Outcome, error) {
	return s.says(ctx, t, false, []id.RoomID{room(0)}, peers)
}

func (s system) sayFresh(ctx context.Context, t peer.Task) (peer.Outcome, error) {
	rooms := make([]id.RoomID, t.Messages)
	for i := range rooms {
		rooms[i] = room(i + 1)
	}
	return s.says(ctx, t, true, rooms, peers*t.Messages)
}

func (s system) sayLater(ctx context.Context, t peer.Task) (peer.Outcome, error) {
	rooms := make([]id.RoomID, t.Messages)
	for i := range rooms {
		rooms[i] = room(0)
	}
	return s.says(ctx, t, true, rooms, 0)
}

// takeKeys measures responses with some room keys each, from a device that is known and
// that there is a session with, in which both have received.
func (s system) takeKeys(batch int) measure {
	return func(ctx context.Context, t peer.Task) (o peer.Outcome, err error) {
		feed, err := peer.LoadFeed(t.Feed, t.Messages)
		if err != nil {
			return o, err
		}
		err = s.with(ctx, t.Dir, func(at *server, b *bot) error {
			w, err := meet(ctx, at, b)
			if err != nil {
				return err
			}
			keys := feed.RoomKeys[:t.Messages]
			var calls []call
			for some := range slices.Chunk(keys, batch) {
				events := make([]json.RawMessage, len(some))
				for i, k := range some {
					if events[i], err = w.event(ctx, peer.Sharing, k); err != nil {
						return err
					}
				}
				next := fmt.Sprintf("s%d", 2+len(calls))
				body, err := response(next, events...)
				if err != nil {
					return err
				}
				do, err := b.take(body, next)
				if err != nil {
					return err
				}
				calls = append(calls, do)
			}
			meter := peer.NewMeter(len(calls))
			for _, do := range calls {
				if err := meter.Call(func() error { return do(ctx) }); err != nil {
					return err
				}
			}
			o = meter.Stop(len(keys))
			n, err := b.has(ctx, keys)
			if err == nil && n != len(keys) {
				err = fmt.Errorf("%d of %d room keys are there", n, len(keys))
			}
			return err
		})
		return o, err
	}
}

// meet has a bot and Alice's device know each other, and have a session in which both have
// received.
func meet(ctx context.Context, at *server, b *bot) (*writer, error) {
	w, hello, err := newWriter(ctx, at)
	if err != nil {
		return nil, err
	}
	if err := b.meet(ctx, alice); err != nil {
		return nil, err
	}
	if err := b.takes(ctx, "s1", hello); err != nil {
		return nil, err
	}
	if err := b.enter(ctx, room(0), alice); err != nil {
		return nil, err
	}
	if err := at.join([]matrix.UserID{bob, alice}); err != nil {
		return nil, err
	}
	if err := b.say(ctx, room(0)); err != nil {
		return nil, err
	}
	return w, w.hears(ctx, at)
}
