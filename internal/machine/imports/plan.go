package imports

import (
	"bytes"
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/otk"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/session"
)

// plan is what is put into the store, worked out before anything is. Two plans of one
// device differ in times only.
type plan struct {
	account  account.Account
	last     otk.ID
	items    []item
	roomKeys []RoomKey
	counts   Imported
}

// item is what one step of a commit puts in: a key, or a session.
type item struct {
	key      otk.Key       // a one-time or fallback key that is not used, if session is none
	entry    otk.Entry     // of a one-time key
	fallback *otk.Fallback // of a fallback key
	session  session.Session
	opener   *otk.Key // the tombstone of the key that opened the session
}

func (i item) isSession() bool { return i.session.Peer() != (ratchet.PublicKey{}) }

// planOf checks a device and says what becomes of it. It fails with ErrDevice,
// otk.ErrExhausted, matrix.ErrUserID or matrix.ErrDeviceID.
func planOf(d Device, now time.Time) (*plan, error) {
	switch {
	case len(d.Program) > records.MaxProgram:
		return nil, fmt.Errorf("%w: a program's name of %d bytes", ErrDevice, len(d.Program))
	case len(d.OneTimeKeys) > otk.MaxKeys || len(d.Fallbacks) >= otk.MaxFallbacks:
		return nil, fmt.Errorf("%w: %d one-time and %d fallback keys", ErrDevice, len(d.OneTimeKeys), len(d.Fallbacks))
	}
	if err := checkRest(d); err != nil {
		return nil, err
	}
	a, err := account.Restore(d.Name.User, d.Name.Device, d.Identity, d.Signing, past(d.Created, now, now))
	if err != nil {
		return nil, err
	}
	p := &plan{account: a.Raise(account.Lineage{}), roomKeys: d.RoomKeys}
	n, err := numbering(d)
	if err != nil {
		return nil, err
	}
	sessions, err := p.choose(d)
	if err != nil {
		return nil, err
	}
	openers := p.planSessions(d, sessions, n, now)
	p.planKeys(d, n, openers, now)
	p.last = n.last
	return p, nil
}

// numbers gives ids to keys: their own, where they have one that is no other's.
type numbers struct {
	last  otk.ID
	taken map[otk.ID]bool
}

func numbering(d Device) (*numbers, error) {
	n := &numbers{last: d.LastID, taken: map[otk.ID]bool{}}
	seen := map[ratchet.PublicKey]bool{}
	for _, k := range slices.Concat(d.OneTimeKeys, d.Fallbacks) {
		if k.Pair.IsZero() || seen[k.Pair.Public()] {
			return nil, fmt.Errorf("%w: key %s is none, or there twice", ErrDevice, k.Pair.Public())
		}
		seen[k.Pair.Public()] = true
		n.last = max(n.last, k.ID)
	}
	if most := len(d.OneTimeKeys) + len(d.Fallbacks) + len(d.Sessions); uint64(n.last)+uint64(most) >= math.MaxUint32 {
		return nil, otk.ErrExhausted
	}
	return n, nil
}

// id is a key's own, or the next one. None is lower than above.
func (n *numbers) id(own, above otk.ID) otk.ID {
	if own == 0 || own <= above || n.taken[own] {
		n.last++
		own = n.last
	}
	n.taken[own] = true
	return own
}

// choose returns the sessions that are kept, those of a peer together and by their
// ids, and counts the others: a peer has at most [session.MaxPerPeer], of which those
// that were used last stay.
func (p *plan) choose(d Device) ([]Session, error) {
	byPeer := map[ratchet.PublicKey][]Session{}
	seen := map[ratchet.SessionID]bool{}
	for _, s := range d.Sessions {
		switch id := s.Ratchet.ID(); {
		case s.Ratchet.IsZero() || s.Peer == (ratchet.PublicKey{}) || !s.Ratchet.Initiated() && s.Ratchet.PreKeys().Identity != s.Peer:
			return nil, fmt.Errorf("%w: session %s is not one with %s", ErrDevice, id, s.Peer)
		case s.Ratchet.Initiated() && s.Ratchet.PreKeys().Identity != d.Identity.Public():
			return nil, fmt.Errorf("%w: session %s was opened by another device than this one", ErrDevice, id)
		case seen[id]:
			return nil, fmt.Errorf("%w: session %s is there twice", ErrDevice, id)
		default:
			seen[id] = true
		}
		byPeer[s.Peer] = append(byPeer[s.Peer], s)
	}
	var kept []Session
	for _, of := range byPeer {
		slices.SortFunc(of, func(a, b Session) int {
			idA, idB := a.Ratchet.ID(), b.Ratchet.ID()
			return cmp.Or(b.used().Compare(a.used()), bytes.Compare(idA[:], idB[:]))
		})
		p.counts.Dropped += max(len(of)-session.MaxPerPeer, 0)
		kept = append(kept, of[:min(len(of), session.MaxPerPeer)]...)
	}
	slices.SortFunc(kept, func(a, b Session) int {
		idA, idB := a.Ratchet.ID(), b.Ratchet.ID()
		return cmp.Or(bytes.Compare(a.Peer[:], b.Peer[:]), bytes.Compare(idA[:], idB[:]))
	})
	return kept, nil
}

// used is when a session was last used, as far as that is known.
func (s Session) used() time.Time {
	last := s.Created
	for _, t := range []time.Time{s.Received, s.Sent} {
		if t.After(last) {
			last = t
		}
	}
	return last
}

// planSessions adds the sessions. They have no order, so that they come after all of
// our own whatever their times say. It returns which one-time keys opened one.
func (p *plan) planSessions(d Device, sessions []Session, n *numbers, now time.Time) map[ratchet.PublicKey]ratchet.SessionID {
	fallbacks := map[ratchet.PublicKey]bool{}
	for _, k := range d.Fallbacks {
		fallbacks[k.Pair.Public()] = true
	}
	own := map[ratchet.PublicKey]Key{}
	for _, k := range d.OneTimeKeys {
		own[k.Pair.Public()] = k
	}
	openers := map[ratchet.PublicKey]ratchet.SessionID{}
	for _, s := range sessions {
		opener, origin := s.Ratchet.PreKeys().OneTime, session.WithOneTimeKey
		switch {
		case s.Ratchet.Initiated():
			origin = session.Outbound
		case fallbacks[opener]:
			origin = session.WithFallbackKey
		}
		one := item{session: s.record(origin, now)}
		if origin == session.WithOneTimeKey {
			// The program has forgotten the key, or should have. What is left of it keeps
			// its first message from opening the session again.
			key, kept := own[opener]
			left := otk.Tombstone(n.id(key.ID, 0), opener, s.Ratchet.ID(), session.Moment{Time: now})
			one.opener, openers[opener] = &left, s.Ratchet.ID()
			if kept {
				p.counts.Used++
			}
		}
		p.items = append(p.items, one)
	}
	p.counts.Sessions = len(sessions)
	return openers
}

// record returns the session's record.
func (s Session) record(origin session.Origin, now time.Time) session.Session {
	out := session.New(s.Ratchet, s.Peer, origin, session.Moment{Time: past(s.Created, now, time.UnixMilli(1))})
	if !s.Received.IsZero() {
		out = out.Received(s.Ratchet, session.Moment{Time: past(s.Received, now, now)})
	}
	if !s.Sent.IsZero() {
		out = out.Sent(s.Ratchet, past(s.Sent, now, now))
	}
	return out
}

// planKeys adds the keys that opened no session: before the sessions, so that a first
// message that comes meanwhile finds its key.
func (p *plan) planKeys(d Device, n *numbers, openers map[ratchet.PublicKey]ratchet.SessionID, now time.Time) {
	var keys []item
	created := p.account.Created()
	for _, k := range d.OneTimeKeys {
		if _, used := openers[k.Pair.Public()]; used {
			continue
		}
		id, stage := n.id(k.ID, 0), otk.Abandoned
		if k.Published {
			stage = otk.Published
			p.counts.Published++
		} else {
			p.counts.Abandoned++
		}
		keys = append(keys, item{key: otk.NewKey(id, k.Pair, false, created), entry: otk.Entry{ID: id, Public: k.Pair.Public(), Stage: stage}})
	}
	above := otk.ID(0)
	for _, k := range slices.Backward(d.Fallbacks) {
		above = n.id(k.ID, above)
		keys = append(keys, item{
			key:      otk.NewKey(above, k.Pair, true, created),
			fallback: &otk.Fallback{ID: above, Public: k.Pair.Public(), Created: created, Published: k.Published},
		})
	}
	p.counts.Fallbacks = len(d.Fallbacks)
	p.items = append(keys, p.items...)
}

// past is a time that is not in the future, or another one where none is known.
func past(t, now, unknown time.Time) time.Time {
	switch {
	case t.IsZero():
		return unknown
	case t.After(now):
		return now
	}
	return t
}
