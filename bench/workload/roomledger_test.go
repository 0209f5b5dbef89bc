package workload

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/bench/result"
	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/ratchet"
)

// sender is a room's session of Bob's, as somebody has it who judges nothing.
type sender struct {
	t *testing.T
	group.Sender
}

func newSender(t *testing.T) *sender {
	t.Helper()
	s, err := group.NewSender(source(1, "sender", 0))
	if err != nil {
		t.Fatal(err)
	}
	return &sender{t, s}
}

// says encrypts a message.
func (s *sender) says(number uint64, content json.RawMessage, room matrix.RoomID) said {
	s.t.Helper()
	plaintext, err := json.Marshal(object{"type": messageType, "content": content, "room_id": room})
	if err != nil {
		s.t.Fatal(err)
	}
	next, m, err := s.Encrypt(plaintext)
	if err != nil {
		s.t.Fatal(err)
	}
	s.Sender = next
	body, err := json.Marshal(megolmContent{Algorithm: account.Megolm, Ciphertext: base.EncodeToString(m), Session: s.ID().String()})
	if err != nil {
		s.t.Fatal(err)
	}
	return said{number, body}
}

// TestSaid: an index that two messages leave under, of which readers refuse the
// second, a message that a peer has no key for, and one that says something else are
// counted; one that comes again is not.
func TestSaid(t *testing.T) {
	p, h := entered(t, 1)
	l, peer := h.ledger, p.peers[0].id()
	s := newSender(t)
	l.room.given[s.ID()] = map[ratchet.PublicKey]group.Key{peer: s.Key()}
	old := *s
	first := s.says(1, roomText(1, l.size), theRoom)
	for _, c := range []struct {
		what string
		said said
		want result.Wrong
	}{
		{"a message", first, result.Wrong{}},
		{"the same again", first, result.Wrong{}},
		{"another under its index", old.says(2, roomText(2, l.size), theRoom), result.Wrong{Indices: 1, Lost: 1}},
		{"something else than was said", s.says(3, roomText(4, l.size), theRoom), result.Wrong{Indices: 1, Lost: 2}},
		{"of another room", s.says(5, roomText(5, l.size), "!other:example.org"), result.Wrong{Indices: 1, Lost: 3}},
		{"of a session that nobody has the key of", (&sender{t, p.peers[0].sends}).says(6, roomText(6, l.size), theRoom), result.Wrong{Indices: 1, Lost: 4}},
		{"nothing", said{7, []byte("{}")}, result.Wrong{Indices: 1, Lost: 5}},
	} {
		l.said(peer, c.said)
		if diff := cmp.Diff(c.want, l.wrong); diff != "" {
			t.Errorf("%s: %s", c.what, diff)
		}
	}
}

// TestOwed: room keys that Bob has not in the end are counted, by whether anybody was
// told; who was told of one that he has is no matter.
func TestOwed(t *testing.T) {
	p, h := entered(t, 1)
	l, peer := h.ledger, p.peers[0].id()
	for n := range uint64(4) {
		l.owe(n, peer, heard{Number: 100 + n})
	}
	l.refused(1, "no")
	l.refused(1, "no")
	l.refused(2, "no")
	l.refused(77, "of nobody")
	l.settle(map[uint64]string{101: "no key", 103: "no key"})
	if diff := cmp.Diff(result.Wrong{RoomKeys: 1, Ahead: 1}, l.wrong); diff != "" {
		t.Error(diff)
	}
	if !l.suspects[peer] || l.errors["room keys refused: no"] != 2 || len(l.room.owed) > 0 {
		t.Errorf("suspects %v, errors %v, owed %v", l.suspects, l.errors, l.room.owed)
	}
}

// TestHand: what a peer cannot read, or what is for somebody else, is a room key lost;
// and whoever has not got the key of a session that was shared is counted.
func TestHand(t *testing.T) {
	p, h := entered(t, 2)
	l := h.ledger
	one, two := h.peers[p.peers[0].account.User()], h.peers[p.peers[1].account.User()]
	for _, content := range []string{`{}`, `[]`, `{"ciphertext":{"` + one.id().String() + `":{"type":1,"body":"AAAA"}}}`, `{"ciphertext":{"` + one.id().String() + `":{"type":1,"body":"?"}}}`} {
		before := l.wrong.RoomKeys
		l.hand(one, []byte(content))
		if l.wrong.RoomKeys != before+1 {
			t.Errorf("%s is read", content)
		}
	}
	s := newSender(t)
	lost := l.wrong.RoomKeys
	l.room.given[s.ID()] = map[ratchet.PublicKey]group.Key{two.id(): s.Key()}
	l.shared(s.ID(), 1) // and one who cannot read it
	if l.wrong.RoomKeys != lost {
		t.Error("who could not read the key is counted twice")
	}
	l.shared(s.ID(), 0)
	if l.wrong.RoomKeys != lost+1 || l.errors["room keys lost: not shared with all"] != 1 {
		t.Errorf("%+v, %v", l.wrong, l.errors)
	}
}
