package records

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/internal/record"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/txn"
)

// Wedge is what is known of a peer with which our sessions may have come apart: what
// says so, what was done about it, and which room keys it is to be given again. It is
// told apart from what was heard of the peer since by orders alone, so messages that
// are read need not look at it.
type Wedge struct {
	Key  ratchet.PublicKey // of the peer, which is a device of the user
	User matrix.UserID

	// First and Last are when the first and the newest event came that nobody could
	// read, or notice, since the peer was last found well; zero: none did. Why says
	// what the newest is, for people; at most MaxWhy bytes.
	First, Last record.Moment
	Why         string
	// Heard is when the peer was found well again: it was heard after Last. Zero: it
	// was not.
	Heard time.Time

	// Tries is how often a session was asked for since the peer was last found well,
	// at most MaxTries, and Begun is when the last time was, whenever. Pause is what the
	// clocks say of the time since.
	Tries  int
	Begun  record.Moment
	Pause  Pause
	Claim  RequestID         // asks for a key of the peer; zero: none does
	Opened ratchet.SessionID // the session that came of it last, in which m.dummy was sent
	Dummy  RequestID         // carries it; it may be answered

	// Again is a session that the peer opened, and over which it is to be given again
	// what it has over older ones: that is not known yet. Zero: none.
	Again ratchet.SessionID
	// Give are the sessions of rooms whose keys the peer is to be given again, in
	// this order; at most MaxGive.
	Give []RoomSession
}

const (
	// MaxTries is how many tries are counted: what follows is the same for more.
	MaxTries = 100
	// MaxGive is how many room keys a peer is given again at a time.
	MaxGive = 100
	// WedgeLife is how long it is remembered that a peer was wedged, what it said
	// unheard is asked of others, and a try is made if nothing more is heard.
	WedgeLife = 2 * 7 * 24 * time.Hour

	// earlyTries are made an hour apart, those after a day.
	earlyTries = 3
	earlyPause = time.Hour
	latePause  = 24 * time.Hour
)

// Wedges: wedge/<Curve25519 key>.
var Wedges = txn.Record[ratchet.PublicKey, Wedge]{
	Kind: "wedge", Codec: machine.Encoded[Wedge]{Read: decodeWedge},
	Name: func(w Wedge) ratchet.PublicKey { return w.Key }, Path: txn.Spelled[ratchet.PublicKey],
}

func wedgeKind() Kind {
	return Kind{Records: many(&Wedges), Sweep: sweepWedges, Inspect: inspectWedges}
}

// WedgeShare is what changing one takes of a commit.
var WedgeShare = machine.Share{Bytes: 40 << 10, Writes: 1, Checks: 1}

// IsWedged reports that something came from the peer that nobody could read, and that
// it was not found well since.
func (w Wedge) IsWedged() bool { return w.Last.Order != 0 && w.Heard.IsZero() }

// IsOver reports that the record says nothing that somebody will ask for.
func (w Wedge) IsOver() bool {
	return w.Last.Order == 0 && w.Begun.Order == 0 && w.Again == (ratchet.SessionID{}) && len(w.Give) == 0
}

// Seen returns the record after something came that nobody could read.
func (w Wedge) Seen(at record.Moment, why string) Wedge {
	at.Time = record.Time(at.Time)
	if !w.IsWedged() {
		w.First, w.Heard = at, time.Time{}
	}
	if at.Order >= w.Last.Order {
		w.Last, w.Why = at, strings.ToValidUTF8(why[:min(len(why), MaxWhy)], "")
	}
	return w
}

// Well returns the record after the peer was heard.
func (w Wedge) Well(now time.Time) Wedge {
	if w.Heard, w.Claim = record.Time(now), (RequestID{}); w.pause() == latePause {
		w.Pause = w.Pause.Shorten()
	}
	w.Tries = 0
	return w
}

// Try returns the record when a session is asked for: from then on it is too early for
// another.
func (w Wedge) Try(at record.Moment, claim RequestID) Wedge {
	w.Pause = w.Pause.Begin(at.Time, w.pause())
	w = w.begun(at)
	w.Tries, w.Claim = min(w.Tries+1, MaxTries), claim
	return w
}

// Learn returns the record when it is learnt that a session was opened, by whomever: it
// counts like one that was asked for.
func (w Wedge) Learn(at record.Moment) Wedge {
	w.Pause = w.Pause.Learn(at.Time, w.pause())
	return w.begun(at)
}

func (w Wedge) begun(at record.Moment) Wedge {
	w.Begun = record.Moment{Time: record.Time(at.Time), Order: at.Order}
	return w
}

// Held reports whether it is too early for another session, by a clock that stands at
// now, and returns the record as it is to be stored then.
func (w Wedge) Held(now time.Time) (next Wedge, held bool) {
	if w.Begun.Order == 0 {
		return w, false
	}
	known, over := w.Pause.Look(now, w.pause())
	w.Pause = known
	return w, !over
}

// pause is how long it is too early for another session.
func (w Wedge) pause() time.Duration {
	if w.Tries >= earlyTries {
		return latePause
	}
	return earlyPause
}

// sweepWedges forgets what is long ago, or was said by a clock that was wrong. What keeps
// another session from being opened too early stays until that is over by a clock that
// counts, as which the sweep's does: it looks.
func sweepWedges(ctx context.Context, s *Sweep) error {
	swept := machine.Change[ratchet.PublicKey, Wedge]{
		Records: &Wedges, Each: WedgeShare, Damaged: &s.Damaged,
		If: func(_ *txn.Tx, w Wedge) (bool, error) {
			next, held := w.Held(s.Now)
			return w.isOld(s.Now) && (!held || !slices.Equal(next.Pause, w.Pause)), nil
		},
		Do: func(tx *txn.Tx, w Wedge) error {
			if next, held := w.Held(s.Now); held {
				return Wedges.Put(tx, next)
			}
			return Wedges.Delete(tx, w.Key)
		},
	}
	_, err := swept.All(ctx, s.Account)
	return err
}

// isOld reports that all of the record is long ago, or of times that have not come.
func (w Wedge) isOld(now time.Time) bool {
	for _, at := range []time.Time{w.Last.Time, w.Heard, w.Begun.Time} {
		if !at.IsZero() && now.Sub(at).Abs() < WedgeLife {
			return false
		}
	}
	return w.Last.Order != 0 || w.Begun.Order != 0 // the rest is being done
}
