package stored

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/pawlkv/pawl/bench/peer"
	"github.com/pawlkv/pawl/bench/result"
)

// How many messages make one repetition long enough.
const (
	singly  = 400
	inBulk  = 2000
	perSync = 100
)

// Benches are what a system can be measured at. holder starts a process
// that holds its store, see Hold.
func (s System) Benches(holder Holder) []peer.Bench {
	var benches []peer.Bench
	for _, w := range []struct {
		workload string
		payload  peer.EventType
	}{{peer.WorkloadDecrypt, peer.Note}, {peer.WorkloadRoomKey, peer.Sharing}} {
		for _, batch := range []int{1, perSync} {
			messages := singly
			if batch > 1 {
				messages = inBulk
			}
			b := s.bench(w.workload, fmt.Sprint("-", batch), messages, result.Params{Sessions: 1, Batch: batch})
			if w.payload == peer.Sharing && s.NoRoomKeys != "" {
				b.Row.Missing = s.NoRoomKeys
			} else {
				b.Measure = func(ctx context.Context, t peer.Task) (peer.Outcome, error) {
					return s.decrypt(ctx, t, w.payload, batch)
				}
			}
			benches = append(benches, b)
		}
	}
	open := s.bench(peer.WorkloadOpen, "", peer.Devices, result.Params{Peers: peer.Devices})
	open.Measure = s.open
	shared := s.bench(peer.WorkloadShared, "", 2*rounds, result.Params{Processes: 2, Same: true})
	shared.Measure = func(ctx context.Context, t peer.Task) (peer.Outcome, error) { return s.shared(ctx, t, holder) }
	return append(benches, open, shared)
}

func (s System) bench(workload, suffix string, messages int, p result.Params) peer.Bench {
	row := s.Row
	row.Workload, row.Params = workload, p
	return peer.Bench{Entry: peer.Entry{ID: s.Name + "/" + workload + suffix, Messages: messages, Row: row}}
}

// acquainted opens Bob's store and gives him a session with Alice, in which both
// have received.
func (s System) acquainted(ctx context.Context, dir string) (Bob, *Alice, error) {
	bob, err := s.Open(ctx, dir)
	if err != nil {
		return nil, nil, err
	}
	alice, err := acquaint(ctx, bob)
	if err != nil {
		return nil, nil, errors.Join(err, bob.Close())
	}
	return bob, alice, nil
}

func acquaint(ctx context.Context, bob Bob) (*Alice, error) {
	upload, err := bob.Upload(ctx)
	if err != nil {
		return nil, err
	}
	alice, first, err := NewAlice(ctx, upload)
	if err != nil {
		return nil, err
	}
	if err := bob.Meet(ctx, []Device{alice.Device()}); err != nil {
		return nil, err
	}
	if err := give(ctx, bob, first); err != nil {
		return nil, err
	}
	c, err := write(ctx, bob, alice.Device(), "hello")
	if err != nil {
		return nil, err
	}
	return alice, alice.Read(ctx, c)
}

// give syncs events to Bob.
func give(ctx context.Context, bob Bob, events ...json.RawMessage) error {
	call, err := bob.Sync(events)
	if err != nil {
		return err
	}
	return call(ctx)
}

// write is a note from Bob to a device that he has a session with.
func write(ctx context.Context, bob Bob, to Device, text string) (Ciphertext, error) {
	content, err := json.Marshal(map[string]string{"body": text})
	if err != nil {
		return Ciphertext{}, err
	}
	call, err := bob.Send([]Device{to}, nil, content)
	if err != nil {
		return Ciphertext{}, err
	}
	if err := call(ctx); err != nil {
		return Ciphertext{}, err
	}
	c, ok := bob.Sent()[to.Curve25519]
	if !ok {
		return Ciphertext{}, errors.New("bob encrypted nothing")
	}
	return c, nil
}

// decrypt measures syncs of batch events.
func (s System) decrypt(ctx context.Context, t peer.Task, payload peer.EventType, batch int) (o peer.Outcome, err error) {
	feed, err := peer.LoadFeed(t.Feed, t.Messages)
	if err != nil {
		return o, err
	}
	bob, alice, err := s.acquainted(ctx, t.Dir)
	if err != nil {
		return o, err
	}
	defer func() { err = errors.Join(err, bob.Close()) }()
	calls := make([]Call, (t.Messages+batch-1)/batch)
	for i := range calls {
		events := make([]json.RawMessage, batch)
		for k := range events {
			key := feed.RoomKeys[(i*batch+k)%len(feed.RoomKeys)]
			if events[k], err = alice.Event(ctx, payload, key); err != nil {
				return o, err
			}
		}
		if calls[i], err = bob.Sync(events); err != nil {
			return o, err
		}
	}
	before, err := bob.Kept(ctx)
	if err != nil {
		return o, err
	}
	meter := peer.NewMeter(len(calls))
	for _, call := range calls {
		if err := meter.Call(func() error { return call(ctx) }); err != nil {
			return o, err
		}
	}
	messages := len(calls) * batch
	o = meter.Stop(messages)
	return o, expect(ctx, bob, before, messages, payload)
}

// expect fails if Bob did not do what was measured.
func expect(ctx context.Context, bob Bob, before Kept, messages int, payload peer.EventType) error {
	after, err := bob.Kept(ctx)
	if err != nil {
		return err
	}
	if got := after.Messages - before.Messages; got != messages {
		return fmt.Errorf("%d of %d messages were decrypted", got, messages)
	}
	if got := after.RoomKeys - before.RoomKeys; payload == peer.Sharing && got != messages {
		return fmt.Errorf("%d of %d room keys were stored", got, messages)
	}
	return nil
}

// open measures a message to devices that there is no session with.
func (s System) open(ctx context.Context, t peer.Task) (o peer.Outcome, err error) {
	feed, err := peer.LoadFeed(t.Feed, 1)
	if err != nil {
		return o, err
	}
	bob, err := s.Open(ctx, t.Dir)
	if err != nil {
		return o, err
	}
	defer func() { err = errors.Join(err, bob.Close()) }()
	if _, err := bob.Upload(ctx); err != nil {
		return o, err
	}
	devices, claims, err := Crowd(ctx, peer.Devices)
	if err != nil {
		return o, err
	}
	if err := bob.Meet(ctx, devices); err != nil {
		return o, err
	}
	content, err := json.Marshal(feed.RoomKeys[0].Content())
	if err != nil {
		return o, err
	}
	call, err := bob.Send(devices, claims, content)
	if err != nil {
		return o, err
	}
	meter := peer.NewMeter(1)
	if err := meter.Call(func() error { return call(ctx) }); err != nil {
		return o, err
	}
	o = meter.Stop(len(devices))
	if got := len(bob.Sent()); got != len(devices) {
		return o, fmt.Errorf("%d of %d devices got a message", got, len(devices))
	}
	return o, nil
}
