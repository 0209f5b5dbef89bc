package device

import (
	"fmt"
	"time"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/internal/record"
	"github.com/pawlkv/pawl/matrix"
)

// Query names a request for /keys/query. The zero one is none.
type Query [16]byte

// Tracking is how far a user's devices are known: which changes were heard of, and
// which of them an answer covers that began after them. The user is up to date when
// that is all, and outdated until then. All of it is values; a Query is under way
// for a user at most once.
type Tracking struct {
	User matrix.UserID
	// Left is since when nothing is heard of the user's changes; zero: they are
	// tracked.
	Left     time.Time
	Changes  uint64       // that were heard of, the first being that the user is tracked
	Covered  uint64       // those that the last answer covers
	Epoch    record.Order // of the last time when everybody was outdated, as far as Changes counts it
	Query    Query        // that is under way
	Asked    uint64       // changes that it covers, 0 if there is none
	Failures int          // queries that told nothing, since the last change or answer
	NextTry  time.Time    // after a failure
	Refusals int          // queries that were refused since the last answer: see Together
	Refused  []Rejected   // of the last answer, the first MaxRejected of RefusedCount
	// RefusedCount is how many refusals there were.
	RefusedCount int
}

// MaxKept is how many devices are kept of a user, those that are gone among them:
// a server may invent any number.
const MaxKept = 1000

const (
	maxFailures = 100
	maxRefusals = 8
	// MaxQuery is how many users one query asks for, at most: servers ask others for
	// them, and take as long as the slowest.
	MaxQuery     = 250
	firstBackoff = time.Second
	// MaxBackoff is how long a user waits at most whose server does not answer.
	MaxBackoff = 15 * time.Minute
)

// Track begins to follow the user's changes: what happened before is not known.
func (t Tracking) Track() Tracking {
	if t.Changes == 0 || !t.Left.IsZero() {
		t.Left = time.Time{}
		return t.Change()
	}
	return t
}

// Change notes that the user's devices or keys changed: an answer to a query that
// is under way does not cover it. Whoever hears of a change can ask again at once.
func (t Tracking) Change() Tracking {
	if !t.Left.IsZero() {
		return t
	}
	t.Changes++
	t.Failures, t.NextTry = 0, time.Time{}
	return t
}

// Leave ends the tracking.
func (t Tracking) Leave(now time.Time) Tracking {
	if t.Left.IsZero() {
		t.Left = record.Time(now)
	}
	return t
}

// Outdated reports whether something may have changed that no answer covers. The
// epoch is that of [Epoch].
func (t Tracking) Outdated(epoch record.Order) bool {
	return !t.Left.IsZero() || t.Covered < t.Changes || t.Changes == 0 || t.Epoch < epoch
}

// Waits reports whether the user is outdated and no query since the last change has
// failed: whoever wants to send to the user's devices waits for an answer that long,
// and no longer.
func (t Tracking) Waits(epoch record.Order) bool {
	return t.Outdated(epoch) && (t.Failures == 0 || t.Epoch < epoch)
}

// Due reports whether the user is to be asked for now. A try that is further away
// than any backoff was set by a clock that was wrong.
func (t Tracking) Due(epoch record.Order, now time.Time) bool {
	return t.Changes > 0 && t.Left.IsZero() && t.Query == (Query{}) && t.Outdated(epoch) && (t.Epoch < epoch || due(t.NextTry, now))
}

func due(next, now time.Time) bool {
	return !next.After(now) || next.Sub(now) > MaxBackoff
}

// Together is with how many others the user may be asked for in one query: of those
// that a server refuses, one may be the reason.
func (t Tracking) Together() int { return max(MaxQuery>>t.Refusals, 1) }

// Ask notes that a query is under way, which covers all changes so far.
func (t Tracking) Ask(q Query, epoch record.Order) Tracking {
	if t.Epoch < epoch {
		t = t.Change()
		t.Epoch = epoch
	}
	t.Query, t.Asked = q, t.Changes
	return t
}

// Answered notes what the answer covers, and what of it was refused. An answer of
// whom nobody tracks any more covers nothing.
func (t Tracking) Answered(refused []Refusal) Tracking {
	if t.Left.IsZero() {
		t.Covered = t.Asked
		t.Failures, t.Refusals, t.NextTry = 0, 0, time.Time{}
		t.RefusedCount, t.Refused = len(refused), nil
		for _, r := range refused[:min(len(refused), MaxRejected)] {
			t.Refused = append(t.Refused, r.rejected())
		}
	}
	return t.Forgotten()
}

// AnsweredInPart is Answered where something was refused because what is known cannot
// be read: once it was repaired another answer is needed, so the user is asked for
// again and again.
func (t Tracking) AnsweredInPart(refused []Refusal, now time.Time) Tracking {
	failures := t.Failures
	t = t.Answered(refused)
	if !t.Left.IsZero() {
		return t
	}
	t = t.Change()
	t.Failures = failures
	return t.Failed(now, now)
}

// Failed notes that the query told nothing of the user, who stays outdated. The next
// try is after a backoff, and not before a time that the server named, but no later
// than after the longest backoff.
func (t Tracking) Failed(now, notBefore time.Time) Tracking {
	t = t.Forgotten()
	t.Failures = min(t.Failures+1, maxFailures)
	next := now.Add(min(firstBackoff<<min(t.Failures-1, 16), MaxBackoff))
	if notBefore.After(next) {
		next = notBefore
	}
	if most := now.Add(MaxBackoff); next.After(most) {
		next = most
	}
	t.NextTry = record.Time(next)
	return t
}

// AskedInVain is Failed for a query that the server does not want, maybe because of
// another user in it.
func (t Tracking) AskedInVain(now time.Time) Tracking {
	t = t.Failed(now, time.Time{})
	t.Refusals = min(t.Refusals+1, maxRefusals)
	return t
}

// Forgotten notes that there is no query any more.
func (t Tracking) Forgotten() Tracking {
	t.Query, t.Asked = Query{}, 0
	return t
}

// Waiting is a user who is to be asked for, as the list of them has it.
type Waiting struct {
	User    matrix.UserID
	NextTry time.Time
}

// Waiting is what the list of those who are to be asked for has of the user; ok is
// false for one who is not on it. Who is outdated since an epoch only is not.
func (t Tracking) Waiting() (w Waiting, ok bool) {
	return Waiting{t.User, t.NextTry}, t.Left.IsZero() && t.Covered < t.Changes
}

// Due reports whether it is time.
func (w Waiting) Due(now time.Time) bool { return due(w.NextTry, now) }

// Epoch is what holds for all users of an account.
type Epoch struct {
	// All is when all of them were outdated last: changes may have been missed.
	All record.Order
	// Listed is up to which of these times all are on the list of those who are to
	// be asked for.
	Listed record.Order
}

// OwnSignature is the signature of the own self-signing key on the own device.
type OwnSignature struct {
	By        account.VerifyKey
	Signature account.Signature
}

// Rejected is what is kept of a refusal.
type Rejected struct {
	Device matrix.DeviceID // empty: the user's cross-signing keys, or many devices; no id where it was none
	Reason Reason
}

// MaxRejected is how many refusals are kept of a user.
const MaxRejected = 16

// Reason is why something in an answer was not taken.
type Reason uint8

// Reasons, each that of an error.
const (
	_ Reason = iota
	ReasonForm
	ReasonNames
	ReasonUnsigned
	ReasonChanged
	ReasonTaken
	ReasonMany
	ReasonDamaged
	reasons
)

// Err is the error that the reason is of.
func (r Reason) Err() error {
	return [reasons]error{
		ReasonForm: ErrForm, ReasonNames: ErrNames, ReasonUnsigned: ErrUnsigned, ReasonChanged: ErrChanged,
		ReasonTaken: ErrTaken, ReasonMany: ErrMany, ReasonDamaged: ErrUnreadable,
	}[min(r, reasons-1)]
}

// String says it in words.
func (r Reason) String() string {
	if r == 0 || r >= reasons {
		return fmt.Sprintf("reason %d", uint8(r))
	}
	return r.Err().Error()
}
