package receive

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/internal/jsonobject"
	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/internal/machine/todevice"
	"github.com/pawlkv/pawl/internal/parallel"
	"github.com/pawlkv/pawl/internal/syncresponse"
	"github.com/pawlkv/pawl/txn"
)

// What is in memory at a time: so many bytes of events as they came, and what is
// made of them.
const enoughEvents = 2 << 20

// EventShare is what one event takes of a commit at most, beside its decryption. It
// looks at its sender, the sender's device and who vouches for that, at what a room key
// takes, at whether its user is followed, and at the lists of what is kept; it writes
// its sender, the key, the user, and what is kept of it, for which another may go.
var EventShare = machine.Share{Writes: 14, Checks: 20}

// call is one response being taken in.
type call struct {
	*Receiver
	ticket   Ticket
	service  *records.Transaction // of an application service; nil: a sync
	response []byte
	parsed   syncresponse.Response
	identity machine.Identity
	name     [8]byte // of the response, in Taking
	events   []event // of the batch that is being decrypted
	out      Received
	returned bool // some event was the caller's
	ended    bool // the token, or the transaction, is committed
	taken    bool // rooms and users are, in commits before
	named    bool // which hold only if no other call has begun since
}

// Sync takes in a response to a request that was made with a ticket. What was
// committed before an error is returned with it.
func (r *Receiver) Sync(ctx context.Context, t Ticket, response []byte) (Received, error) {
	form := syncresponse.Sync
	if t.Sliding {
		form = syncresponse.Sliding
	}
	c := &call{Receiver: r, ticket: t}
	return c.run(ctx, form, response)
}

// Transaction takes in what a server sends to an application service under an id.
// One that was taken in before, and of which nothing was returned, is not looked at
// again.
func (r *Receiver) Transaction(ctx context.Context, id string, body []byte) (Received, error) {
	h := sha256.New()
	fmt.Fprintf(h, "%d:%s", len(id), id)
	h.Write(body)
	c := &call{Receiver: r, service: &records.Transaction{Digest: [32]byte(h.Sum(nil))}}
	done := false
	err := r.view(ctx, []txn.Ref{records.Sync.Ref()}, func(tx *txn.Tx, _ account.Account) error {
		s, err := records.ReadSync(tx)
		if machine.IsDamage(err) {
			err = nil // as if it were not there: see endNow
		}
		known, had := s.Had(c.service.Digest)
		done = had && !known.Returned
		return err
	})
	if done || err != nil {
		return Received{Advanced: done}, err
	}
	return c.run(ctx, syncresponse.Service, body)
}

func (c *call) run(ctx context.Context, form syncresponse.Form, response []byte) (Received, error) {
	var err error
	if c.identity, err = c.Receiver.identity(ctx); err != nil {
		return Received{}, err
	}
	own := syncresponse.Own{User: c.identity.UserID, Device: c.identity.DeviceID}
	c.response = response
	if c.parsed, err = syncresponse.Parse(form, own, response); err != nil {
		return Received{}, fmt.Errorf("%w: %w", ErrResponse, err)
	}
	if err := checkTokens(c.parsed); err != nil {
		return Received{}, err
	}
	if c.service != nil && c.onlyCounts() {
		return Received{Advanced: true}, records.OnRaised(ctx, c.account, func() error { return c.account.Do(ctx, c.countsNow) })
	}
	if err := records.OnRaised(ctx, c.account, func() error { return c.tryUnread(ctx) }); err != nil {
		return c.out, err
	}
	if err := c.takeEvents(ctx); err != nil {
		return c.out, err
	}
	return c.out, c.end(ctx)
}

// onlyCounts reports whether a transaction has nothing for this device, or no more than
// how many keys it has on the server: nothing is remembered of it then, so that it
// costs no commit. Most are for others of a service's many devices.
func (c *call) onlyCounts() bool {
	p := c.parsed
	return len(p.ToDevice)+len(p.Rooms)+len(p.Changed)+len(p.Left) == 0
}

func (c *call) countsNow(tx *txn.Tx) error {
	v, err := c.active(tx)
	if err != nil {
		return err
	}
	return c.atToken(tx, v)
}

// takeEvents takes in the to-device events in batches of bounded size.
func (c *call) takeEvents(ctx context.Context) error {
	most := c.account.Store.PerCommit(machine.Share{Bytes: 256, Writes: 1, Checks: 1})
	var members split = jsonobject.Split // they were validated with the response
	if c.parsed.Deep {
		members = jsonobject.Members
	}
	for all := c.parsed.ToDevice; len(all) > 0; {
		c.events = c.events[:0]
		for size := 0; len(all) > 0 && len(c.events) < most && (size == 0 || size+len(all[0].Of(c.response)) <= enoughEvents); all = all[1:] {
			parallel.Rest()
			raw := all[0].Of(c.response)
			size += max(len(raw), 1)
			c.events = append(c.events, parseEvent(len(c.parsed.ToDevice)-len(all), raw, members, c.identity.Curve25519))
		}
		w := c.with()
		if len(all) == 0 {
			w.Last, w.LastReads = c.endIn, c.ends()
		}
		if err := c.decrypt(ctx, w); err != nil {
			return err
		}
	}
	return nil
}

func (c *call) with() todevice.With[outcome] {
	return todevice.With[outcome]{
		Before: c.before, Apart: c.apart, Ahead: c.ahead, Each: c.each, Writes: EventShare.Writes, Checks: EventShare.Checks,
	}
}

// decrypt takes in the events of a batch.
func (c *call) decrypt(ctx context.Context, w todevice.With[outcome]) error {
	letters := make([]todevice.Letter, len(c.events))
	for i, e := range c.events {
		letters[i].Plain = e.olm == nil || e.err != nil
		if !letters[i].Plain {
			letters[i].Incoming = *e.olm
			letters[i].Reads = append(c.others.Reads(e.olm.Sender), records.Senders.Ref(e.olm.Sender))
		}
	}
	done, err := todevice.DecryptWith(ctx, c.messages, letters, w)
	clear(c.events) // what is not the caller's is in memory no longer
	for _, o := range done {
		c.note(o)
	}
	return err
}

// note adds what became of an event to the answer.
func (c *call) note(o outcome) {
	c.out.RoomKeys = append(c.out.RoomKeys, o.keys...)
	switch {
	case o.event != nil:
		c.out.Events = append(c.out.Events, *o.event)
	case o.refused != nil:
		c.out.Refused = append(c.out.Refused, *o.refused)
	case o.duplicate:
		c.out.Duplicates++
	}
}

// tryUnread tries the events again that damage kept from being read, if it was
// repaired since.
func (c *call) tryUnread(ctx context.Context) error {
	shelf, err := txn.View(ctx, c.account.DB, func(tx *txn.Tx) (records.Shelf, error) {
		if err := tx.Prefetch(c.account.Ref(), records.UnreadEvents.List.Ref()); err != nil {
			return records.Shelf{}, err
		}
		if _, err := c.active(tx); err != nil {
			return records.Shelf{}, err
		}
		s, err := records.UnreadEvents.Shelf(tx)
		if machine.IsDamage(err) {
			c.account.Store.Tell(tx, []error{err})
			return records.Shelf{}, nil
		}
		return s, err
	})
	if err != nil || !shelf.Due {
		return err
	}
	for items := shelf.Items; len(items) > 0; {
		size, n := 0, 0
		for n < len(items) && (n == 0 || size+items[n].Size <= enoughEvents) {
			size += items[n].Size
			n++
		}
		if err := c.readKept(ctx, items[:n]); err != nil {
			return err
		}
		items = items[n:]
		if err := c.decrypt(ctx, c.with()); err != nil {
			return err
		}
	}
	return c.account.Do(ctx, func(tx *txn.Tx) error {
		s, err := records.UnreadEvents.Shelf(tx)
		if err != nil || !s.Due {
			return err
		}
		s.Due = false
		return records.UnreadEvents.List.Put(tx, s)
	})
}

// readKept makes a batch of events that are kept.
func (c *call) readKept(ctx context.Context, items []records.Item) error {
	names := make([]uint64, len(items))
	for i, item := range items {
		names[i] = item.N
	}
	events, err := txn.View(ctx, c.account.DB, func(tx *txn.Tx) (events []event, err error) {
		found, err := records.UnreadEvents.Records.GetAll(tx, names...)
		for _, f := range found {
			if f.OK {
				e := parseEvent(Earlier, slices.Clone(f.Value.Raw), jsonobject.Members, c.identity.Curve25519)
				e.kept, e.number, e.at = true, f.Value.N, f.Value.At
				events = append(events, e)
			}
		}
		return events, err
	})
	c.events = events
	return err
}
