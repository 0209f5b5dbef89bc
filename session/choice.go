package session

import (
	"bytes"
	"cmp"
	"slices"
	"time"

	"github.com/pawlkv/pawl/internal/record"
	"github.com/pawlkv/pawl/ratchet"
)

// Stamp is a time in milliseconds since 1970 by which sessions are ordered.
// 0 is never.
type Stamp int64

// NextStamp returns the stamp of something that happens now and after all of
// others: the clock's, or one more than the latest of others if the clock went
// back or has not moved.
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

// Candidates returns the sessions that m may be for, in the order in which to
// try them: first those that know its chain, then the others; the one that
// [Choose] prefers comes first within each.
func Candidates(sessions []Session, m ratchet.NormalMessage) []Session {
	live := slices.DeleteFunc(slices.Clone(sessions), isPruned)
	slices.SortFunc(live, byChoice)
	var known, others []Session
	for _, s := range live {
		if s.ratchet.HasReceiverChain(m.RatchetKey) {
			known = append(known, s)
		} else {
			others = append(others, s)
		}
	}
	return append(known, others...)
}

// LeastRecentlyUsed returns the session to prune when a peer has too many: the
// one whose creation, last received and last sent message are longest ago. Of
// equals it is never the one that [Choose] takes, if there is another. It
// returns false when there is no session but tombstones.
func LeastRecentlyUsed(sessions []Session) (Session, bool) {
	live := slices.DeleteFunc(slices.Clone(sessions), isPruned)
	if len(live) == 0 {
		return Session{}, false
	}
	slices.SortFunc(live, byChoice)
	slices.Reverse(live)
	return slices.MinFunc(live, func(a, b Session) int { return cmp.Compare(a.used(), b.used()) }), true
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
	if c := cmp.Compare(b.received(), a.received()); c != 0 {
		return c
	}
	if c := cmp.Compare(b.created, a.created); c != 0 {
		return c
	}
	idA, idB := a.ID(), b.ID()
	return bytes.Compare(idA[:], idB[:])
}

// received is the time by which Choose goes: of a session that has received
// nothing, that of its creation.
func (s Session) received() Stamp {
	if s.lastReceived != 0 {
		return s.lastReceived
	}
	return s.created
}

func (s Session) used() Stamp { return max(s.created, s.lastReceived, s.lastSent) }
