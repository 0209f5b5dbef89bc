package records

import (
	"context"
	"fmt"
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
	// at most MaxTries, and Begun is when the last time was, whenever.
	Tries int
	Begun record.Moment
	// Behind is where the clock stood that was found to be behind Begun; see Held.
	Behind time.Time
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
	Kind: "wedge", Codec: machine.Encoded(decodeWedge),
	Name: func(w Wedge) ratchet.PublicKey { return w.Key }, Path: txn.Spelled[ratchet.PublicKey],
}

var wedgeKind = Kind{Records: many(&Wedges), Sweep: sweepWedges, Inspect: inspectWedges}

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
	w.Heard, w.Tries, w.Claim = record.Time(now), 0, RequestID{}
	return w
}

// Try returns the record when a session is asked for.
func (w Wedge) Try(at record.Moment, claim RequestID) Wedge {
	w = w.Begin(at)
	w.Tries, w.Claim = min(w.Tries+1, MaxTries), claim
	return w
}

// Begin returns the record when a session was asked for, or opened, by whomever: from
// then on it is too early for another. A time that is before the last one's is of a clock
// that went back.
func (w Wedge) Begin(at record.Moment) Wedge {
	at.Time = record.Time(at.Time)
	if w.Behind = (time.Time{}); at.Time.Before(w.Begun.Time) {
		at.Time, w.Behind = w.Begun.Time, at.Time
	}
	w.Begun = at
	return w
}

// Held reports whether it is too early for another session, and returns the record as
// it is to be stored then. A clock that is behind the last try ran ahead then, or went
// back since: then the time is counted from where it was first seen there, so that
// nobody gains or loses more than that by it.
func (w Wedge) Held(now time.Time) (next Wedge, held bool) {
	if w.Begun.Order == 0 {
		return w, false
	}
	pause := earlyPause
	if w.Tries >= earlyTries {
		pause = latePause
	}
	if now = record.Time(now); !now.Before(w.Begun.Time) {
		w.Behind = time.Time{}
		return w, now.Sub(w.Begun.Time) < pause
	}
	if w.Behind.IsZero() || now.Before(w.Behind) {
		w.Behind = now
	}
	return w, now.Sub(w.Behind) < pause
}

// sweepWedges forgets what is long ago, or was said by a clock that was wrong.
func sweepWedges(ctx context.Context, s *Sweep) error {
	old := func(_ *txn.Tx, w Wedge) (bool, error) {
		for _, at := range []time.Time{w.Last.Time, w.Heard, w.Begun.Time} {
			if !at.IsZero() && s.Now.Sub(at).Abs() < WedgeLife {
				return false, nil
			}
		}
		return w.Last.Order != 0 || w.Begun.Order != 0, nil // the rest is being done
	}
	_, err := machine.Delete(&Wedges, WedgeShare, &s.Damaged, old).All(ctx, s.Account)
	return err
}

const (
	wedgeVersion = 2
	wedgeFields  = 17
)

// Encode returns the record.
func (w Wedge) Encode() ([]byte, error) {
	if err := w.check(); err != nil {
		return nil, err
	}
	return record.Encode(wedgeVersion, wedgeFields, 256+len(w.Why)+len(w.User)+96*len(w.Give), func(out *record.Writer) {
		out.Bytes(w.Key[:])
		out.Text(string(w.User))
		for _, m := range []record.Moment{w.First, w.Last, w.Begun} {
			out.Time(m.Time)
			out.Order(m.Order)
		}
		out.Text(w.Why)
		out.Time(w.Heard)
		out.Uint(uint64(w.Tries))
		out.Time(w.Behind)
		out.Bytes(w.Claim[:])
		out.Bytes(w.Opened[:])
		out.Bytes(w.Dummy[:])
		out.Bytes(w.Again[:])
		out.Count(2 * len(w.Give))
		for _, s := range w.Give {
			out.Text(string(s.Room))
			out.Bytes(s.ID[:])
		}
	}), nil
}

func (w Wedge) check() error {
	if err := w.User.Check(); err != nil {
		return err
	}
	wedged, tried := w.Last.Order != 0, w.Begun.Order != 0
	switch {
	case wedged != (w.First.Order != 0) || w.First.Order > w.Last.Order, !wedged && (w.Why != "" || !w.Heard.IsZero()):
		return fmt.Errorf("%w: since when the peer is wedged", record.ErrFormat)
	case !tried && (w.Tries != 0 || !w.Behind.IsZero() || w.Claim != RequestID{}), len(w.Give) > MaxGive, len(w.Why) > MaxWhy:
		return fmt.Errorf("%w: what was done about it", record.ErrFormat)
	}
	for i, s := range w.Give {
		if slices.Contains(w.Give[:i], s) {
			return fmt.Errorf("%w: a session is given twice", record.ErrFormat)
		}
		if err := s.Room.Check(); err != nil {
			return err
		}
	}
	return nil
}

func decodeWedge(b []byte) (w Wedge, err error) {
	err = record.Decode("wedge", b, wedgeVersion, wedgeFields, func(r *record.Reader) {
		r.Fixed(w.Key[:])
		w.User = matrix.UserID(r.Text(matrix.MaxLength))
		for _, m := range []*record.Moment{&w.First, &w.Last, &w.Begun} {
			m.Time = r.Time()
			m.Order = r.Order()
		}
		w.Why = r.Text(MaxWhy)
		w.Heard = r.Time()
		w.Tries = int(r.Uint(MaxTries))
		w.Behind = r.Time()
		r.Fixed(w.Claim[:])
		r.Fixed(w.Opened[:])
		r.Fixed(w.Dummy[:])
		r.Fixed(w.Again[:])
		n := r.Count(2 * MaxGive)
		r.Check(n%2 == 0, "sessions to be given")
		for ; n > 0 && r.OK(); n -= 2 {
			s := RoomSession{Room: matrix.RoomID(r.Text(matrix.MaxLength))}
			r.Fixed(s.ID[:])
			w.Give = append(w.Give, s)
		}
		if r.OK() {
			r.FailWith(w.check())
		}
	})
	if err != nil {
		return Wedge{}, err
	}
	return w, nil
}
