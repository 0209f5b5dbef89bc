package pawl

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"time"

	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/internal/machine/keys"
	"github.com/pawlkv/pawl/internal/machine/outbox"
	"github.com/pawlkv/pawl/internal/machine/rooms"
)

// RequestID names a request of an account.
type RequestID [16]byte

// String returns the id in hexadecimal, as it is in the path of a request that has
// a transaction id.
func (id RequestID) String() string { return hex.EncodeToString(id[:]) }

// RequestKind says what a request is for.
type RequestKind uint8

// The kinds of requests.
const (
	KeysUpload   RequestKind = 1 + iota // own keys, or how many the server has
	KeysQuery                           // devices and identities of users
	KeysClaim                           // one-time keys of devices
	SendToDevice                        // events to devices
)

// String returns the kind as the path of its requests has it.
func (k RequestKind) String() string {
	switch k {
	case KeysUpload:
		return "keys/upload"
	case KeysQuery:
		return "keys/query"
	case KeysClaim:
		return "keys/claim"
	case SendToDevice:
		return "sendToDevice"
	}
	return fmt.Sprintf("kind of request %d", uint8(k))
}

// RequestLease is how long a request is left to the process that it was handed out
// to, before another one may send it as well; for a request of KeysUpload it is
// UploadLease, after which the keys in it are given up.
const (
	RequestLease = outbox.LeaseLife
	UploadLease  = outbox.OnceLease
)

// RequestPatience is how long another process that waits for the answer leaves a request
// to the one that it was handed out to: servers mostly answer sooner.
const RequestPatience = outbox.Patience

// Request is a request to the homeserver: what a client sends as it is.
type Request struct {
	ID        RequestID
	Kind      RequestKind
	Method    string          // "POST"
	Path      string          // "/_matrix/client/v3/keys/query", escaped
	EventType string          // of SendToDevice: "m.room.encrypted"
	Body      json.RawMessage // the same bytes whenever the request is handed out
}

// Failure says why a request has no answer: [NotSent], [Unknown], [Refused] or
// [Later].
type Failure struct{ f outbox.Failure }

// NotSent: no byte of the request has left, certainly. Only who had it handed out
// may say so.
func NotSent() Failure { return Failure{outbox.Failure{Reason: outbox.NotSent}} }

// Unknown: the request may have arrived, and its answer is lost. The same bytes go out
// again; those of KeysClaim three times at most, since each may cost every device a
// key, and rooms wait for them as long: who is left out would miss what is said
// meanwhile. A KeysQuery counts as failed at once: who is followed is asked again.
func Unknown() Failure { return Failure{outbox.Failure{Reason: outbox.Unknown}} }

// Refused: the server answered with this HTTP status, which is no success, and this
// body, which may be empty.
func Refused(status int, body []byte) Failure {
	return Failure{outbox.Failure{Reason: outbox.Refused, Status: status, Body: body}}
}

// Later: the server answered with status 429, and asks not to come before a time.
// The request waits a day at most. Rooms wait for an answer to KeysQuery or KeysClaim
// where that is 15 seconds or less, and go on without where it is longer, or where the
// server asks a third time; who was asked for is asked for again then, after 15
// minutes at most. A time that has passed is taken for none: the request waits 2
// seconds, and longer with each such answer. Refused with 429 is the same, with the time
// that the body names.
func Later(until time.Time) Failure {
	return Failure{outbox.Failure{Reason: outbox.Later, Until: until}}
}

// OutgoingRequests returns what is to be sent now, in order: at most 100 requests
// and about 8 MiB; call again for more, and whenever something was sent, received
// or encrypted, and once a minute. Send each, and tell what became of it, by MarkSent
// or MarkFailed: requests wait for the answers to others.
//
// A request is leased: no other call, in any process, returns it for RequestLease.
// If nobody tells what became of it by then it is returned again, with the same ID
// and bytes, which do no harm however often they arrive. What somebody else waits for is
// returned to that one as well, once, after RequestPatience, for who has it may be frozen:
// a KeysQuery by any call, and what ShareRoomKey waits for by that. An upload of one-time keys
// is returned to one caller only; after UploadLease its keys are given up.
//
// Requests that come with an error are to be sent all the same: the error is of the
// others. It fails with ErrFormat1, ErrNeedsRecovery, ErrUnwitnessed or
// account.ErrRetired, and returns no requests then.
func (m *Machine) OutgoingRequests(ctx context.Context) ([]Request, error) {
	all, err := m.asClient().outbox.Outgoing(ctx)
	return convert(all, requestOf), err
}

// MarkSent applies the response, of status 200, to a request. When it returns
// without an error what the response says is durable. It may be called again, and
// for a request that another process sent as well: one of the answers is applied.
//
// It fails with ErrNoRequest, or with ErrAnswer if the response is none to such a
// request; nothing has changed then.
func (m *Machine) MarkSent(ctx context.Context, id RequestID, response []byte) error {
	return m.asClient().outbox.MarkSent(ctx, outbox.ID(id), response)
}

// MarkFailed tells why a request has no answer. The same request is returned by
// OutgoingRequests again, at once after NotSent and Unknown, and after a while
// otherwise, unless the server will never take it; an upload of one-time keys whose
// outcome is not known is given up, and another one takes its place. After three times
// without an answer nobody waits for a query or a claim any more: others take its place
// later. It fails with ErrNoRequest.
func (m *Machine) MarkFailed(ctx context.Context, id RequestID, why Failure) error {
	return m.asClient().outbox.MarkFailed(ctx, outbox.ID(id), why.f)
}

// handlers are those of the requests of each kind.
func handlers(a *machine.Account, c *client, uploads *keys.Uploads) map[outbox.Kind]outbox.Handler {
	return map[outbox.Kind]outbox.Handler{
		outbox.Claim:    claimsAndMore{c.claims, c.unwedge, c.requests},
		outbox.Query:    c.queries,
		outbox.ToDevice: rooms.Answers{Plain: outbox.Plain{Account: a}},
		outbox.Upload:   uploads,
		outbox.Lookup:   uploads,
	}
}

// clientAPI begins the paths of requests.
const clientAPI = "/_matrix/client/v3/"

func requestOf(r outbox.Request) Request {
	out := Request{
		ID: RequestID(r.ID), Method: "POST",
		EventType: r.EventType, Body: bytes.Clone(r.Body), // a cache may have it, too
	}
	switch r.Kind {
	case outbox.Upload:
		out.Kind = KeysUpload
	case outbox.Query, outbox.Lookup:
		out.Kind = KeysQuery
	case outbox.Claim:
		out.Kind = KeysClaim
	case outbox.ToDevice:
		out.Kind, out.Method = SendToDevice, "PUT"
		out.Path = clientAPI + "sendToDevice/" + url.PathEscape(r.EventType) + "/" + r.ID.String()
		return out
	}
	out.Path = clientAPI + out.Kind.String()
	return out
}
