package pawlbridge

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
)

// catchUp gets what transactions leave out. Synapse (1.163) sends a transaction again
// without its to-device events, key counts and changes of devices, and so all those that
// it made while the bridge was away. They stay with the device, and a sync brings them.
//
// A bridge that has just started, that has refused a transaction, that gets one again or
// that cannot read an event may have missed some: it syncs until a transaction has
// to-device events in it, which one that was kept never has, and then once more.
type catchUp struct {
	mu     sync.Mutex
	behind bool
	times  int           // how often it fell behind
	last   string        // the transaction that was taken in last
	whole  bool          // a transaction since then had to-device events in it
	kicked chan struct{} // of one: it has fallen behind
}

func newCatchUp() *catchUp { return &catchUp{behind: true, kicked: make(chan struct{}, 1)} }

// late says that something may have been left out.
func (u *catchUp) late() {
	u.mu.Lock()
	u.behind, u.whole = true, false
	u.times++
	u.mu.Unlock()
	select {
	case u.kicked <- struct{}{}:
	default:
	}
}

// came says that a transaction was taken in.
func (u *catchUp) came(name string, body []byte, user id.UserID, device id.DeviceID) {
	u.mu.Lock()
	again := u.last == name
	u.last = name
	if u.behind && !u.whole {
		u.whole = hasLetters(body, user, device)
	}
	u.mu.Unlock()
	if again {
		u.late()
	}
}

// state tells whether to sync, and what is known before.
func (u *catchUp) state() (behind bool, times int, whole bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.behind, u.times, u.whole
}

// done says that a sync had nothing, unless it has fallen behind since.
func (u *catchUp) done(times int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.times == times {
		u.behind = false
	}
}

// hasLetters reports whether a transaction has to-device events for a device.
func hasLetters(body []byte, user id.UserID, device id.DeviceID) bool {
	type letters []struct {
		User   id.UserID   `json:"to_user_id"`
		Device id.DeviceID `json:"to_device_id"`
	}
	var t struct {
		Stable   letters `json:"to_device"`
		Unstable letters `json:"de.sorunome.msc2409.to_device"`
	}
	if json.Unmarshal(body, &t) != nil {
		return false
	}
	for _, l := range append(t.Stable, t.Unstable...) {
		if l.User == user && l.Device == device {
			return true
		}
	}
	return false
}

// follow syncs whenever something may have been left out, until the bridge stops.
func (c *bridgeCrypto) follow(run *running) {
	pause := backoff.NewExponentialBackOff()
	pause.MaxInterval = time.Minute
	for run.ctx.Err() == nil {
		behind, times, whole := run.missed.state()
		if !behind {
			select {
			case <-run.missed.kicked:
			case <-run.ctx.Done():
			}
			continue
		}
		letters, err := c.syncOnce(run.ctx, run.client, !whole)
		if err != nil {
			if run.ctx.Err() != nil {
				return
			}
			wait := pause.NextBackOff()
			c.log.Err(err).Dur("pause", wait).Msg("Failed to sync for what transactions may have left out")
			select {
			case <-time.After(wait):
			case <-run.ctx.Done():
			}
			continue
		}
		pause.Reset()
		if whole && letters == 0 {
			run.missed.done(times)
		}
	}
}

// syncOnce takes in one response, and returns how many to-device events it had.
func (c *bridgeCrypto) syncOnce(ctx context.Context, client *mautrix.Client, wait bool) (letters int, err error) {
	since, err := client.Store.LoadNextBatch(ctx, client.UserID)
	if err != nil {
		return 0, err
	}
	filter, err := json.Marshal(client.Syncer.GetFilterJSON(client.UserID))
	if err != nil {
		return 0, err
	}
	q := mautrix.ReqSync{Since: since, FilterID: string(filter), SetPresence: event.PresenceOffline}
	if wait && since != "" {
		q.Timeout = 30_000
	}
	response, err := client.FullSyncRequest(ctx, q)
	if err != nil {
		return 0, err
	}
	letters = len(response.ToDevice.Events)
	if err := client.Store.SaveNextBatch(ctx, client.UserID, response.NextBatch); err != nil {
		return 0, err
	}
	return letters, client.Syncer.ProcessResponse(ctx, response, since)
}
