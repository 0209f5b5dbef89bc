package records

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"github.com/pawlkv/pawl/internal/machine"
	frame "github.com/pawlkv/pawl/internal/record"
	"github.com/pawlkv/pawl/txn"
)

// RequestID names a request. Its text is the transaction id of a request that has
// one.
type RequestID [16]byte

// String returns the id in hexadecimal.
func (id RequestID) String() string { return hex.EncodeToString(id[:]) }

// HolderID names a handle that requests were handed out to; zero: none.
type HolderID [16]byte

// RequestKind says what a request is. Zero is none.
type RequestKind uint8

// The kinds of requests.
const (
	UploadRequest   RequestKind = 1 + iota // POST keys/upload
	QueryRequest                           // POST keys/query
	ClaimRequest                           // POST keys/claim
	ToDeviceRequest                        // PUT sendToDevice
	LookupRequest                          // POST keys/query of the own device, before its first upload
)

// String returns the kind in lower case.
func (k RequestKind) String() string {
	switch k {
	case UploadRequest:
		return "keys/upload"
	case QueryRequest:
		return "keys/query"
	case ClaimRequest:
		return "keys/claim"
	case ToDeviceRequest:
		return "sendToDevice"
	case LookupRequest:
		return "keys/query of the own device"
	}
	return fmt.Sprintf("kind of request %d", uint8(k))
}

const (
	// MaxAfter bounds the requests that one request waits for.
	MaxAfter = 8
	// MaxRequestBody bounds a body. Engines take 1 MiB in a commit at the least, and
	// servers hardly take more in a request.
	MaxRequestBody = 1 << 20
	// MaxRequestData bounds what a kind keeps with a body.
	MaxRequestData = 1 << 20

	maxEventType = 255
	// clockSkew is by how much the clocks of processes may differ before one takes
	// what another has noted for that of a clock that ran ahead.
	clockSkew = time.Minute
)

// Period is a time during which something is left alone. What begins in the
// future was written by a clock that ran ahead, and is over: waiting only saves
// work, and must end.
type Period struct{ Since, Until time.Time }

// Lasts reports that it is not over. The zero Period is.
func (p Period) Lasts(now time.Time) bool {
	return now.Before(p.Until) && !now.Add(clockSkew).Before(p.Since)
}

// For returns the period of a length that begins now.
func For(now time.Time, length time.Duration) Period {
	now = frame.Time(now)
	return Period{now, now.Add(length)}
}

// Request is a request that was made and not answered yet. Its body is a record of
// its own, so that leasing it, and looking which there are, costs little.
type Request struct {
	ID        RequestID
	Kind      RequestKind
	EventType string // of sendToDevice
	// Once says that the body must not leave twice: it is handed out to one holder,
	// and again only to that one, when it has said that the body did not leave.
	Once  bool
	Made  frame.Moment // in the order in which requests are handed out
	After []RequestID  // are answered before this one is handed out

	Handed   uint32   // how often it was handed out
	Reopened bool     // since it was handed out: nobody has it now
	Holder   HolderID // that it was handed out to last; zero: to nobody
	Lease    Period   // while the holder is expected to do something about it
	Failures uint32   // in a row
	Pause    Period   // while it is not handed out
}

// RequestBody is the body of a request, and what its kind must know to apply the
// answer. It never changes.
type RequestBody struct {
	ID   RequestID
	Body []byte
	Data []byte
}

// Requests: what is to be sent, request/<id>. RequestBodies: the bodies,
// request-body/<id>.
var (
	Requests = txn.Record[RequestID, Request]{
		Kind: "request", Codec: machine.Encoded[Request]{Read: decodeRequest},
		Name: func(r Request) RequestID { return r.ID }, Path: txn.Spelled[RequestID],
	}
	RequestBodies = txn.Record[RequestID, RequestBody]{
		Kind: "request-body", Codec: machine.Encoded[RequestBody]{Read: decodeRequestBody},
		Name: func(b RequestBody) RequestID { return b.ID }, Path: txn.Spelled[RequestID],
	}
)

func requestKind() Kind {
	return Kind{Records: many(&Requests), Check: checkRequests, Broken: repairRequest, Sweep: sweepRequests, Inspect: inspectRequests}
}

func requestBodyKind() Kind {
	return Kind{Records: many(&RequestBodies), Check: checkRequestBodies, Broken: repairRequestBody}
}

const (
	requestVersion    = 2 // there are none in format 1
	requestFields     = 15
	requestBodyFields = 3
)

// Hand returns the request handed out to a holder for a while.
func (r Request) Hand(to HolderID, now time.Time, lease time.Duration) Request {
	r.Handed = max(r.Handed, r.Handed+1)
	r.Holder, r.Reopened, r.Lease, r.Pause = to, false, For(now, lease), Period{}
	return r
}

// For reports whether the request may be handed out to a holder now, if all that
// comes before it is answered.
func (r Request) For(to HolderID, now time.Time) bool {
	switch {
	case r.Pause.Lasts(now):
		return false
	case r.Handed == 0:
		return true
	case r.Once:
		return r.Reopened && r.Holder == to
	}
	return r.Reopened || !r.Lease.Lasts(now)
}

// Overdue reports that a request was handed out once, for so long to another holder that
// whoever waits for its answer may send it as well: that one may be frozen.
func (r Request) Overdue(to HolderID, now time.Time, patience time.Duration) bool {
	left := Period{r.Lease.Since, r.Lease.Since.Add(patience)}
	return r.Handed == 1 && !r.Once && r.Holder != to && !left.Lasts(now) && !r.Pause.Lasts(now)
}

// Gone reports that a request whose body must not leave twice was handed out, and
// that its holder has not been heard of since for as long as was agreed.
func (r Request) Gone(now time.Time) bool { return r.Once && r.Handed > 0 && !r.Lease.Lasts(now) }

// DeleteRequest deletes a request with its body.
func DeleteRequest(tx *txn.Tx, id RequestID) error {
	if err := Requests.Delete(tx, id); err != nil {
		return err
	}
	return RequestBodies.Delete(tx, id)
}

// SortRequests sorts requests by the order in which they are handed out.
func SortRequests(all []Request) {
	slices.SortFunc(all, func(a, b Request) int {
		switch {
		case a.Made.Order != b.Made.Order:
			if a.Made.Order < b.Made.Order {
				return -1
			}
			return 1
		}
		return bytes.Compare(a.ID[:], b.ID[:])
	})
}
