package outbox

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/txn"
)

// Statuses of HTTP that say nothing of a body.
const (
	unauthorized = 401
	forbidden    = 403
	tooLarge     = 413
	tooMany      = 429
)

// Reason says why a request has no answer.
type Reason uint8

// The reasons.
const (
	NotSent Reason = 1 + iota // no byte of it left
	Unknown                   // it may have arrived
	Refused                   // the server answered with an error
	Later                     // the server asks to come later
)

// Failure is that a request has no answer.
type Failure struct {
	Reason Reason
	Status int       // of HTTP, if refused
	Body   []byte    // of the response, if refused
	Until  time.Time // if later
}

func (f Failure) check() error {
	if f.Reason < NotSent || f.Reason > Later {
		return fmt.Errorf("%w: a failure without a reason", ErrAnswer)
	}
	return nil
}

// Rejected reports that the server will not take this body: any status of 400 to
// 499 but those that are of the login, of the size or of the time.
func (f Failure) Rejected() bool {
	if f.Reason != Refused || f.Status < 400 || f.Status > 499 {
		return false
	}
	switch f.Status {
	case unauthorized, forbidden, tooLarge, tooMany:
		return false
	}
	return true
}

// Unanswered reports that the answer was lost, or that the server, or what stands before
// it, failed: any status of 500 and more. The body may have done what it was to do;
// another time it may be answered.
func (f Failure) Unanswered() bool {
	return f.Reason == Unknown || f.Reason == Refused && f.Status >= 500
}

// MaxTries is how often a request is handed out for which others wait, and to which there
// is no answer each time.
const MaxTries = 3

// Again reports whether such a request should go out again, as it is: whoever goes on
// without its answer says what some cannot read.
func (f Failure) Again(r Request) bool {
	return f.Unanswered() && r.Handed < MaxTries
}

// TooLarge reports that the server will not take a body of this size.
func (f Failure) TooLarge() bool {
	return f.Reason == Refused && f.Status == tooLarge
}

// Untouched reports that the server certainly did not look at the body: it never
// arrived, or the server asks for another login, or for another time.
func (f Failure) Untouched() bool {
	if f.Reason == NotSent || f.Reason == Later {
		return true
	}
	return f.Reason == Refused &&
		(f.Status == unauthorized || f.Status == forbidden || f.Status == tooMany)
}

// Wait returns how long the server asks to wait, and whether it asks.
func (f Failure) Wait(now time.Time) (wait time.Duration, asks bool) {
	switch {
	case f.Reason == Later:
		return min(max(f.Until.Sub(now), 0), MaxPause), true
	case f.Reason == Refused && f.Status == tooMany:
		return retryAfter(f.Body), true
	}
	return 0, false
}

// ShortWait is how long whoever waits for an answer goes on waiting because the
// server asks to come later; and maxShortWaits how often.
const (
	ShortWait     = 15 * time.Second
	maxShortWaits = 3
)

// Long reports whether a failure is that the server asks to wait, for longer than
// others can be held up or again and again: what waits for the answer should go on
// without, and ask again after the time that Wait says.
func (f Failure) Long(r Request, now time.Time) bool {
	wait, asks := f.Wait(now)
	return asks && (wait > ShortWait || r.Handed >= maxShortWaits)
}

// Pause returns how long to wait before the same request is sent again, after so
// many failures in a row, this one included. A time that has passed names none: the
// clock was set, or the server says 0 to everybody.
func (f Failure) Pause(failures uint32, now time.Time) time.Duration {
	wait, _ := f.Wait(now)
	if f.Reason == Refused || f.Reason == Later && wait == 0 {
		return max(wait, Backoff(failures, 2*time.Second, 15*time.Minute))
	}
	return wait
}

// Backoff returns a time that doubles with each failure in a row, from first to
// most.
func Backoff(failures uint32, first, most time.Duration) time.Duration {
	pause := first
	for range min(max(failures, 1), 32) - 1 {
		pause = min(2*pause, most)
	}
	return pause
}

// retryAfter returns what the body of a 429 asks for.
func retryAfter(body []byte) time.Duration {
	var asks struct {
		After float64 `json:"retry_after_ms"`
	}
	if json.Unmarshal(body, &asks) != nil || !(asks.After > 0) {
		return 0
	}
	return time.Duration(min(asks.After, float64(MaxPause/time.Millisecond))) * time.Millisecond
}

// Settle does what a failure means for a request whose body may arrive any number
// of times: the same bytes again, at once or after a pause. It reports whether the
// server will not take this body, or none of this size, which only its handler can
// do something about; then it has done nothing.
func Settle(tx *txn.Tx, a *machine.Account, r Request, f Failure) (rejected bool, err error) {
	state, ok, err := Find(tx, r.ID)
	if err == nil && !ok {
		err = fmt.Errorf("%w: %s", ErrNoRequest, r.ID)
	}
	if err != nil || f.Rejected() || f.TooLarge() {
		return f.Rejected() || f.TooLarge(), err
	}
	now := a.Store.Now()
	if !r.Mine && f.Reason <= Unknown && state.Lease.Lasts(now) {
		return false, nil // another has it by now
	}
	if f.Reason == Refused {
		state.Failures = max(state.Failures, state.Failures+1)
	}
	return false, records.Requests.Put(tx, reopened(state, now, f.Pause(state.Failures, now)))
}

// Plain handles a kind whose answers say nothing. A request that a server rejects
// is given up, and the log says so.
type Plain struct{ Account *machine.Account }

// Due implements Handler: others make the requests.
func (Plain) Due(context.Context) error { return nil }

// Sent implements Handler.
func (p Plain) Sent(ctx context.Context, r Request, response []byte) error {
	if err := Object(response, nil); err != nil {
		return err
	}
	return p.Account.Do(ctx, func(tx *txn.Tx) error {
		if _, err := p.Account.Active(tx); err != nil {
			return err
		}
		if err := Await(tx, r.ID); err != nil {
			return err
		}
		return Finish(tx, r.ID)
	})
}

// Failed implements Handler.
func (p Plain) Failed(ctx context.Context, r Request, f Failure) error {
	return p.Account.Do(ctx, func(tx *txn.Tx) error {
		if _, err := p.Account.Active(tx); err != nil {
			return err
		}
		rejected, err := Settle(tx, p.Account, r, f)
		if err != nil || !rejected {
			return err
		}
		tx.OnCommit(func() {
			p.Account.Store.Log.Warn("a request was given up: the server does not take it",
				slog.String("kind", r.Kind.String()), slog.Int("status", f.Status))
		})
		return Finish(tx, r.ID)
	})
}

// Object reads a response, which must be a JSON object, into v unless that is nil.
// It fails with ErrAnswer.
func Object(response []byte, v any) error {
	var object map[string]json.RawMessage
	err := json.Unmarshal(response, &object)
	if err == nil && object == nil {
		err = fmt.Errorf("null")
	}
	if err == nil && v != nil {
		err = json.Unmarshal(response, v)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrAnswer, err)
	}
	return nil
}
