package unwedge

import (
	"cmp"
	"slices"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/device"
	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/internal/machine/outbox"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/internal/record"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/session"
	"github.com/pawlkv/pawl/txn"
)

// action is what is to be done about a peer.
type action uint8

const (
	nothing action = iota
	note           // the record has changed, and that is all
	ask            // claim a key of the peer
	greet          // send m.dummy in the session that there is by now
	answer         // to a session that the peer opened: look up what it is to be given
)

// judgement is what holds of a peer in one view.
type judgement struct {
	does   action
	next   records.Wedge // as it is to be stored
	device device.Device
	peer   records.Contact
	heard  record.Order      // the newest message that was read; 0: none
	over   ratchet.SessionID // of greet and answer
	asked  bool              // of greet: the session came of a claim that was counted
	well   bool              // of note: the peer was heard
}

// judge decides what is to be done about a peer. A peer whose own record is damaged, or
// that is no device any more, waits.
func (u *Unwedging) judge(tx *txn.Tx, v account.Account, w records.Wedge) (j judgement, err error) {
	j.next = w
	d, ok, err := u.device(tx, v, w.Key, w.User)
	if err != nil || !ok {
		return j, err
	}
	c, err := u.messages.Contact(tx, w.Key)
	if err != nil || c.Lost != nil {
		return j, err
	}
	j.device, j.peer, j.heard = d, c, heardIn(c)
	if seen, _ := w.Held(u.account.Store.Now()); len(seen.Pause) < len(w.Pause) {
		j.does, j.next = note, seen // a clock is right again, for whatever comes
	}
	switch {
	case w.IsWedged() && j.heard > w.Last.Order:
		j.does, j.well, j.next = note, true, j.next.Well(u.account.Store.Now())
	case w.IsWedged():
		if j, err = u.judgeWedged(tx, j); err != nil {
			return j, err
		}
	}
	if w.Again != (ratchet.SessionID{}) && j.does <= note {
		j.does, j.over, j.next.Again = answer, w.Again, ratchet.SessionID{}
	}
	return j, nil
}

// judgeWedged decides about a peer of which nothing was read since something came that
// could not be.
func (u *Unwedging) judgeWedged(tx *txn.Tx, j judgement) (judgement, error) {
	w := j.next
	s, can := session.Choose(j.peer.Sessions)
	switch {
	case can && s.CreatedIn() > w.Last.Order && s.ID() == w.Opened:
		return j, nil // nothing came since
	case can && s.CreatedIn() > w.Last.Order:
		j.does, j.over, j.asked, j.next.Claim = greet, s.ID(), w.Claim != outbox.ID{}, outbox.ID{}
		return j, nil
	}
	if w.Claim != (outbox.ID{}) {
		_, waits, err := outbox.Find(tx, w.Claim)
		if err != nil && !machine.IsDamage(err) || waits {
			return j, err
		}
		j.does, j.next.Claim = note, outbox.ID{} // the claim gave no session
	}
	byAge := func(a, b session.Session) int { return cmp.Compare(a.CreatedIn(), b.CreatedIn()) }
	for _, s := range slices.SortedFunc(slices.Values(j.peer.Sessions), byAge) {
		// A claim may be answered long after it was made, and others claim too.
		if s.Origin() == session.Outbound && s.CreatedIn() > j.next.Begun.Order {
			j.next = j.next.Learn(record.Moment{Time: s.Created().Time(), Order: s.CreatedIn()})
		}
	}
	held, is := j.next.Held(u.account.Store.Now())
	switch {
	case !is:
		j.does = ask
	case !slices.Equal(held.Pause, j.next.Pause):
		j.does, j.next = note, held
	}
	return j, nil
}
