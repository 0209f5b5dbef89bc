package stored

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/bench/peer"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/otk"
)

// Crowd makes devices, each with a key that was claimed. Each is of a user of its
// own, but for the last, which is of the first user.
func Crowd(n int) ([]Device, []Claim, error) {
	devices, claims := make([]Device, n), make([]Claim, n)
	for i := range n {
		user, id := matrix.UserID(fmt.Sprintf("@user%d:example.org", i)), matrix.DeviceID("DEVICE")
		if i == n-1 {
			user, id = "@user0:example.org", "SECOND"
		}
		claim, err := stranger(user, id)
		if err != nil {
			return nil, nil, err
		}
		devices[i], claims[i] = claim.Device, claim
	}
	return devices, claims, nil
}

// stranger is a device that does nothing but be there.
func stranger(user matrix.UserID, id matrix.DeviceID) (Claim, error) {
	a, err := account.New(rand.Reader, user, id, began)
	if err != nil {
		return Claim{}, err
	}
	pool, _, err := otk.Pool{}.Generate(rand.Reader, 1, began)
	if err != nil {
		return Claim{}, err
	}
	_, offered := pool.Offer(1, began)
	upload, err := a.UploadBody(true, offered, otk.Fallback{})
	if err != nil {
		return Claim{}, err
	}
	return readUpload(user, id, upload)
}

// usersOf are the users of devices, each once.
func usersOf(devices []Device) []matrix.UserID {
	var users []matrix.UserID
	seen := map[matrix.UserID]bool{}
	for _, d := range devices {
		if !seen[d.User] {
			users = append(users, d.User)
			seen[d.User] = true
		}
	}
	return users
}

// meets opens Bob's store, with devices that he has met and has no session with.
func (s System) meets(ctx context.Context, dir string, n int) (bob Bob, devices []Device, claims []Claim, err error) {
	if bob, err = s.Open(ctx, dir); err != nil {
		return nil, nil, nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, bob.Close())
		}
	}()
	if _, err = bob.Upload(ctx); err != nil {
		return nil, nil, nil, err
	}
	if devices, claims, err = Crowd(n); err != nil {
		return nil, nil, nil, err
	}
	return bob, devices, claims, bob.Meet(ctx, devices)
}

// knows is meets, and a session with each of them.
func (s System) knows(ctx context.Context, dir string, n int) (Bob, []Device, error) {
	bob, devices, claims, err := s.meets(ctx, dir, n)
	if err != nil {
		return nil, nil, err
	}
	call, err := bob.Send(devices, claims, json.RawMessage(`{"body":"hello"}`))
	if err == nil {
		err = call(ctx)
	}
	if err != nil {
		return nil, nil, errors.Join(err, bob.Close())
	}
	return bob, devices, nil
}

// open measures a message to devices that there is no session with.
func (s System) open(ctx context.Context, t peer.Task) (o peer.Outcome, err error) {
	feed, err := peer.LoadFeed(t.Feed, 1)
	if err != nil {
		return o, err
	}
	bob, devices, claims, err := s.meets(ctx, t.Dir, peer.Devices)
	if err != nil {
		return o, err
	}
	defer func() { err = errors.Join(err, bob.Close()) }()
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
	return all(meter.Stop(len(devices)), "devices got a message", len(bob.Sent()), len(devices))
}

// all fails if what was measured was not done.
func all(o peer.Outcome, what string, got, want int) (peer.Outcome, error) {
	if got != want {
		return o, fmt.Errorf("%d of %d %s", got, want, what)
	}
	return o, nil
}

// encrypt measures a room key's content to each of devices, with all of which there
// are sessions, encrypted one by one.
func (s System) encrypt(ctx context.Context, t peer.Task) (o peer.Outcome, err error) {
	rooms := repeats(t)
	feed, err := peer.LoadFeed(t.Feed, rooms)
	if err != nil {
		return o, err
	}
	bob, devices, err := s.knows(ctx, t.Dir, peer.Devices)
	if err != nil {
		return o, err
	}
	defer func() { err = errors.Join(err, bob.Close()) }()
	calls := make([]Call, rooms)
	for i := range calls {
		content, err := json.Marshal(feed.RoomKeys[i].Content())
		if err != nil {
			return o, err
		}
		if calls[i], err = bob.Send(devices, nil, content); err != nil {
			return o, err
		}
	}
	sent := 0
	meter := peer.NewMeter(rooms)
	for _, call := range calls {
		if err := meter.Call(func() error { return call(ctx) }); err != nil {
			return o, err
		}
		sent += len(bob.Sent())
	}
	return all(meter.Stop(rooms*len(devices)), "messages were encrypted", sent, rooms*len(devices))
}

// share measures giving a room's key to devices, with all of which there are
// sessions; room after room.
func (s System) share(ctx context.Context, t peer.Task) (o peer.Outcome, err error) {
	bob, devices, err := s.knows(ctx, t.Dir, peer.Devices)
	if err != nil {
		return o, err
	}
	defer func() { err = errors.Join(err, bob.Close()) }()
	calls := make([]Call, repeats(t))
	for i := range calls {
		if calls[i], err = bob.Share(matrix.RoomID(fmt.Sprintf("!room%d:example.org", i)), devices); err != nil {
			return o, err
		}
	}
	meter := peer.NewMeter(len(calls))
	for _, call := range calls {
		if err := meter.Call(func() error { return call(ctx) }); err != nil {
			return o, err
		}
	}
	o = meter.Stop(len(calls) * len(devices))
	told, err := bob.Told()
	if err != nil {
		return o, err
	}
	return all(o, "devices were given a key", told, len(calls)*len(devices))
}

// repeats is how many times a task asks for all of peer.Devices.
func repeats(t peer.Task) int { return max(t.Messages/peer.Devices, 1) }

// claim measures opening sessions with the keys that were claimed.
func (s System) claim(ctx context.Context, t peer.Task) (o peer.Outcome, err error) {
	bob, devices, claims, err := s.meets(ctx, t.Dir, peer.Devices)
	if err != nil {
		return o, err
	}
	defer func() { err = errors.Join(err, bob.Close()) }()
	call, err := bob.Claim(ctx, devices, claims)
	if err != nil {
		return o, err
	}
	meter := peer.NewMeter(1)
	if err := meter.Call(func() error { return call(ctx) }); err != nil {
		return o, err
	}
	o = meter.Stop(len(devices))
	// Whoever has a session is written to without a claim.
	send, err := bob.Send(devices, nil, json.RawMessage(`{"body":"hello"}`))
	if err == nil {
		err = send(ctx)
	}
	if err != nil {
		return o, err
	}
	return all(o, "devices have a session", len(bob.Sent()), len(devices))
}

// missing measures finding out with which devices there is no session: all of them.
func (s System) missing(ctx context.Context, t peer.Task) (o peer.Outcome, err error) {
	n := max(t.Messages, 2)
	bob, devices, _, err := s.meets(ctx, t.Dir, n)
	if err != nil {
		return o, err
	}
	defer func() { err = errors.Join(err, bob.Close()) }()
	call, err := bob.Missing(usersOf(devices))
	if err != nil {
		return o, err
	}
	meter := peer.NewMeter(1)
	if err := meter.Call(func() error { return call(ctx) }); err != nil {
		return o, err
	}
	o = meter.Stop(n)
	got, err := bob.Lacking(ctx)
	if err != nil {
		return o, err
	}
	return all(o, "devices were found to lack a session", got, n)
}
