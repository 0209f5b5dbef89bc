package workload

import (
	"slices"
	"testing"
	"time"

	"github.com/pawlkv/pawl/bench/result"
	"github.com/pawlkv/pawl/ratchet"
)

// TestLedger: a message key that is used twice, a message that its peer cannot
// read and one that says something else are counted.
func TestLedger(t *testing.T) {
	p, _ := prepared(t, Encrypt, result.Params{Peers: 1})
	id := p.peers[0].id()
	bob := func(state *ratchet.Session, number uint64, size int) made {
		next, m, err := state.Encrypt(source(1, "test", int(number)), text(number, size))
		if err != nil {
			t.Fatal(err)
		}
		*state = next
		return made{Number: number, Peer: id, Session: next.ID(), Type: m.Type, Body: m.Body}
	}
	met := p.peers[0]
	s, err := met.meet(p.bob.account, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	l := newLedger(p)
	l.peers[id].session = met.session
	state, err := s.Ratchet()
	if err != nil {
		t.Fatal(err)
	}
	old := state
	var all []made
	for range 60 { // more than the peer keeps keys of
		all = append(all, bob(&state, uint64(len(all)), l.size))
	}
	slices.Reverse(all)
	l.enter(answer{Made: all})
	if l.wrong.Any() {
		t.Fatalf("wrong %+v, %v: all can be read in their order", l.wrong, l.errors)
	}
	l.enter(answer{Made: []made{bob(&old, 3, l.size)}})
	if want := (result.Wrong{Lost: 1, Reused: 1}); l.wrong != want {
		t.Errorf("wrong %+v, want %+v", l.wrong, want)
	}
	l.enter(answer{Made: []made{bob(&state, 4, l.size+1)}, Failed: []failure{{5, id, "no"}}})
	if want := (result.Wrong{Lost: 3, Reused: 1}); l.wrong != want {
		t.Errorf("wrong %+v, want %+v", l.wrong, want)
	}
	if !l.suspects[id] || l.errors["lost: no"] != 1 {
		t.Errorf("suspects %v, errors %v", l.suspects, l.errors)
	}
}
