package pawlbridge

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/rs/zerolog"
	"go.mau.fi/util/exhttp"
	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/appservice"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/session"
)

// transactionsPath is where a homeserver puts transactions.
const transactionsPath = "/_matrix/app/v1/transactions/"

// maxTransaction bounds a transaction, in bytes: a server puts a hundred events of each
// kind into one, of at most 64 KiB.
const maxTransaction = 64 << 20

// remembered is how many transactions are known that mautrix-go has.
const remembered = 1000

// patience is how long the homeserver waits for a store that is away.
const patience = 30 * time.Second

// CommitTransactions lets an application service commit what a transaction has for a
// device (to-device events, key counts, changes of devices) before the homeserver hears
// that it arrived: mautrix-go answers first, and drops counts and changes when nobody
// takes them. It is for as.Middleware, before as.Start, and has the requests of the
// Machine sent by the program.
//
// What of the to-device events is not Pawl's goes to handle, which may be nil, and is
// acknowledged when that returns nil; the same event comes again if it does not. Then
// mautrix-go gets the transaction as it came. A transaction that comes again changes
// nothing, and mautrix-go, which knows the last one only, gets none of the last 1,000
// twice; nor one that it is still handing on, which takes as long as the bridge is busy.
//
// The homeserver's token is checked first. Where something cannot be stored or handled
// the answer is 503, and the homeserver sends the transaction again. Transactions over a
// websocket are refused: mautrix-go shows nobody what came.
func CommitTransactions(as *appservice.AppService, m *pawl.Machine, handle func(context.Context, []pawl.ToDeviceEvent) error) exhttp.Middleware {
	return commit(as, func(ctx context.Context, id string, body []byte) error {
		return takeTransaction(ctx, m, id, body, &as.Log, handle)
	})
}

// commit has transactions taken before mautrix-go gets them.
func commit(as *appservice.AppService, take func(ctx context.Context, id string, body []byte) error) exhttp.Middleware {
	as.WebsocketTransactionHandler = func(context.Context, appservice.WebsocketMessage) (bool, any) {
		as.Log.Error().Msg("A transaction over the websocket is refused: it cannot be committed before it is answered; use HTTP")
		return false, mautrix.MUnrecognized.WithMessage("Transactions over the websocket are refused")
	}
	done, err := lru.New[[sha256.Size]byte, struct{}](remembered)
	if err != nil { // of a size below 1
		panic(err)
	}
	// mautrix-go knows a transaction when it has handed all of it on, which waits as long
	// as the bridge is busy: one that comes again meanwhile waits too.
	handing := make(chan struct{}, 1)
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			id, is := strings.CutPrefix(r.URL.Path, transactionsPath)
			if !is || id == "" || r.Method != http.MethodPut {
				next.ServeHTTP(w, r)
				return
			}
			if !as.CheckServerToken(w, r) {
				return
			}
			body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxTransaction))
			if err != nil {
				mautrix.MTooLarge.WithMessage("Failed to read the transaction: %v", err).Write(w)
				return
			}
			// The homeserver may go while this is stored: it is stored all the same.
			ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), patience)
			defer cancel()
			if err := take(ctx, id, body); err != nil {
				as.Log.Err(err).Str("transaction_id", id).Msg("Failed to store a transaction: the homeserver will send it again")
				comeAgain(w, "The transaction could not be stored")
				return
			}
			select {
			case handing <- struct{}{}:
				defer func() { <-handing }()
			case <-ctx.Done():
				as.Log.Warn().Str("transaction_id", id).Msg("The transaction before is still being handed on: the homeserver will send this one again")
				comeAgain(w, "The transaction before is still being handled")
				return
			}
			name := sha256.Sum256(append([]byte(id+"\x00"), body...))
			if done.Contains(name) {
				exhttp.WriteEmptyJSONResponse(w, http.StatusOK)
				return
			}
			r.Body = io.NopCloser(bytes.NewReader(body))
			answered := &answer{w, http.StatusOK}
			if next.ServeHTTP(answered, r); answered.status == http.StatusOK {
				done.Add(name, struct{}{})
			}
		})
	}
}

// comeAgain has the homeserver send a transaction again.
func comeAgain(w http.ResponseWriter, why string) {
	mautrix.MUnknown.WithMessage("%s: send it again", why).WithStatus(http.StatusServiceUnavailable).Write(w)
}

// answer knows the status of an answer.
type answer struct {
	http.ResponseWriter
	status int
}

// WriteHeader implements http.ResponseWriter.
func (a *answer) WriteHeader(status int) {
	a.status = status
	a.ResponseWriter.WriteHeader(status)
}

// takeTransaction commits a transaction and has its events handled. What is no
// transaction is left to mautrix-go, which says so.
func takeTransaction(ctx context.Context, m *pawl.Machine, id string, body []byte, log *zerolog.Logger, handle func(context.Context, []pawl.ToDeviceEvent) error) error {
	received, err := m.ReceiveTransaction(ctx, id, body)
	if errors.Is(err, pawl.ErrResponse) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range received.Refused {
		log.Warn().Err(e.Err).Str("sender", string(e.Sender)).Str("type", e.Type).Msg("A to-device event was not taken")
	}
	if len(received.Events) == 0 {
		return nil
	}
	if handle != nil {
		if err := handle(ctx, received.Events); err != nil {
			return err
		}
	}
	var done []session.ReceiptID
	for _, e := range received.Events {
		if e.Encrypted {
			done = append(done, e.Receipt)
		}
	}
	return m.Acknowledge(ctx, done...)
}
