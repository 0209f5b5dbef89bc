package session

import (
	"bytes"
	"cmp"
	"slices"
	"time"

	"github.com/pawlkv/pawl/internal/record"
	"github.com/pawlkv/pawl/ratchet"
)

// Stamp is a time in milliseconds since 1970. 0 is never.
type Stamp int64

// Order says which of two things came later, and Moment when something happens:
// see package record.
type (
	Order  = record.Order
	Moment = record.Moment
)

// NextStamp returns the stamp of something that happens now and, in format 1,
// where stamps are the order too, after all of others: the clock's, or one more
// than the latest of others if the clock went back or has not moved.
func NextStamp(now time.Time, others ...Stamp) Stamp {
	next := max(Stamp(record.Millis(now)), 1)
	for _, other := range others {
		next = max(next, other+1)
	}
	return min(next, record.MaxMillis)
}

// Time returns the stamp as a time in UTC, the zero time for never.
func (s Stamp) Time() time.Time {
	if s == 0 {
		return time.Time{}
	}
	return time.UnixMilli(int64(s)).UTC()
}

func readStamp(r *record.Reader) Stamp { return Stamp(r.Uint(record.MaxMillis)) }

// Choose returns the session to send with: the one that most recently received
// a message that decrypted, where a session that has received none counts from
// its creation (Matrix specification, m.olm.v1.curve25519-aes-sha2). Ties go
// to the later created, then to the lower id. It returns false when there is
// no session but tombstones and such that only receive.
func Choose(sessions []Session) (Session, bool) {
	sending := slices.DeleteFunc(slices.Clone(sessions), func(s Session) bool { return isPruned(s) || s.receiveOnly })
	if len(sending) == 0 {
		return Session{}, false
	}
	return slices.MinFunc(sending, byChoice), true
}

// Candidates returns the sessions to try m in, in this order: first those that
// know its chain, then the others; the one that [Choose] prefers comes first
// within each. It leaves out those that would cost more than [MaxSteps] with
// the ones before them, and says how many. One that was tried already, because
// it seemed to know the chain and does, comes before all: its steps count.
func Candidates(sessions []Session, m ratchet.NormalMessage, tried ratchet.SessionID) (try []Session, left int) {
	live := slices.DeleteFunc(slices.Clone(sessions), isPruned)
	slices.SortFunc(live, byChoice)
	var known, others []Session
	for _, s := range live {
		switch {
		case !s.Knows(m.RatchetKey):
			others = append(others, s)
		case s.ID() == tried:
			known = slices.Insert(known, 0, s)
		default:
			known = append(known, s)
		}
	}
	try = append(within(MaxSteps, known, m), within(MaxSteps, others, m)...)
	return try, len(live) - len(try)
}

// within returns the sessions that m is tried in for so many steps, each whole
// or not at all.
func within(steps int, sessions []Session, m ratchet.NormalMessage) (try []Session) {
	for _, s := range sessions {
		if n := s.ratchet.Steps(m); n <= steps {
			steps -= n
			try = append(try, s)
		}
	}
	return try
}

// Known reports whether one of the sessions knows a ratchet key. Another may not
// come to know it: each that does makes a message under it dearer.
func Known(sessions []Session, ratchetKey ratchet.PublicKey) bool {
	return slices.ContainsFunc(sessions, func(s Session) bool { return s.Knows(ratchetKey) })
}

// LeastRecentlyUsed returns the session to prune when a peer has too many: the
// one whose creation and last received message are first in order, and where
// there is no order, whose last use is longest ago. Of equals it is never the one that [Choose] takes, if there is another. It
// returns false when there is no session but tombstones.
func LeastRecentlyUsed(sessions []Session) (Session, bool) {
	live := slices.DeleteFunc(slices.Clone(sessions), isPruned)
	if len(live) == 0 {
		return Session{}, false
	}
	slices.SortFunc(live, byChoice)
	slices.Reverse(live)
	return slices.MinFunc(live, func(a, b Session) int {
		return cmp.Or(cmp.Compare(a.order(), b.order()), cmp.Compare(a.used(), b.used()))
	}), true
}

// Placed returns the sessions of format 1 among those of a peer with orders, which
// are before all others and keep the choice that their times make. From then on
// those may be put right.
func Placed(sessions []Session) []Session {
	old := slices.DeleteFunc(slices.Clone(sessions), func(s Session) bool { return isPruned(s) || s.order() != 0 })
	slices.SortFunc(old, func(a, b Session) int {
		idA, idB := a.ID(), b.ID()
		return cmp.Or(cmp.Compare(a.received(), b.received()), cmp.Compare(a.created, b.created), bytes.Compare(idB[:], idA[:]))
	})
	for i := range old {
		old[i].createdIn = Order(i + 1)
		if old[i].lastReceived != 0 {
			old[i].receivedIn = old[i].createdIn
		}
	}
	return old
}

func isPruned(s Session) bool { return s.pruned != 0 }

// byChoice puts the session to send with first.
func byChoice(a, b Session) int {
	if a.receiveOnly != b.receiveOnly {
		if b.receiveOnly {
			return -1
		}
		return 1
	}
	idA, idB := a.ID(), b.ID()
	if a.order() == 0 && b.order() == 0 {
		return cmp.Or(cmp.Compare(b.received(), a.received()), cmp.Compare(b.created, a.created), bytes.Compare(idA[:], idB[:]))
	}
	return cmp.Or(cmp.Compare(b.order(), a.order()), cmp.Compare(b.createdIn, a.createdIn), bytes.Compare(idA[:], idB[:]))
}

// order is what Choose goes by: of a session that has received nothing, that of
// its creation.
func (s Session) order() Order { return max(s.createdIn, s.receivedIn) }

// received is the same in format 1, which has nothing but times.
func (s Session) received() Stamp {
	if s.lastReceived != 0 {
		return s.lastReceived
	}
	return s.created
}

// used is when a session without an order was last used, 0 with one.
func (s Session) used() Stamp {
	if s.order() != 0 {
		return 0
	}
	return max(s.created, s.lastReceived, s.lastSent)
}
