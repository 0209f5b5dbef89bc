package interop_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"github.com/pawlkv/pawl/internal/proof/interop"
)

// want fails unless a verdict is the one that the test is about.
func want(t *testing.T, what string, got, expected interop.Verdict) {
	t.Helper()
	if got != expected {
		t.Fatalf("%s: %v, expected %v", what, got, expected)
	}
}

// met returns a pair of which both sides have received, so that Bob's next
// message continues a chain and Alice's begins one.
func met(t *testing.T, a, b interop.Implementation) *pair {
	p := newPair(t, a, b)
	want(t, "first message", p.deliver(p.bob, p.lose(p.alice)), interop.Accepted)
	want(t, "answer", p.deliver(p.alice, p.lose(p.bob)), interop.Accepted)
	return p
}

func TestGap(t *testing.T) {
	eachPair(t, func(t *testing.T, a, b interop.Implementation) {
		for _, chain := range []string{"first chain", "chain after a turn", "known chain"} {
			p := met(t, a, b)
			first := interop.Accepted
			switch chain {
			case "first chain":
				p = newPair(t, a, b)
				want(t, chain, p.deliver(p.bob, p.lose(p.alice)), first)
			case "known chain":
				want(t, chain, p.deliver(p.bob, p.lose(p.alice)), first)
			}
			before := p.lose(p.alice)
			for range maxGap - 1 {
				p.lose(p.alice)
			}
			last, past := p.lose(p.alice), p.lose(p.alice)
			want(t, chain+", 2001 ahead", p.deliver(p.bob, past), interop.Gap)
			want(t, chain+", 2000 ahead", p.deliver(p.bob, last), interop.Accepted)
			want(t, chain+", next", p.deliver(p.bob, past), interop.Accepted)
			want(t, chain+", far behind", p.deliver(p.bob, before), interop.KeyGone)
		}
	})
}

func TestChains(t *testing.T) {
	eachPair(t, func(t *testing.T, a, b interop.Implementation) {
		p := met(t, a, b)
		var late []sent
		for range maxChains + 1 {
			late = append(late, p.lose(p.alice))
			want(t, "new chain", p.deliver(p.bob, p.lose(p.alice)), interop.Accepted)
			want(t, "answer", p.deliver(p.alice, p.lose(p.bob)), interop.Accepted)
		}
		want(t, "sixth chain, with a sender chain", p.deliver(p.bob, late[0]), interop.WrongMAC)
		want(t, "new chain", p.deliver(p.bob, p.lose(p.alice)), interop.Accepted)
		want(t, "seventh chain, without a sender chain", p.deliver(p.bob, late[0]), interop.UnknownChain)
		want(t, "sixth chain, without a sender chain", p.deliver(p.bob, late[1]), interop.UnknownChain)
		for _, m := range late[2:] {
			want(t, "the newest five", p.deliver(p.bob, m), interop.Accepted)
			want(t, "the newest five, again", p.deliver(p.bob, m), interop.KeyGone)
		}
	})
}

// skip loses n messages and delivers one after them.
func (p *pair) skip(t *testing.T, n int) (late []sent) {
	t.Helper()
	for range n {
		late = append(late, p.lose(p.alice))
	}
	want(t, "after the skipped ones", p.deliver(p.bob, p.lose(p.alice)), interop.Accepted)
	return late
}

func TestSkippedKeysOfOneChain(t *testing.T) {
	eachPair(t, func(t *testing.T, a, b interop.Implementation) {
		for _, n := range []int{maxPerChain, maxPerChain + 1} {
			p := met(t, a, b)
			for i, m := range p.skip(t, n) {
				expected := interop.Accepted
				if n-i > maxPerChain {
					expected = interop.KeyGone
				}
				want(t, "skipped", p.deliver(p.bob, m), expected)
			}
		}
	})
}

// TestSkippedKeysOfTwoChains: Pawl keeps 40 for each chain; goolm and libolm
// keep 40 in all and refuse the oldest beyond that.
func TestSkippedKeysOfTwoChains(t *testing.T) {
	const each = 30
	eachPair(t, func(t *testing.T, a, b interop.Implementation) {
		refused := map[string]int{"pawl": 0, "goolm": 2*each - 40, "libolm": 2*each - 40}[b.Name()]
		p := met(t, a, b)
		first := p.skip(t, each)
		want(t, "answer", p.deliver(p.alice, p.lose(p.bob)), interop.Accepted)
		second := p.skip(t, each)
		for i, m := range append(first, second...) {
			expected := interop.Accepted
			if i < refused {
				expected = interop.KeyGone
			}
			want(t, b.Name(), p.deliver(p.bob, m), expected)
		}
	})
}

func TestPreKeyMessagesRepeat(t *testing.T) {
	eachPair(t, func(t *testing.T, a, b interop.Implementation) {
		p := newPair(t, a, b)
		var all []sent
		for range 5 {
			m := p.lose(p.alice)
			if m.Type != 0 {
				t.Fatalf("%s sends type %d before an answer", a.Name(), m.Type)
			}
			all = append(all, m)
		}
		for _, i := range []int{2, 0, 4, 1, 3} {
			want(t, "pre-key message", p.deliver(p.bob, all[i]), interop.Accepted)
		}
		for _, m := range all {
			want(t, "pre-key message again", p.deliver(p.bob, m), interop.KeyGone)
		}
		if m := p.lose(p.bob); m.Type != 1 {
			t.Fatalf("%s answers with type %d", b.Name(), m.Type)
		}
	})
}

// uncovered are the bytes of a pre-key message that libolm does not look at:
// its version, which no MAC covers.
var uncovered = map[string][]int{"libolm": {0}}

func TestEveryByteCounts(t *testing.T) {
	eachPair(t, func(t *testing.T, a, b interop.Implementation) {
		fresh, known := newPair(t, a, b), met(t, a, b)
		first, next := fresh.lose(fresh.alice), known.lose(known.alice)
		var accepted []int
		for i := range first.Body {
			if openChanged(t, fresh, first.Message, i) == nil {
				accepted = append(accepted, i)
			}
		}
		if want := uncovered[b.Name()]; !slices.Equal(accepted, want) {
			t.Errorf("%s accepts a pre-key message with a changed byte at %v, expected %v", b.Name(), accepted, want)
		}
		for i := range next.Body {
			before := known.state(known.bob.session)
			if _, err := known.bob.session.Decrypt(changed(next.Message, i)); !named(b, err) {
				t.Errorf("%s: byte %d of a normal message changed: %v", b.Name(), i, err)
			}
			if !equalStates(before, known.state(known.bob.session)) {
				t.Errorf("%s: a changed byte %d changed the session", b.Name(), i)
			}
		}
		want(t, "the first message itself", fresh.deliver(fresh.bob, first), interop.Accepted)
		want(t, "the next message itself", known.deliver(known.bob, next), interop.Accepted)
	})
}

func changed(m interop.Message, at int) interop.Message {
	m.Body = bytes.Clone(m.Body)
	m.Body[at] ^= 1
	return m
}

func openChanged(t *testing.T, p *pair, m interop.Message, at int) error {
	t.Helper()
	m = changed(m, at)
	s, err := p.bob.account.Inbound(p.alice.account.IdentityKey(), m)
	if err == nil {
		_, err = s.Decrypt(m)
	}
	return err
}

// named says that an error is one that the implementation has a name for;
// goolm's decoder has errors without one.
func named(impl interop.Implementation, err error) bool {
	for v := interop.Malformed; v <= interop.ZeroSecret; v++ {
		if e := impl.Error(v); e != nil && errors.Is(err, e) {
			return true
		}
	}
	return impl.Name() == "goolm" && err != nil
}
