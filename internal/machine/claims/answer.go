package claims

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/device"
	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/internal/machine/outbox"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/internal/machine/todevice"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/session"
	"github.com/pawlkv/pawl/txn"
)

// result is what an answer says of a device that was asked for: a key, or why there
// is none.
type result struct {
	of     device.Keys
	key    ratchet.PublicKey
	why    string        // there is no key
	server bool          // because its server did not answer: nothing is said of the device
	wait   time.Duration // the own server asks not to come before
}

// Sent implements outbox.Handler: it opens a session with each device of which the
// answer has a key that can be believed, in as few commits as the engine takes. Of
// all others, and of servers that did not answer, the failure is stored. The first
// commit takes the request away: whoever is killed after it leaves the rest without
// an answer, and the next call claims keys of those again.
//
// What is not an answer is outbox.ErrAnswer, and changes nothing.
func (c *Claims) Sent(ctx context.Context, r outbox.Request, response []byte) error {
	asked, err := askedIn(r)
	if err != nil {
		return err
	}
	claimed, err := device.ParseClaimed(response, asked.devices)
	if err != nil {
		return fmt.Errorf("%w: %w", outbox.ErrAnswer, err)
	}
	c.tell(ctx, claimed)
	return c.settleAll(ctx, asked, results(claimed), claimed.Failed)
}

// Failed implements outbox.Handler. A request that the server refused for what it is,
// or is to come much later or again and again, or that got no answer so (each may have
// cost every device a key), is one that no device answered: all are asked again later,
// and nobody waits for that. Others are sent again as they are.
func (c *Claims) Failed(ctx context.Context, r outbox.Request, f outbox.Failure) error {
	now := c.account.Store.Now()
	late := f.Long(r, now)
	if f.Again(r) || f.Untouched() && !late {
		return c.account.Do(ctx, func(tx *txn.Tx) error {
			if _, err := c.account.Active(tx); err != nil {
				return err
			}
			_, err := outbox.Settle(tx, c.account, r, f)
			return err
		})
	}
	asked, err := askedIn(r)
	if err != nil {
		return err
	}
	why := "the answer to the claim was lost"
	switch {
	case late:
		why = "the server asked to claim later"
	case f.Reason == outbox.Refused:
		why = fmt.Sprintf("the server refused the claim: status %d", f.Status)
	}
	wait, _ := f.Wait(now)
	todo := make([]result, len(asked.devices))
	for i, d := range asked.devices {
		todo[i] = result{of: d, why: why, wait: wait}
	}
	return c.settleAll(ctx, asked, todo, nil)
}

// asked is what a request asks for.
type asked struct {
	id      outbox.ID
	devices []device.Keys
	// after is the order after which a session must have been opened, or used by the
	// device, for no other to be opened; 0: any session will do.
	after session.Order
}

func askedIn(r outbox.Request) (asked, error) {
	why, devices, err := decodeAsked(r.Data)
	if err != nil {
		return asked{}, machine.Corrupt("request %s: %v", r.ID, err)
	}
	a := asked{id: r.ID, devices: devices}
	if why == anotherSession {
		a.after = r.Made.Order
	}
	return a, nil
}

// settleAll applies what is known of devices, and takes the request away.
func (c *Claims) settleAll(ctx context.Context, a asked, todo []result, failed []string) error {
	first := true
	for n := len(todo); first || len(todo) > 0; {
		n = min(n, len(todo))
		done, err := txn.Do(ctx, c.account.DB, func(tx *txn.Tx) (int, error) {
			return c.settleSome(tx, a, todo[:n], failed, first)
		})
		if errors.Is(err, kv.ErrTooLarge) && n > 1 {
			n /= 2
			continue
		}
		if err != nil {
			return err
		}
		todo, first = todo[done:], false
	}
	return nil
}

// tell tells the log what was refused. Of an answer that is full of that a few are
// told.
func (c *Claims) tell(ctx context.Context, claimed device.Claimed) {
	const few = 20
	for _, r := range claimed.Refused[:min(few, len(claimed.Refused))] {
		c.account.Store.Log.LogAttrs(ctx, slog.LevelWarn, "a one-time key was refused",
			slog.String("user", string(r.User)), slog.String("device", string(r.Device)), slog.Any("error", r.Err))
	}
}

// results are what an answer says of all devices that were asked for.
func results(claimed device.Claimed) (all []result) {
	for _, k := range claimed.Keys {
		all = append(all, result{of: k.Of, key: k.Key})
	}
	refused := map[device.Name]error{}
	for _, r := range claimed.Refused {
		refused[device.Name{User: r.User, Device: r.Device}] = r.Err
	}
	failed := map[string]bool{}
	for _, server := range claimed.Failed {
		failed[server] = true
	}
	for _, d := range claimed.Without {
		r := result{of: d, why: "the server has no key of the device", server: failed[d.Server()]}
		if err := refused[d.Name]; err != nil {
			r.why, r.server = err.Error(), false
		}
		all = append(all, r)
	}
	return all
}

// settleSome applies what one commit takes, in the order of the results, and returns
// how many that is. The first commit is of the request and of servers too.
func (c *Claims) settleSome(tx *txn.Tx, a asked, todo []result, failed []string, first bool) (int, error) {
	v, err := c.account.Active(tx)
	if err != nil {
		return 0, err
	}
	devices := make([]device.Keys, len(todo))
	for i, r := range todo {
		devices[i] = r.of
	}
	if err := c.prefetch(tx, devices); err != nil {
		return 0, err
	}
	if first {
		if err := outbox.Await(tx, a.id); err != nil {
			return 0, err // another process was first
		}
		if err := outbox.Finish(tx, a.id); err != nil {
			return 0, err
		}
		for _, server := range failed {
			if err := c.fail(tx, ofServer(server), "the server did not answer"); err != nil {
				return 0, err
			}
		}
	}
	for i, r := range todo {
		if i > 0 && !tx.Room(todevice.Opening.Writes+2, todevice.Opening.Checks+3) {
			return i, nil
		}
		if err := c.settle(tx, v, a, r, i); err != nil {
			return 0, err
		}
	}
	return len(todo), nil
}

// settle applies what there is of one device, unless another request asks for it by
// now. Place is that of its session in the commit.
func (c *Claims) settle(tx *txn.Tx, v account.Account, a asked, r result, place int) error {
	known, err := records.ReadReach(tx, c.account, ofDevice(r.of))
	if err != nil || known.Claim != a.id {
		return err
	}
	switch {
	case r.server && known.Failures == 0: // its server's record says when it is asked again
		return records.Reaches.Delete(tx, known.Of)
	case r.server:
		return records.Reaches.Put(tx, known.Asked(outbox.ID{}, c.account.Store.Now()))
	case r.why != "":
		return records.Reaches.Put(tx, known.FailedUntil(c.account.Store.Now(), r.wait, r.why))
	}
	err = c.open(tx, v, a, r, place)
	switch {
	case errors.Is(err, ratchet.ErrZeroSecret), machine.IsDamage(err), errors.Is(err, todevice.ErrSelf):
		return records.Reaches.Put(tx, known.Failed(c.account.Store.Now(), err.Error()))
	case err != nil:
		return err
	}
	if err := c.forget(tx, ofServer(r.of.Server())); err != nil {
		return err
	}
	return records.Reaches.Delete(tx, ofDevice(r.of))
}

// open opens a session, unless there is one by now: the device has sent something
// meanwhile, and its session is as good.
func (c *Claims) open(tx *txn.Tx, v account.Account, a asked, r result, place int) error {
	can, err := c.messages.CanSendSince(tx, r.of.Curve25519, a.after)
	if can || err != nil {
		return err
	}
	_, err = c.messages.OpenOutbound(tx, v, r.of.Curve25519, r.key, place)
	return err
}

// forget forgets that a server failed, now that it has answered.
func (c *Claims) forget(tx *txn.Tx, name records.ReachName) error {
	_, there, err := records.Reaches.Get(tx, name)
	if there || machine.IsDamage(err) {
		return records.Reaches.Delete(tx, name)
	}
	if machine.IsSetAside(err) {
		return nil
	}
	return err
}

// fail notes a failure of a server, once for all requests that it did not answer at
// a time.
func (c *Claims) fail(tx *txn.Tx, name records.ReachName, why string) error {
	known, err := records.ReadReach(tx, c.account, name)
	if now := c.account.Store.Now(); err == nil && !known.Pause.Lasts(now) {
		err = records.Reaches.Put(tx, known.Failed(now, why))
	}
	return err
}
