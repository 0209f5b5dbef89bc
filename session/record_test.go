package session

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"github.com/pawlkv/pawl/internal/record"
	"github.com/pawlkv/pawl/internal/record/recordtest"
	"github.com/pawlkv/pawl/internal/secret"
	"github.com/pawlkv/pawl/ratchet"
)

func TestSessionKeepsItsFacts(t *testing.T) {
	o := open(t)
	s := o.inbound().Received(o.bob, Moment{Time: noon.Add(1)}).Sent(o.bob, noon.Add(2e6))
	if s.ReceiveOnly() || !s.StopSending().ReceiveOnly() {
		t.Error("receive-only is not what StopSending sets")
	}
	s = s.StopSending()
	back, err := DecodeSession(mustEncode(t, s))
	if err != nil {
		t.Fatal(err)
	}
	key := o.bob.PreKeys().OneTime
	if back.ID() != o.bob.ID() || back.Peer() != o.aliceKey || back.Origin() != WithOneTimeKey || back.OneTimeKey() != key ||
		!back.ReceiveOnly() || back.Created() != NextStamp(noon) || back.LastReceived() != NextStamp(noon) || back.LastSent() != NextStamp(noon)+2 {
		t.Errorf("another session came back: %v, %v, %d, %d, %d", back.ID(), back.Origin(), back.Created(), back.LastReceived(), back.LastSent())
	}
	state, err := back.Ratchet()
	if err != nil {
		t.Fatal(err)
	}
	want, _ := o.bob.AppendBinary(nil)
	if got, err := state.AppendBinary(nil); err != nil || !bytes.Equal(got, want) {
		t.Errorf("another ratchet state came back, %v", err)
	}
}

func TestPruneLeavesATombstone(t *testing.T) {
	o := open(t)
	live := New(o.bob, o.aliceKey, WithFallbackKey, Moment{Time: noon})
	before := mustEncode(t, live)
	tombstone := live.Prune(noon)
	if !bytes.Equal(mustEncode(t, live), before) {
		t.Error("Prune changed the session it was called on")
	}
	if !tombstone.ratchet.IsZero() {
		t.Error("the tombstone holds the keys")
	}
	back, err := DecodeSession(mustEncode(t, tombstone))
	if err != nil {
		t.Fatal(err)
	}
	if at, pruned := back.Pruned(); !pruned || at != NextStamp(noon) {
		t.Errorf("pruned at %d, %v", at, pruned)
	}
	if back.ID() != live.ID() || back.OneTimeKey() != live.OneTimeKey() || back.Peer() != o.aliceKey || back.Origin() != WithFallbackKey {
		t.Error("the tombstone names another session")
	}
	if _, err := back.Ratchet(); !errors.Is(err, ErrPruned) {
		t.Errorf("Ratchet of a tombstone: %v, want ErrPruned", err)
	}
	if again := back.Prune(noon.Add(1e9)); !bytes.Equal(mustEncode(t, again), mustEncode(t, tombstone)) {
		t.Error("pruning a tombstone changes it")
	}
}

func TestRecordsAreStrict(t *testing.T) {
	o := open(t)
	recordtest.Strict(t, o.inbound(), DecodeSession)
	recordtest.Strict(t, o.outbound(), DecodeSession)
	recordtest.Strict(t, o.outbound().StopSending(), DecodeSession)
	recordtest.Strict(t, o.outbound().Prune(noon), DecodeSession)
	recordtest.Strict(t, New(o.alice, o.bobKey, Outbound, Moment{Time: noon, Order: 5}), DecodeSession)
	recordtest.Strict(t, o.inbound().Received(o.bob, Moment{Time: noon, Order: 1 << 63}), DecodeSession)
	recordtest.Strict(t, NewPeer(o.bobKey), DecodePeer)
	peer, err := NewPeer(o.bobKey).Add(o.bob.ID())
	if err != nil {
		t.Fatal(err)
	}
	recordtest.Strict(t, peer, DecodePeer)
	recordtest.Strict(t, peer.Rated(Stranger), DecodePeer)
	recordtest.Strict(t, peer.Rated(Acquainted), DecodePeer)
	recordtest.Strict(t, Mark{o.bob.ID(), 1<<32 - 1}, DecodeMark)
	if n := len(mustEncode(t, Mark{o.bob.ID(), 1<<32 - 1})); n > MaxMark {
		t.Errorf("a mark of %d bytes, at most %d", n, MaxMark)
	}
	recordtest.Strict(t, NewReceipt(ReceiptID{7}, o.bob.ID(), o.key, Moment{Time: noon, Order: 3}), DecodeReceipt)
	receipt := NewReceipt(ReceiptID{7}, o.bob.ID(), o.key, Moment{Time: noon})
	recordtest.Strict(t, receipt, DecodeReceipt)
	recordtest.Strict(t, receipt.Acknowledged(), DecodeReceipt)
	if _, err := (Session{}).Encode(); !errors.Is(err, ratchet.ErrNoSession) {
		t.Errorf("encoding the zero Session: %v, want ErrNoSession", err)
	}
}

func TestDecodeSessionRefusesContradictions(t *testing.T) {
	o := open(t)
	for name, s := range map[string]Session{
		"origin 0":                   {ratchet: o.bob, peer: o.aliceKey, created: 1},
		"origin 4":                   {ratchet: o.bob, peer: o.aliceKey, created: 1, origin: 4},
		"created never":              {ratchet: o.bob, peer: o.aliceKey, origin: WithOneTimeKey},
		"outbound opened by peer":    {ratchet: o.bob, peer: o.aliceKey, origin: Outbound, created: 1},
		"inbound opened by us":       {ratchet: o.alice, peer: o.bobKey, origin: WithOneTimeKey, created: 1},
		"peer is not the initiator":  {ratchet: o.bob, peer: o.bobKey, origin: WithOneTimeKey, created: 1},
		"time after the end of time": {ratchet: o.bob, peer: o.aliceKey, origin: WithOneTimeKey, created: record.MaxMillis + 1},
	} {
		if _, err := DecodeSession(mustEncode(t, s)); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %v, want ErrFormat", name, err)
		}
	}
	write := func(pruned uint64, names, state []byte) []byte {
		return record.Encode(sessionVersion1, sessionFields1, 0, func(w *record.Writer) {
			w.Bytes(o.aliceKey[:])
			for _, n := range []uint64{uint64(WithOneTimeKey), 1, 0, 0, pruned} {
				w.Uint(n)
			}
			w.Bool(false)
			w.Bytes(names)
			w.Bytes(state)
		})
	}
	state, _ := o.bob.AppendBinary(nil)
	if _, err := DecodeSession(write(0, nil, state)); err != nil {
		t.Fatalf("a live session: %v", err)
	}
	if _, err := DecodeSession(write(5, make([]byte, 64), nil)); err != nil {
		t.Fatalf("a tombstone: %v", err)
	}
	for name, in := range map[string][]byte{
		"tombstone with a state":      write(5, make([]byte, 64), state),
		"tombstone without names":     write(5, nil, nil),
		"tombstone with short names":  write(5, make([]byte, 63), nil),
		"live session with names":     write(0, make([]byte, 64), state),
		"live session without state":  write(0, nil, nil),
		"ratchet state with an extra": write(0, nil, append(bytes.Clone(state), 0)),
		"ratchet state too long":      write(0, nil, make([]byte, maxRatchetSize+1)),
	} {
		if _, err := DecodeSession(in); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %v, want ErrFormat", name, err)
		}
	}
}

// TestOrderIsKept: what has an order is of format 2, and keeps it; a tombstone
// has none.
func TestOrderIsKept(t *testing.T) {
	o := open(t)
	s := New(o.bob, o.aliceKey, WithOneTimeKey, Moment{Time: noon, Order: 7}).Received(o.bob, Moment{Time: noon.Add(-1e9), Order: 9})
	back, err := DecodeSession(mustEncode(t, s))
	if err != nil || back.CreatedIn() != 7 || back.ReceivedIn() != 9 || back.Created() != NextStamp(noon) || back.LastReceived() != NextStamp(noon)-1000 {
		t.Errorf("created %d in %d, received %d in %d, %v", back.Created(), back.CreatedIn(), back.LastReceived(), back.ReceivedIn(), err)
	}
	if again := s.Received(o.bob, Moment{Time: noon, Order: 8}); again.ReceivedIn() != 9 {
		t.Errorf("the order was pulled back to %d", again.ReceivedIn())
	}
	old := o.inbound().Received(o.bob, Moment{Time: noon, Order: 9})
	if back, err := DecodeSession(mustEncode(t, old)); err != nil || back.CreatedIn() != 0 || back.ReceivedIn() != 9 {
		t.Errorf("a session of format 1 that received: %d, %d, %v", back.CreatedIn(), back.ReceivedIn(), err)
	}
	if got := mustEncode(t, s.Prune(noon))[0]; got != sessionVersion1 {
		t.Errorf("a tombstone of version %d", got)
	}
	for name, s := range map[string]Session{
		"received before it was created": {ratchet: o.bob, peer: o.aliceKey, origin: WithOneTimeKey, created: 1, createdIn: 9, lastReceived: 1, receivedIn: 8},
		"received at no time":            {ratchet: o.bob, peer: o.aliceKey, origin: WithOneTimeKey, created: 1, createdIn: 9, receivedIn: 9},
	} {
		if _, err := DecodeSession(mustEncode(t, s)); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %v, want ErrFormat", name, err)
		}
	}
	plain := mustEncode(t, New(o.bob, o.aliceKey, WithOneTimeKey, Moment{Time: noon, Order: 7}))
	at := bytes.Index(plain, o.aliceKey[:]) + 32 + 1 + 9
	if plain[at] != 7 {
		t.Fatal("not the layout that this test knows")
	}
	plain[at] = 0
	if _, err := DecodeSession(plain); !errors.Is(err, ErrFormat) {
		t.Errorf("a record of format 2 without an order: %v, want ErrFormat", err)
	}
}

func TestPeer(t *testing.T) {
	p := NewPeer(ratchet.PublicKey{9})
	for i := range MaxPerPeer {
		if p.Full() {
			t.Fatalf("full with %d sessions", i)
		}
		before := p
		next, err := p.Add(ratchet.SessionID{byte(i)})
		if err != nil || before.Has(ratchet.SessionID{byte(i)}) {
			t.Fatalf("session %d: %v", i, err)
		}
		p = next
	}
	if _, err := p.Add(ratchet.SessionID{1}); !errors.Is(err, ErrKnown) {
		t.Errorf("adding a session twice: %v, want ErrKnown", err)
	}
	if _, err := p.Add(ratchet.SessionID{100}); !errors.Is(err, ErrFull) || !p.Full() {
		t.Errorf("session 33: %v, want ErrFull", err)
	}
	less := p.Remove(ratchet.SessionID{3})
	if less.Has(ratchet.SessionID{3}) || !p.Has(ratchet.SessionID{3}) || len(less.Sessions()) != MaxPerPeer-1 {
		t.Error("Remove removed another, or from the peer it was called on")
	}
	// Two successors of one peer do not share an element.
	one, _ := less.Add(ratchet.SessionID{101})
	two, _ := less.Add(ratchet.SessionID{102})
	if !one.Has(ratchet.SessionID{101}) || !two.Has(ratchet.SessionID{102}) {
		t.Error("adding to one peer twice mixes up the results")
	}
	back, err := DecodePeer(mustEncode(t, p))
	if err != nil || back.Identity() != p.Identity() || len(back.Sessions()) != MaxPerPeer || back.Sessions()[5] != (ratchet.SessionID{5}) {
		t.Errorf("another peer came back: %v", err)
	}
	twice := Peer{sessions: []ratchet.SessionID{{1}, {1}}}
	if _, err := DecodePeer(mustEncode(t, twice)); !errors.Is(err, ErrFormat) {
		t.Errorf("a session listed twice: %v, want ErrFormat", err)
	}
	many := Peer{sessions: append(p.Sessions(), ratchet.SessionID{200})}
	if _, err := DecodePeer(mustEncode(t, many)); !errors.Is(err, ErrFormat) {
		t.Errorf("33 sessions: %v, want ErrFormat", err)
	}
}

func TestNothingIsExposed(t *testing.T) {
	for _, v := range []any{Session{}, Peer{}, Receipt{}} {
		for _, path := range secret.Exposed(v, ratchet.PublicKey{}, ratchet.SessionID{}, ReceiptID{}, chainTag{}) {
			t.Errorf("exposed: %s", path)
		}
	}
	o := open(t)
	key := o.key.Append(nil)
	receipt := NewReceipt(ReceiptID{7}, o.bob.ID(), o.key, Moment{Time: noon})
	recordtest.Redacts(t, key, receipt, &receipt, []Receipt{receipt}, struct{ r Receipt }{receipt})
	state, _ := o.bob.AppendBinary(nil)
	root := state[2+3*32:][:32]
	recordtest.Redacts(t, root, o.inbound(), []Session{o.inbound()}, struct{ s Session }{o.inbound()})
}

func FuzzDecodeSession(f *testing.F) {
	f.Fuzz(func(t *testing.T, in []byte) { recordtest.Stable(t, in, DecodeSession) })
}

func FuzzDecodePeer(f *testing.F) {
	f.Fuzz(func(t *testing.T, in []byte) { recordtest.Stable(t, in, DecodePeer) })
}

func FuzzDecodeReceipt(f *testing.F) {
	f.Fuzz(func(t *testing.T, in []byte) { recordtest.Stable(t, in, DecodeReceipt) })
}

// TestOutgrownChains: a session that dropped chains knows them by a part of their keys,
// and its record is of version 3 from the first on.
func TestOutgrownChains(t *testing.T) {
	o := open(t)
	s := o.inbound()
	for i := range MaxDropped + 3 {
		if s.Outgrew(ratchet.PublicKey{byte(i + 1)}) {
			t.Errorf("chain %d is outgrown before it was dropped", i)
		}
		s.dropped = append(s.dropped, tagOf(ratchet.PublicKey{byte(i + 1)}))
		s.dropped = s.dropped[max(0, len(s.dropped)-MaxDropped):]
	}
	for i := range MaxDropped + 3 {
		if got := s.Outgrew(ratchet.PublicKey{byte(i + 1)}); got != (i >= 3) {
			t.Errorf("chain %d is outgrown: %v", i, got)
		}
	}
	s = s.Received(o.bob, Moment{Time: noon, Order: 7})
	recordtest.Strict(t, s, DecodeSession)
	raw := mustEncode(t, s)
	back, err := DecodeSession(raw)
	if err != nil || raw[0] != sessionVersion3 || !slices.Equal(back.dropped, s.dropped) {
		t.Errorf("version %d, %v came back as %v, %v", raw[0], s.dropped, back.dropped, err)
	}
	if s = s.Prune(noon); len(s.dropped) != 0 {
		t.Error("a tombstone keeps chains")
	}
}
