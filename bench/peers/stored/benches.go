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
	inRooms = 5 // whose keys go to all of peer.Devices
)

// Benches are what a system can be measured at. holder starts a process
// that holds its store, see Hold.
func (s System) Benches(holder Holder) []peer.Bench {
	bulk := func(batch int) result.Params { return result.Params{Sessions: 1, Batch: batch} }
	crowd := result.Params{Peers: peer.Devices}
	shared := func(ctx context.Context, t peer.Task) (peer.Outcome, error) { return s.shared(ctx, t, holder) }
	return []peer.Bench{
		s.bench(peer.WorkloadDecrypt, "-1", singly, bulk(1), s.decrypts(peer.Note, 1)),
		s.bench(peer.WorkloadDecrypt, "-100", inBulk, bulk(perSync), s.decrypts(peer.Note, perSync)),
		s.bench(peer.WorkloadRoomKey, "-1", singly, bulk(1), s.decrypts(peer.Sharing, 1)),
		s.bench(peer.WorkloadRoomKey, "-100", inBulk, bulk(perSync), s.decrypts(peer.Sharing, perSync)),
		s.bench(peer.WorkloadOpen, "", peer.Devices, crowd, s.open),
		s.bench(peer.WorkloadEncrypt, "", inRooms*peer.Devices, crowd, s.encrypt),
		s.bench(peer.WorkloadShare, "", inRooms*peer.Devices, crowd, s.share),
		s.bench(peer.WorkloadClaim, "", peer.Devices, crowd, s.claim),
		s.bench(peer.WorkloadMissing, "", peer.Crowd, result.Params{Peers: peer.Crowd}, s.missing),
		s.bench(peer.WorkloadRoomEncrypt, "", singly, result.Params{Sessions: 1}, s.writeRoom),
		s.bench(peer.WorkloadRoomDecrypt, "", singly, result.Params{Sessions: 1}, s.readRoom),
		s.bench(peer.WorkloadShared, "", 2*rounds, result.Params{Processes: 2, Same: true}, shared),
	}
}

// measure runs an entry once.
type measure func(context.Context, peer.Task) (peer.Outcome, error)

func (s System) bench(workload, suffix string, messages int, p result.Params, m measure) peer.Bench {
	row := s.Row
	row.Workload, row.Params, row.Missing = workload, p, s.Lacks[workload]
	b := peer.Bench{Entry: peer.Entry{ID: s.Name + "/" + workload + suffix, Messages: messages, Row: row}}
	if row.Missing == "" {
		b.Measure = m
	}
	return b
}

// decrypts measures syncs of batch events.
func (s System) decrypts(payload peer.EventType, batch int) measure {
	return func(ctx context.Context, t peer.Task) (peer.Outcome, error) { return s.decrypt(ctx, t, payload, batch) }
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
	call, err := bob.Sync(events, peer.Note)
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
		if calls[i], err = bob.Sync(events, payload); err != nil {
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
