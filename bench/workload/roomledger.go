package workload

import (
	"bytes"
	"errors"
	"maps"
	"time"

	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/ratchet"
)

// roomLedger is what is known of the room's keys and messages: who was given what,
// and what is to be readable.
type roomLedger struct {
	given map[group.SessionID]map[ratchet.PublicKey]group.Key // by Bob, to whom
	left  map[place]string                                    // what left under an index
	owed  map[uint64]*owed                                    // keys for Bob, by their events
}

// place names a message key of a room: no two events may be under one.
type place struct {
	session group.SessionID
	index   uint32
}

// owed is a room key that Bob is to have.
type owed struct {
	peer    ratchet.PublicKey
	reads   heard // an event that the key reads
	refused bool  // somebody was told that it is lost
}

func newRoomLedger() roomLedger {
	return roomLedger{
		given: map[group.SessionID]map[ratchet.PublicKey]group.Key{}, left: map[place]string{}, owed: map[uint64]*owed{},
	}
}

// clone returns the ledger for another system to go on with.
func (r roomLedger) clone() roomLedger {
	c := newRoomLedger()
	for session, to := range r.given {
		c.given[session] = maps.Clone(to)
	}
	maps.Copy(c.left, r.left)
	for number, o := range r.owed {
		same := *o
		c.owed[number] = &same
	}
	return c
}

// hand lets a peer read a to-device event of Bob's, which gives it a room key.
func (l *ledger) hand(p *peer, content []byte) {
	m, err := olmMessage(content, p.id())
	if err != nil {
		l.keyLost(p.id(), err)
		return
	}
	normal, err := normalOf(m)
	if err != nil {
		l.keyLost(p.id(), err)
		return
	}
	l.use(slot{chain: normal.RatchetKey, index: normal.Index}, p.id())
	plaintext, err := p.read(l.bob, m, time.Now())
	if err != nil {
		l.keyLost(p.id(), err)
		return
	}
	key, err := p.keyWithin(plaintext)
	if err != nil {
		l.keyLost(p.id(), err)
		return
	}
	to := l.room.given[key.ID()]
	if to == nil {
		to = map[ratchet.PublicKey]group.Key{}
		l.room.given[key.ID()] = to
	}
	if before, has := to[p.id()]; !has || key.Index() < before.Index() {
		to[p.id()] = key
	}
}

// keyLost counts a room key that a peer was sent and cannot read.
func (l *ledger) keyLost(peer ratchet.PublicKey, err error) {
	l.wrong.RoomKeys++
	l.suspects[peer] = true
	l.errors["room keys lost: a peer: "+err.Error()]++
}

// shared counts the peers that do not have the key of a session which was shared
// with all of them, beyond those whose event could not be read.
func (l *ledger) shared(session group.SessionID, lost int) {
	missing := len(l.peers) - len(l.room.given[session]) - lost
	if missing > 0 {
		l.wrong.RoomKeys += missing
		l.errors["room keys lost: not shared with all"] += missing
	}
}

// errReplay is what readers make of an event whose index another one has, as the Matrix
// specification wants it (m.megolm.v1.aes-sha2).
var errReplay = errors.New("another event has its index: refused as a replay")

// said lets a peer read an event of the room that Bob wrote.
func (l *ledger) said(by ratchet.PublicKey, s said) {
	session, m, err := roomMessage(s.Content)
	if err != nil {
		l.lose(by, "a peer: "+err.Error())
		return
	}
	text, err := openRoom(l.room.given[session][by], m)
	if err == nil && !bytes.Equal(text, roomText(s.Number, l.size)) {
		err = errOther
	}
	at := place{session, m.Index}
	if before, used := l.room.left[at]; !used {
		l.room.left[at] = string(s.Content)
	} else if before != string(s.Content) {
		l.wrong.Indices++
		err = errReplay
	}
	if err != nil {
		l.wrong.Lost++
		l.errors["lost: a peer: "+err.Error()]++
	}
}

// owe notes a room key that was sent to Bob.
func (l *ledger) owe(number uint64, peer ratchet.PublicKey, reads heard) {
	l.room.owed[number] = &owed{peer: peer, reads: reads}
}

// refused notes that a process was told that an event cannot be read.
func (l *ledger) refused(number uint64, why string) {
	o, known := l.room.owed[number]
	if !known || o.refused {
		return
	}
	o.refused = true
	l.suspects[o.peer] = true
	l.errors["room keys refused: "+why]++
}

// settle counts the room keys that Bob does not have in the end: those of events of
// the room that could not be read then, and why. Where nobody was told, the token went
// ahead of what it covers.
func (l *ledger) settle(failed map[uint64]string) {
	for _, o := range l.room.owed {
		why, lost := failed[o.reads.Number]
		switch {
		case lost && o.refused:
			l.wrong.RoomKeys++
		case lost:
			l.wrong.Ahead++
			l.errors["behind the token, and lost: "+why]++
		}
		l.suspects[o.peer] = l.suspects[o.peer] || lost
	}
	clear(l.room.owed)
}
