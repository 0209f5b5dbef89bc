package group

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

const room = "!room:example.org"

// chain is a session's true ratchet at a few indices, made once.
var chain = func() map[uint32]Key {
	s, err := NewSender(seeded(77))
	if err != nil {
		panic(err)
	}
	keys := map[uint32]Key{}
	for _, index := range places {
		if keys[index], err = s.Key().Advance(index); err != nil {
			panic(err)
		}
	}
	return keys
}()

// places are indices on both sides of what overwrites a part of the ratchet.
var places = []uint32{0, 1, 5, 200, 255, 256, 257, 300, 511, 512, 600, 1 << 16, 1<<16 + 300}

func mustInbound(t tester, c Copy) Inbound {
	t.Helper()
	in, err := NewInbound(room, c)
	if err != nil {
		t.Fatal(err)
	}
	return in
}

func encoded(t tester, in Inbound) []byte {
	t.Helper()
	b, err := in.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func drawPlace(t *rapid.T, name string) uint32 { return rapid.SampledFrom(places).Draw(t, name) }

func drawSource(t *rapid.T, p Provenance) Source {
	s := Source{Provenance: p, SharedHistory: rapid.Bool().Draw(t, "shared history")}
	s.Sender[0] = byte(rapid.IntRange(1, 2).Draw(t, "sender"))
	s.Claimed[0] = byte(rapid.IntRange(0, 1).Draw(t, "claimed"))
	if p != Direct {
		s.Giver[0] = byte(rapid.IntRange(0, 2).Draw(t, "giver"))
	}
	return s
}

// drawHonest is a copy of the true ratchet, and sometimes a floor.
func drawHonest(t *rapid.T, name string) Inbound {
	p := Provenance(rapid.IntRange(int(File), int(Direct)).Draw(t, name+" provenance"))
	in := mustInbound(t, NewCopy(chain[drawPlace(t, name+" index")], drawSource(t, p)))
	switch rapid.IntRange(0, 9).Draw(t, name+" floor") {
	case 0:
		in = in.Forget(Whole)
	case 1, 2, 3:
		in = in.Forget(uint64(drawPlace(t, name+" forget")))
	}
	return in
}

// TestJoinOfHonestCopies: they always join, in whatever order and however often.
func TestJoinOfHonestCopies(t *testing.T) {
	same := func(a, b Inbound) bool { return bytes.Equal(encoded(t, a), encoded(t, b)) }
	rapid.Check(t, func(t *rapid.T) {
		var all []Inbound
		for i := range 5 {
			all = append(all, drawHonest(t, fmt.Sprint(i)))
		}
		a, b, c := all[0].Join(all[3]), all[1].Join(all[4]), all[2]
		if !a.Joins(b) || !b.Joins(c) || !a.Joins(c) || !a.Join(b).Joins(c) {
			t.Fatal("copies of one ratchet do not join")
		}
		switch {
		case !same(a.Join(a), a):
			t.Fatal("joining a record with itself changes it")
		case !same(a.Join(b), b.Join(a)):
			t.Fatal("the order of two records matters")
		case !same(a.Join(b).Join(c), a.Join(b.Join(c))):
			t.Fatal("the order of three records matters")
		}
		joined := a.Join(b).Join(c)
		if again, err := DecodeInbound(encoded(t, joined)); err != nil || !same(again, joined) {
			t.Fatalf("the record is read as another: %v", err)
		}
		if next, refused, err := a.Merge(b); err != nil || len(refused) > 0 || !same(next, a.Join(b)) {
			t.Fatalf("merging refuses %d copies that join: %v", len(refused), err)
		}
		keepsTheBest(t, joined, all)
	})
}

// keepsTheBest: at each index the record has the best provenance that any copy had
// there, and what lies below a floor is gone.
func keepsTheBest(t *rapid.T, joined Inbound, all []Inbound) {
	t.Helper()
	var floor uint64
	for _, in := range all {
		floor = max(floor, in.floor)
	}
	if joined.floor != floor {
		t.Fatalf("floor %d, want %d", joined.floor, floor)
	}
	for _, index := range places {
		want := Provenance(0)
		for _, in := range all {
			for _, c := range in.copies {
				if c.first <= index && uint64(index) >= floor {
					want = max(want, c.Provenance)
				}
			}
		}
		if got := provenanceAt(joined, index); got != want {
			t.Fatalf("index %d: %v, want %v", index, got, want)
		}
	}
}

// provenanceAt is that of the copy that opens genuine messages at an index, 0 if
// none does.
func provenanceAt(in Inbound, index uint32) Provenance {
	c, err := in.reaching(index)
	if err != nil {
		return 0
	}
	at, err := c.Key.at(index)
	if err != nil || at != *chain[index].ratchet.Peek() {
		return 0
	}
	return c.Provenance
}

// drawForged is a copy of a provenance that nobody vouches for, made up in any part
// of the ratchet: also so that it leads to the true one across a multiple of 256.
func drawForged(t *rapid.T) Copy {
	p := Provenance(rapid.IntRange(int(File), int(Bundle)).Draw(t, "provenance"))
	index := drawPlace(t, "index")
	st := *chain[index].ratchet.Peek()
	for _, part := range rapid.SampledFrom([][]int{{3}, {3}, {2, 3}, {0, 1, 2, 3}, {2}}).Draw(t, "made up") {
		st.parts[part][0] ^= byte(rapid.IntRange(1, 2).Draw(t, "as"))
	}
	return NewCopy(restored(sender{ratchet: st, signing: sampleSender().signing}).Key().of(chain[0].id), drawSource(t, p))
}

// of returns the key as one of another session.
func (k Key) of(id SessionID) Key {
	k.id = id
	return k
}

// TestMergeOfForgedCopies: whatever comes, honest and made up, in any order, nothing
// that decrypted before is lost, and nothing is displaced by what is worse.
func TestMergeOfForgedCopies(t *testing.T) {
	reached := map[string]int{}
	rapid.Check(t, func(t *rapid.T) {
		var in Inbound
		for i := range 10 {
			var c Copy
			if rapid.Bool().Draw(t, "honest") {
				p := Provenance(rapid.IntRange(int(File), int(Direct)).Draw(t, "provenance"))
				c = NewCopy(chain[drawPlace(t, "index")], drawSource(t, p))
			} else {
				c = drawForged(t)
			}
			if i == 0 {
				in = mustInbound(t, c)
				continue
			}
			in = mergeOne(t, in, c, reached)
		}
	})
	for _, what := range []string{"joined", "refused", "stored given up"} {
		if reached[what] == 0 {
			t.Errorf("no merge came to %q: %v", what, reached)
		}
	}
}

func mergeOne(t *rapid.T, in Inbound, c Copy, reached map[string]int) Inbound {
	t.Helper()
	other := mustInbound(t, c)
	next, refused, err := in.Merge(other)
	if err != nil {
		t.Fatal(err)
	}
	for _, index := range places {
		before, after := provenanceAt(in, index), provenanceAt(next, index)
		if after < before {
			t.Fatalf("index %d was %v and is %v", index, before, after)
		}
	}
	for _, old := range in.copies {
		covered := slices.ContainsFunc(next.copies, func(k Copy) bool { return k.covers(old) })
		given := slices.ContainsFunc(refused, func(r Refused) bool { return r.Stored && r.Key == old.Key })
		if !covered && (!given || !c.Provenance.vouched() || c.Provenance < old.Provenance) {
			t.Fatalf("a copy of %v from %d is gone for one of %v from %d", old.Provenance, old.first, c.Provenance, c.first)
		}
	}
	if in.Joins(other) != (len(refused) == 0) {
		t.Fatalf("joins: %v, refused: %d", in.Joins(other), len(refused))
	}
	if !slices.IsSortedFunc(next.copies, func(a, b Copy) int {
		if a.Provenance > b.Provenance && a.first > b.first {
			return -1
		}
		return 1
	}) {
		t.Fatal("provenance and first index do not fall")
	}
	reached["joined"] += btoi(len(refused) == 0)
	for _, r := range refused {
		reached["stored given up"] += btoi(r.Stored)
		reached["refused"] += btoi(!r.Stored)
	}
	return next
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// TestForgedCopyAcross256 is the case for which copies are kept apart: a backup
// makes up an earlier ratchet that leads to the true one.
func TestForgedCopyAcross256(t *testing.T) {
	direct := func(index uint32) Copy { return NewCopy(chain[index], Source{Provenance: Direct}) }
	st := *chain[0].ratchet.Peek()
	st.parts[3][0] ^= 1
	forged := NewCopy(restored(sender{ratchet: st, signing: sampleSender().signing}).Key().of(chain[0].id), Source{Provenance: Backup})
	in := mustInbound(t, direct(300))
	if !in.Joins(mustInbound(t, forged)) {
		t.Fatal("it does not fit, though 256 lies between")
	}
	in = in.Join(mustInbound(t, forged))
	if got := in.Copies(); len(got) != 2 || got[0].Provenance != Direct || got[1].Provenance != Backup {
		t.Fatalf("kept: %d copies", len(got))
	}
	for index, want := range map[uint32]Provenance{300: Direct, 256: Backup, 255: 0, 0: 0} {
		if got := provenanceAt(in, index); got != want {
			t.Errorf("index %d: %v, want %v", index, got, want)
		}
	}
	if in.Joins(mustInbound(t, direct(5))) {
		t.Error("what the sender gave joins with what contradicts it")
	}
	next, refused, err := in.Merge(mustInbound(t, direct(5)))
	if err != nil || len(refused) != 1 || !refused[0].Stored || refused[0].Provenance != Backup {
		t.Fatalf("refused %d, %v; want the stored backup", len(refused), err)
	}
	if provenanceAt(next, 5) != Direct || len(next.copies) != 1 {
		t.Error("the sender's copy is not the one that is kept")
	}
}

func TestFloor(t *testing.T) {
	in := mustInbound(t, NewCopy(chain[0], Source{Provenance: Backup}))
	in = in.Join(mustInbound(t, NewCopy(chain[300], Source{Provenance: Direct})))
	forgot := in.Forget(257)
	for name, back := range map[string]Inbound{
		"again":      forgot.Join(in),
		"lower":      forgot.Forget(1),
		"a new copy": forgot.Join(mustInbound(t, NewCopy(chain[0], Source{Provenance: Direct}))),
	} {
		if first, err := back.Earliest(); err != nil || first.Key.Index() < 257 || back.Floor() != 257 {
			t.Errorf("%s: from %d on, floor %d", name, first.Key.Index(), back.Floor())
		}
	}
	if bytes.Contains(encoded(t, forgot), chain[0].ratchet.Peek().parts[3][:]) {
		t.Error("what is forgotten is in the record")
	}
	gone := in.Forget(Whole + 1).Join(in)
	if len(gone.Copies()) != 0 || gone.Floor() != Whole {
		t.Errorf("%d copies after all was forgotten", len(gone.Copies()))
	}
	if _, err := gone.Earliest(); err != ErrNoKey {
		t.Errorf("the earliest of none: %v, want ErrNoKey", err)
	}
	if again, err := DecodeInbound(encoded(t, gone)); err != nil || again.Floor() != Whole {
		t.Errorf("read again: %v", err)
	}
}

func TestInboundDecrypts(t *testing.T) {
	s := mustSender(t, 30)
	first := s.Key()
	var bodies [][]byte
	for i := range 4 {
		var body []byte
		s, body = mustEncrypt(t, s, fmt.Sprint("text ", i))
		bodies = append(bodies, body)
	}
	direct := Source{Provenance: Direct, Sender: [32]byte{1}, Claimed: [32]byte{2}, SharedHistory: true}
	backup := Source{Provenance: Backup, Sender: [32]byte{9}, Giver: [32]byte{8}}
	in := mustInbound(t, NewCopy(mustAdvance(t, first, 2), direct))
	in = in.Join(mustInbound(t, NewCopy(mustAdvance(t, first, 1), backup)))
	for i, body := range bodies {
		opened, err := in.Decrypt(mustParse(t, body))
		if i == 0 {
			var early *IndexError
			if !errors.As(err, &early) || early.First != 1 {
				t.Errorf("message 0: %v, want ErrTooEarly", err)
			}
			continue
		}
		want := direct
		if i == 1 {
			want.Provenance, want.Giver = Backup, backup.Giver // and the owner as the sender told it
		}
		if err != nil || string(opened.Text) != fmt.Sprint("text ", i) || opened.Index != uint32(i) || opened.Source != want {
			t.Errorf("message %d: %q, %+v, %v", i, opened.Text, opened.Source, err)
		}
	}
	if _, err := in.Forget(3).Decrypt(mustParse(t, bodies[2])); err != ErrForgotten {
		t.Errorf("below the floor: %v, want ErrForgotten", err)
	}
	if _, err := in.Forget(Whole).Decrypt(mustParse(t, bodies[3])); err != ErrForgotten {
		t.Errorf("all forgotten: %v, want ErrForgotten", err)
	}
	bad := bytes.Clone(bodies[0])
	bad[len(bad)-1] ^= 1
	if _, err := in.Decrypt(mustParse(t, bad)); err != ErrSignature {
		t.Errorf("bad signature and too early: %v, want ErrSignature", err)
	}
	if _, err := (Inbound{}).Decrypt(Message{}); !errors.Is(err, ErrMalformed) {
		t.Errorf("no message: %v, want ErrMalformed", err)
	}
}

func TestRecordsThatAreNotOfOneSession(t *testing.T) {
	a := mustInbound(t, NewCopy(chain[0], Source{Provenance: Direct}))
	elsewhere, err := NewInbound("!other", NewCopy(chain[0], Source{Provenance: Direct}))
	if err != nil {
		t.Fatal(err)
	}
	session := mustInbound(t, NewCopy(mustSender(t, 31).Key(), Source{Provenance: Direct}))
	for name, b := range map[string]Inbound{"another room": elsewhere, "another session": session} {
		if a.Joins(b) {
			t.Errorf("%s joins", name)
		}
		if _, _, err := a.Merge(b); err != ErrOther {
			t.Errorf("%s: %v, want ErrOther", name, err)
		}
		if !bytes.Equal(encoded(t, a.Join(b)), encoded(t, a)) {
			t.Errorf("%s changed the record", name)
		}
	}
	for _, c := range []Copy{{}, NewCopy(chain[0], Source{}), NewCopy(chain[0], Source{Provenance: 6}), NewCopy(Key{}, Source{Provenance: Direct})} {
		if _, err := NewInbound(room, c); err != ErrSource {
			t.Errorf("a copy that is none: %v, want ErrSource", err)
		}
	}
	if _, err := NewInbound("room", NewCopy(chain[0], Source{Provenance: Direct})); err == nil {
		t.Error("a room without an id")
	}
}
