package claims

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/device"
	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/internal/machine/outbox"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/internal/record"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/txn"
)

const (
	// most devices are in one request: as many as one sendToDevice has messages.
	most = 250
	// timeout is how long the own server waits for others, in milliseconds: the
	// specification's example.
	timeout = 10000
)

// What asking for a device takes of a commit: its own record is written; the peer,
// with what there may be of its sessions, the device's and its server's records and
// the request under way are read.
const (
	askWrites = 1
	askChecks = 5
)

// Request sees to it that a key of each device without a session is being claimed,
// if it may be asked now, and returns how far the devices have come then, in their
// order. It makes as few requests as the engine's limits allow, of at most 250
// devices each, one commit a request. Of a device at most one request is under way.
//
// It fails as [machine.Account.Sending] does. What was committed before stays.
func (c *Claims) Request(ctx context.Context, devices ...device.Keys) ([]Standing, error) {
	var all []Standing
	for len(devices) > 0 {
		next := devices[:min(len(devices), most)]
		found, err := txn.View(ctx, c.account.DB, func(tx *txn.Tx) ([]Standing, error) { return c.Look(tx, next...) })
		if err != nil {
			return all, err
		}
		if err := c.ask(ctx, found); err != nil {
			return all, err
		}
		all = append(all, found...)
		devices = devices[len(next):]
	}
	return all, nil
}

// ask asks for those that are missing, in as many commits as the engine needs, and
// notes it in what was found.
func (c *Claims) ask(ctx context.Context, found []Standing) error {
	var missing []int
	for i, s := range found {
		if s.State == Missing {
			missing = append(missing, i)
		}
	}
	for n := len(missing); len(missing) > 0; {
		n = min(n, len(missing))
		some := make([]device.Keys, n)
		for i, at := range missing[:n] {
			some[i] = found[at].Device
		}
		asked, err := txn.Do(ctx, c.account.DB, func(tx *txn.Tx) ([]Standing, error) { return c.add(tx, some) })
		if errors.Is(err, kv.ErrTooLarge) && n > 1 {
			n /= 2
			continue
		}
		if err != nil {
			return err
		}
		for i, s := range asked {
			found[missing[i]] = s
		}
		missing = missing[len(asked):]
	}
	return nil
}

// add adds the request for the devices that are still missing, or for those of them
// that one commit takes, and returns how far the ones that it looked at have come.
func (c *Claims) add(tx *txn.Tx, devices []device.Keys) ([]Standing, error) {
	v, err := c.account.SendingRaised(tx)
	if err != nil {
		return nil, err
	}
	if err := c.prefetch(tx, devices); err != nil {
		return nil, err
	}
	var all []Standing
	var known []records.Reach
	var wanted []device.Keys
	for _, d := range devices {
		// The request is two records, which read nothing; the first device has room.
		if len(all) > 0 && !tx.Room((len(wanted)+1)*askWrites+2, askChecks) {
			break
		}
		s, r, err := c.look(tx, d)
		if err != nil {
			return nil, err
		}
		if s.State == Missing {
			known, wanted = append(known, r), append(wanted, d)
		}
		all = append(all, s)
	}
	if len(wanted) == 0 {
		return all, nil
	}
	id, err := c.send(tx, v, 0, anySession, wanted, known)
	if err != nil {
		return nil, err
	}
	for i := range all {
		if all[i].State == Missing {
			all[i].State, all[i].Request = Asked, id
		}
	}
	return all, nil
}

// Renew adds, in the caller's transaction, a request for keys of devices with which
// another session is to be opened though there may be one: unless a session is opened,
// or the device is heard in one, before the answer comes. Of the devices those are left
// out of which a key is being claimed, or that are not asked now; id is zero if that
// leaves none. Place is that of the request in its commit.
func (c *Claims) Renew(tx *txn.Tx, v account.Account, place int, devices ...device.Keys) (id outbox.ID, asked []device.Keys, err error) {
	var known []records.Reach
	for _, d := range devices {
		s, r, err := c.reach(tx, Standing{Device: d})
		if err != nil {
			return id, nil, err
		}
		if s.State == Missing {
			known, asked = append(known, r), append(asked, d)
		}
	}
	if len(asked) == 0 {
		return id, nil, nil
	}
	id, err = c.send(tx, v, place, anotherSession, asked, known)
	return id, asked, err
}

// RenewShare is what one device of Renew takes of a commit beside the request, which
// is two records.
var RenewShare = machine.Share{Bytes: 512, Writes: askWrites, Checks: 3}

// send adds a request for keys of devices, and notes it with each.
func (c *Claims) send(tx *txn.Tx, v account.Account, place int, why purpose, devices []device.Keys, known []records.Reach) (outbox.ID, error) {
	id, err := c.addRequest(tx, v, place, why, devices)
	if err != nil {
		return id, err
	}
	for _, r := range known {
		if err := records.Reaches.Put(tx, r.Asked(id, c.account.Store.Now())); err != nil {
			return id, err
		}
	}
	return id, nil
}

func (c *Claims) addRequest(tx *txn.Tx, v account.Account, place int, why purpose, devices []device.Keys) (outbox.ID, error) {
	wanted := map[matrix.UserID]map[matrix.DeviceID]string{}
	for _, d := range devices {
		if wanted[d.User] == nil {
			wanted[d.User] = map[matrix.DeviceID]string{}
		}
		wanted[d.User][d.Device] = device.ClaimAlgorithm
	}
	body, err := json.Marshal(map[string]any{"one_time_keys": wanted, "timeout": timeout})
	if err != nil {
		return outbox.ID{}, err
	}
	return outbox.Add(tx, c.account, v, outbox.New{Kind: outbox.Claim, Body: body, Data: encodeAsked(why, devices), Place: place})
}

// purpose is what a request is for; it is the version of its data.
type purpose byte

const (
	// anySession: there is none, and any is as good.
	anySession purpose = 1
	// anotherSession: what there was when it was asked for does not count.
	anotherSession purpose = 2
)

// encodeAsked writes whom a request asks for, with the keys that they had then: what
// comes must be signed by those.
func encodeAsked(why purpose, devices []device.Keys) []byte {
	return record.Encode(byte(why), 1, 16+160*len(devices), func(w *record.Writer) {
		w.Count(4 * len(devices))
		for _, d := range devices {
			w.Text(string(d.User))
			w.Text(string(d.Device))
			w.Bytes(d.Curve25519[:])
			w.Bytes(d.Ed25519[:])
		}
	})
}

// decodeAsked reads what encodeAsked wrote.
func decodeAsked(b []byte) (why purpose, devices []device.Keys, err error) {
	read := func(r *record.Reader) {
		n := r.Count(4 * most)
		r.Check(n%4 == 0, "devices")
		for ; n > 0 && r.OK(); n -= 4 {
			var d device.Keys
			d.User, d.Device = matrix.UserID(r.Text(matrix.MaxLength)), matrix.DeviceID(r.Text(matrix.MaxLength))
			r.Fixed(d.Curve25519[:])
			r.Fixed(d.Ed25519[:])
			if r.OK() {
				r.FailWith(d.User.Check())
				r.FailWith(d.Device.Check())
			}
			devices = append(devices, d)
		}
	}
	err = record.DecodeOneOf("devices of a claim", b,
		record.Layout{Version: byte(anySession), Count: 1, Fields: read}, record.Layout{Version: byte(anotherSession), Count: 1, Fields: read})
	if err != nil {
		return 0, nil, err
	}
	return purpose(b[0]), devices, nil
}
