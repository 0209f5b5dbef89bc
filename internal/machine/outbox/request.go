package outbox

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/txn"
)

// ID names a request, and Kind says what it is.
type (
	ID   = records.RequestID
	Kind = records.RequestKind
)

// The kinds of requests.
const (
	Upload   = records.UploadRequest
	Query    = records.QueryRequest
	Claim    = records.ClaimRequest
	ToDevice = records.ToDeviceRequest
	Lookup   = records.LookupRequest
)

// ErrNoRequest and ErrAnswer: see package pawl.
var (
	ErrNoRequest = errors.New("pawl: there is no such request, or it was answered before")
	ErrAnswer    = errors.New("pawl: this is no answer to the request")
)

// New is a request to be made.
type New struct {
	Kind      Kind
	EventType string // of sendToDevice
	Body      []byte // JSON, at most records.MaxRequestBody
	Data      []byte // what the kind must know to apply the answer
	// After are requests that must be answered before this one is handed out. They
	// need not be there any more.
	After []ID
	// Once: the body must not leave twice. It is handed out to one holder, and never
	// again unless that one says that it was not sent.
	Once  bool
	Pause time.Duration // before it is handed out; see MaxPause
	Place int           // among all that happens in the transaction; see machine.Account.Moment
}

// Add makes a request in the caller's transaction, in which it belongs together
// with the ratchet steps and the records that its body came from. v is the
// account's record.
func Add(tx *txn.Tx, a *machine.Account, v account.Account, n New) (id ID, err error) {
	if !v.Raised() {
		return id, machine.ErrFormat1
	}
	if len(n.Body) > records.MaxRequestBody || len(n.Data) > records.MaxRequestData || len(n.After) > records.MaxAfter {
		return id, fmt.Errorf("pawl: a request of %d bytes, with %d, after %d others", len(n.Body), len(n.Data), len(n.After))
	}
	if _, err := io.ReadFull(a.Store.Rand, id[:]); err != nil {
		return id, fmt.Errorf("pawl: random bytes for a request's id: %w", err)
	}
	made, err := a.Moment(tx, v, n.Place)
	if err != nil {
		return id, err
	}
	r := records.Request{ID: id, Kind: n.Kind, EventType: n.EventType, Once: n.Once, Made: made, After: n.After}
	if n.Pause > 0 {
		r.Pause = records.For(made.Time, min(n.Pause, MaxPause))
	}
	if err := records.Requests.Put(tx, r); err != nil {
		return id, err
	}
	tx.OnCommit(func() { a.Recent.Made(id, machine.Carried{Body: n.Body, Data: n.Data}) })
	return id, records.RequestBodies.Put(tx, records.RequestBody{ID: id, Body: n.Body, Data: n.Data})
}

// Request is a request with its body.
type Request struct {
	records.Request
	Body []byte // nil where only an answer is applied: it may be not known
	Data []byte
	// Mine: it was handed out by this handle last.
	Mine bool
}

// Find reads a request without its body. ok is false if there is none, or none any
// more; one that cannot be read is an error that machine.IsDamage.
func Find(tx *txn.Tx, id ID) (r records.Request, ok bool, err error) {
	r, ok, err = records.Requests.Get(tx, id)
	if machine.IsSetAside(err) {
		return r, false, nil
	}
	return r, ok, err
}

// read reads a request with its data, or fails with ErrNoRequest.
func (o *Outbox) read(tx *txn.Tx, id ID) (Request, error) {
	data, known := o.account.Recent.Data(id)
	refs := []txn.Ref{records.Requests.Ref(id)}
	if !known {
		refs = append(refs, records.RequestBodies.Ref(id))
	}
	if err := tx.Prefetch(refs...); err != nil {
		return Request{}, err
	}
	r, ok, err := Find(tx, id)
	if err == nil && !ok {
		err = fmt.Errorf("%w: %s", ErrNoRequest, id)
	}
	if err != nil || known {
		return Request{Request: r, Data: data}, err
	}
	return withBody(tx, r)
}

// Await fails with ErrNoRequest unless the request is there still: whoever applies its
// answer asks so, and looks at no body, which some hundred kilobytes may be.
func Await(tx *txn.Tx, id ID) error {
	_, ok, err := Find(tx, id)
	if err == nil && !ok {
		err = fmt.Errorf("%w: %s", ErrNoRequest, id)
	}
	return err
}

// whole returns a request that is handed out now with all that it carries.
func (o *Outbox) whole(tx *txn.Tx, r records.Request) (Request, error) {
	if c, known := o.account.Recent.Hand(r.ID); known {
		return Request{Request: r, Body: c.Body, Data: c.Data}, nil
	}
	return withBody(tx, r)
}

func withBody(tx *txn.Tx, r records.Request) (Request, error) {
	b, ok, err := records.RequestBodies.Get(tx, r.ID)
	if err == nil && !ok || machine.IsSetAside(err) {
		err = machine.Corrupt("request %s has no body", r.ID)
	}
	return Request{Request: r, Body: b.Body, Data: b.Data}, err
}

// Finish removes a request: it is the last that the handler of its answer does.
func Finish(tx *txn.Tx, id ID) error { return records.DeleteRequest(tx, id) }

// Reopen lets the same bytes be handed out again at once.
func Reopen(tx *txn.Tx, id ID) error { return Postpone(tx, id, time.Time{}, 0) }

// Postpone lets the same bytes be handed out again after a while. What was not
// handed out, or is not there any more, stays as it is.
func Postpone(tx *txn.Tx, id ID, now time.Time, pause time.Duration) error {
	r, ok, err := Find(tx, id)
	if err != nil || !ok || r.Handed == 0 {
		return err
	}
	return records.Requests.Put(tx, reopened(r, now, pause))
}

// reopened returns the request as one that nobody has. The holder of one that must
// not leave twice keeps it for its own, for as long as a lease after the pause.
func reopened(r records.Request, now time.Time, pause time.Duration) records.Request {
	pause = min(pause, MaxPause)
	r.Reopened, r.Lease, r.Pause = true, records.Period{}, records.Period{}
	if pause > 0 {
		r.Pause = records.For(now, pause)
	}
	if r.Once {
		r.Lease = records.For(now, pause+OnceLease)
	}
	return r
}
