package outbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/txn"
)

const (
	// LeaseLife is how long a request is left to the one that it was handed out to.
	// Servers answer sooner, and a message whose sender was killed waits no longer.
	LeaseLife = 30 * time.Second
	// Patience is after which time somebody else who waits for an answer sends the request
	// as well, once: who has it may be frozen. That costs a request where a server is slow.
	Patience = time.Second
	// OnceLease is the same as LeaseLife for one that is handed out once: what it ends is not
	// tried again but given up, with the keys in it.
	OnceLease = 2 * time.Minute
	// MaxPause bounds how long a request is not handed out, whatever a server asks.
	MaxPause = 24 * time.Hour

	// MostHanded and MostBytes bound what one call hands out: whoever asks again
	// gets the rest.
	MostHanded = 100
	MostBytes  = 8 << 20
)

// Handler knows one kind of requests.
type Handler interface {
	// Due makes the requests that are due now.
	Due(ctx context.Context) error
	// Sent applies an answer in as many commits as the engine needs, the last of
	// which finishes the request. It fails with ErrAnswer, and changes nothing, where
	// the response is none to such a request, and with ErrNoRequest where another
	// process was first.
	Sent(ctx context.Context, r Request, response []byte) error
	// Failed applies that there is no answer; see Settle.
	Failed(ctx context.Context, r Request, f Failure) error
}

// Gate decides, from what it reads, whether a request may be handed out now.
type Gate func(tx *txn.Tx, v account.Account, r records.Request) (bool, error)

// Outbox hands out an account's requests, and hands in their answers.
type Outbox struct {
	account  *machine.Account
	gate     Gate
	handlers map[Kind]Handler
	holder   func() (records.HolderID, error)
}

// NewOutbox returns a handle. Requests of kinds without a handler are not handed
// out. A gate that is nil is open.
func NewOutbox(a *machine.Account, gate Gate, handlers map[Kind]Handler) *Outbox {
	return &Outbox{a, gate, handlers, sync.OnceValues(func() (id records.HolderID, err error) {
		if _, err = io.ReadFull(a.Store.Rand, id[:]); err != nil {
			err = fmt.Errorf("pawl: random bytes for a handle's id: %w", err)
		}
		return id, err
	})}
}

// Outgoing lets the handlers make what is due, and hands out what may be sent now:
// at most MostHanded requests, and about MostBytes. Requests that come with an
// error are to be sent all the same: the error is of the others. It fails with
// machine.ErrFormat1, ErrNeedsRecovery or ErrUnwitnessed, or account.ErrRetired, and
// hands out nothing then.
func (o *Outbox) Outgoing(ctx context.Context) (all []Request, err error) {
	a := o.account
	err = records.OnRaised(ctx, a, func() error {
		_, err := txn.View(ctx, a.DB, a.SendingRaised)
		return err
	})
	if err != nil {
		return nil, err
	}
	var failed []error
	for _, kind := range slices.Sorted(maps.Keys(o.handlers)) {
		if err := o.handlers[kind].Due(ctx); err != nil {
			failed = append(failed, err)
		}
	}
	all, err = o.take(ctx, nil)
	return all, errors.Join(append(failed, err)...)
}

// Take hands out those of some requests that may be sent now, to somebody who waits for
// their answers: also what another handle has had for longer than Patience.
func (o *Outbox) Take(ctx context.Context, ids ...ID) ([]Request, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	return o.take(ctx, ids)
}

// mayHave reports whether a request may be handed out to a holder now. Queries are waited
// for by whoever asks for anything: events are read with their answers.
func (o *Outbox) mayHave(r records.Request, holder records.HolderID, waits bool, now time.Time) bool {
	waits = waits || r.Kind == Query || r.Kind == Lookup
	return r.For(holder, now) || waits && r.Overdue(holder, now, Patience)
}

// take leases requests, in as many commits as the engine needs. Those that are
// handed out by the commits before one that fails come with its error.
func (o *Outbox) take(ctx context.Context, only []ID) (all []Request, err error) {
	holder, err := o.holder()
	if err != nil {
		return nil, err
	}
	var damaged machine.Damages
	ready, err := o.ready(ctx, holder, only, &damaged)
	if err != nil {
		return nil, err
	}
	size := 0
	for len(ready) > 0 && len(all) < MostHanded && size < MostBytes {
		some := ready[:min(o.perCommit(ready), MostHanded-len(all))]
		ready = ready[len(some):]
		got, err := txn.Do(ctx, o.account.DB, func(tx *txn.Tx) (handed, error) { return o.lease(tx, holder, only != nil, some) })
		if err != nil {
			return all, errors.Join(err, damaged.Err())
		}
		damaged.Add(got.damaged.All()...)
		for _, r := range got.requests {
			size += len(r.Body)
		}
		all = append(all, got.requests...)
	}
	return all, damaged.Err()
}

// perCommit returns how many of the next requests one commit leases: it checks
// each with its body and those before it, the account, and what the gate reads.
func (o *Outbox) perCommit(ready []records.Request) int {
	const beside, most = 8, 16
	room := o.account.Store.DB.Store().Limits().Checks - beside
	n := 0
	for n < min(len(ready), most) {
		if room -= 2 + len(ready[n].After); room < 0 && n > 0 {
			break
		}
		n++
	}
	return n
}

// ready returns what seems to be ready, in order, from one view. Whoever leases it
// looks again.
func (o *Outbox) ready(ctx context.Context, holder records.HolderID, only []ID, damaged *machine.Damages) ([]records.Request, error) {
	type found struct {
		ready   []records.Request
		damaged machine.Damages
	}
	f, err := txn.View(ctx, o.account.DB, func(tx *txn.Tx) (f found, err error) {
		now := o.account.Store.Now()
		waiting := map[ID]bool{}
		all := records.Requests.Scan(tx)
		if only != nil { // damage of others is none of theirs
			all = named(tx, only)
		}
		for r, err := range all {
			if f.damaged.Note(err) {
				continue
			}
			if err != nil {
				return f, err
			}
			waiting[r.ID] = true
			if o.handlers[r.Kind] != nil && o.mayHave(r, holder, only != nil, now) {
				f.ready = append(f.ready, r)
			}
		}
		f.ready = slices.DeleteFunc(f.ready, func(r records.Request) bool {
			return slices.ContainsFunc(r.After, func(id ID) bool { return waiting[id] })
		})
		records.SortRequests(f.ready)
		return f, nil
	})
	damaged.Add(f.damaged.All()...)
	return f.ready, err
}

// named yields those of some requests that there are.
func named(tx *txn.Tx, ids []ID) iter.Seq2[records.Request, error] {
	return func(yield func(records.Request, error) bool) {
		found, err := records.Requests.GetAll(tx, ids...)
		if err != nil {
			yield(records.Request{}, err)
			return
		}
		for _, f := range found {
			if there := f.OK || f.Err != nil && !machine.IsSetAside(f.Err); there && !yield(f.Value, f.Err) {
				return
			}
		}
	}
}

// handed is what an attempt handed out.
type handed struct {
	requests []Request
	damaged  machine.Damages
}

// lease notes that requests are handed out, and returns them.
func (o *Outbox) lease(tx *txn.Tx, holder records.HolderID, waits bool, some []records.Request) (h handed, err error) {
	a := o.account
	refs := []txn.Ref{a.Ref()}
	for _, r := range some {
		refs = append(refs, records.Requests.Ref(r.ID))
		if !a.Recent.Knows(r.ID) {
			refs = append(refs, records.RequestBodies.Ref(r.ID))
		}
	}
	if err := tx.Prefetch(refs...); err != nil {
		return h, err
	}
	v, err := a.SendingRaised(tx)
	if err != nil {
		return h, err
	}
	now := a.Store.Now()
	for _, r := range some {
		one, ok, err := o.leaseOne(tx, v, holder, waits, r.ID, now)
		if h.damaged.Note(err) {
			continue
		}
		if err != nil {
			return h, err
		}
		if ok {
			h.requests = append(h.requests, one)
		}
	}
	return h, nil
}

func (o *Outbox) leaseOne(tx *txn.Tx, v account.Account, holder records.HolderID, waits bool, id ID, now time.Time) (r Request, ok bool, err error) {
	state, ok, err := Find(tx, id)
	if err != nil || !ok || !o.mayHave(state, holder, waits, now) {
		return r, false, err
	}
	for _, before := range state.After {
		_, waits, err := Find(tx, before)
		// What cannot be read must not hold up others.
		if waits || err != nil && !machine.IsDamage(err) {
			return r, false, err
		}
	}
	if o.gate != nil {
		if open, err := o.gate(tx, v, state); err != nil || !open {
			return r, false, err
		}
	}
	lease := LeaseLife
	if state.Once {
		lease = OnceLease
	}
	if r, err = o.whole(tx, state.Hand(holder, now, lease)); err != nil {
		return r, false, err
	}
	r.Mine = true
	return r, true, records.Requests.Put(tx, r.Request)
}

// MarkSent hands in the response to a request. It fails with ErrNoRequest if there
// is none, or it was never handed out, or its answer was applied before, and with
// ErrAnswer if the response is none to such a request; nothing has changed then.
func (o *Outbox) MarkSent(ctx context.Context, id ID, response []byte) error {
	r, h, err := o.handed(ctx, id)
	if err != nil {
		return err
	}
	if err := isAnswer(r.Kind, response); err != nil {
		return err
	}
	if err := h.Sent(ctx, r, response); err != nil {
		return err
	}
	o.account.Recent.Forget(id)
	return nil
}

// says is what an answer to a request says, and to no other one.
var says = map[Kind]string{
	Upload: "one_time_key_counts", Query: "device_keys", Lookup: "device_keys", Claim: "one_time_keys",
}

// isAnswer refuses what is no object, and what says nothing that such an answer says and
// something that another one does.
func isAnswer(kind Kind, response []byte) error {
	var members map[string]json.RawMessage
	if err := Object(response, &members); err != nil {
		return err
	}
	if _, own := members[says[kind]]; own {
		return nil
	}
	for other, name := range says {
		if _, has := members[name]; has {
			return fmt.Errorf("%w: it is one to %v", ErrAnswer, other)
		}
	}
	return nil
}

// MarkFailed hands in that a request has no answer. It fails with ErrNoRequest as
// MarkSent does.
func (o *Outbox) MarkFailed(ctx context.Context, id ID, f Failure) error {
	if err := f.check(); err != nil {
		return err
	}
	r, h, err := o.handed(ctx, id)
	if err != nil {
		return err
	}
	return h.Failed(ctx, r, f)
}

func (o *Outbox) handed(ctx context.Context, id ID) (r Request, h Handler, err error) {
	holder, err := o.holder()
	if err != nil {
		return r, nil, err
	}
	r, err = txn.View(ctx, o.account.DB, func(tx *txn.Tx) (Request, error) {
		if _, err := o.account.Active(tx); err != nil {
			return Request{}, err
		}
		return o.read(tx, id)
	})
	if err != nil {
		return r, nil, err
	}
	h = o.handlers[r.Kind]
	if r.Handed == 0 || h == nil {
		return r, nil, fmt.Errorf("%w: %s was not handed out", ErrNoRequest, id)
	}
	r.Mine = r.Holder == holder
	return r, h, nil
}
