package interop_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/pawlkv/pawl/internal/proof/interop"
	"github.com/pawlkv/pawl/internal/proof/interop/pickle"
	"github.com/pawlkv/pawl/internal/proof/interop/record"
)

// failer is what *testing.T and *rapid.T share.
type failer interface {
	Helper()
	Fatalf(format string, args ...any)
}

// side is one device of a pair: an implementation, its model and what is on
// its way to it.
type side struct {
	interop.Implementation
	account interop.Account
	session interop.Session // nil until a first message decrypted
	model   *model
	pending []sent
	seen    []sent
}

// pair is two devices; Alice has opened a session to Bob.
type pair struct {
	t          failer
	alice, bob *side
	count      int
	reached    map[string]int // verdicts, and what else a test wants to be sure of
}

// onlyPawl counts the messages whose key Pawl alone had kept.
const onlyPawl = "kept by Pawl alone"

func newPair(t failer, a, b interop.Implementation) *pair {
	t.Helper()
	p := &pair{t: t, alice: newSide(t, a), bob: newSide(t, b), reached: map[string]int{}}
	oneTime, err := p.bob.account.OneTimeKeys(1)
	p.must(err)
	p.alice.session, err = p.alice.account.Outbound(p.bob.account.IdentityKey(), oneTime[0])
	p.must(err)
	p.alice.model.sender = &chain{}
	return p
}

func newSide(t failer, impl interop.Implementation) *side {
	t.Helper()
	account, err := impl.NewAccount()
	if err != nil {
		t.Fatalf("%s: %v", impl.Name(), err)
	}
	return &side{Implementation: impl, account: account, model: &model{skippedInAll: impl.SkippedInAll()}}
}

func (p *pair) must(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatalf("%v", err)
	}
}

func (p *pair) other(s *side) *side {
	if s == p.alice {
		return p.bob
	}
	return p.alice
}

// send encrypts and puts the message on its way.
func (p *pair) send(from *side) sent {
	p.t.Helper()
	m := p.lose(from)
	to := p.other(from)
	to.pending = append(to.pending, m)
	return m
}

// lose encrypts a message that does not arrive unless the test delivers it.
func (p *pair) lose(from *side) sent {
	p.t.Helper()
	p.count++
	plaintext := fmt.Appendf(nil, "%s's message %d", from.Name(), p.count)
	m, err := from.session.Encrypt(bytes.Clone(plaintext))
	p.must(err)
	c, index := from.model.send()
	return sent{Message: m, plaintext: plaintext, chain: c, index: index}
}

// deliver gives a message to a side and compares what becomes of it with the
// model, and with what the other implementations make of it in the same state.
func (p *pair) deliver(to *side, s sent) interop.Verdict { return p.receive(to, s, true) }

// tampered delivers a message with its last byte changed.
func (p *pair) tampered(to *side, s sent) interop.Verdict {
	s.Body = bytes.Clone(s.Body)
	s.Body[len(s.Body)-1] ^= 0x40
	return p.receive(to, s, false)
}

func (p *pair) receive(to *side, s sent, genuine bool) interop.Verdict {
	p.t.Helper()
	if to.session == nil {
		return p.open(to, s, genuine)
	}
	if s.Type == 0 {
		p.matches(to, s)
	}
	before := p.state(to.session)
	want := to.model.receive(s, genuine)
	p.reached[want.String()]++
	plaintext, err := to.session.Decrypt(s.Message)
	p.check(to.Implementation, s, want, plaintext, err)
	after := p.state(to.session)
	if err != nil && !equalStates(before, after) {
		p.t.Fatalf("%s: %v changed the session", to.Name(), err)
	}
	p.compare(to, s, before, after, want)
	if err == nil {
		to.seen = append(to.seen, s)
	}
	return want
}

// open gives a first message to Bob; only what decrypts makes a session.
func (p *pair) open(to *side, s sent, genuine bool) interop.Verdict {
	p.t.Helper()
	session, err := to.account.Inbound(p.other(to).account.IdentityKey(), s.Message)
	p.must(err)
	m := &model{skippedInAll: to.SkippedInAll(), receivers: []*received{{chain: s.chain}}}
	want := m.receive(s, genuine)
	plaintext, err := session.Decrypt(s.Message)
	p.check(to.Implementation, s, want, plaintext, err)
	if err != nil {
		return want
	}
	p.must(to.account.Consume(session))
	to.session, to.model, to.seen = session, m, append(to.seen, s)
	if id, other := session.ID(), p.other(to).session.ID(); id != other {
		p.t.Fatalf("session ids: %s of %s, %s of %s", id, to.Name(), other, p.other(to).Name())
	}
	if _, err := to.account.Inbound(p.other(to).account.IdentityKey(), s.Message); err == nil {
		p.t.Fatalf("%s opens a second session with a one-time key that was used", to.Name())
	}
	return want
}

func (p *pair) matches(to *side, s sent) {
	p.t.Helper()
	ok, err := to.session.Matches(p.other(to).account.IdentityKey(), s.Message)
	p.must(err)
	if !ok {
		p.t.Fatalf("%s: a pre-key message of this session does not match it", to.Name())
	}
}

// check compares an answer with a verdict, in the implementation's own words.
func (p *pair) check(impl interop.Implementation, s sent, want interop.Verdict, plaintext []byte, err error) {
	p.t.Helper()
	if !errors.Is(err, impl.Error(want)) {
		p.t.Fatalf("%s: index %d: got %v, expected %v (%v)", impl.Name(), s.index, err, want, impl.Error(want))
	}
	if err == nil && !bytes.Equal(plaintext, s.plaintext) {
		p.t.Fatalf("%s: decrypted %q, expected %q", impl.Name(), plaintext, s.plaintext)
	}
}

// compare shows the message to every implementation in the state before it,
// which must then be in the state after it.
func (p *pair) compare(to *side, s sent, before, after pickle.Session, want interop.Verdict) {
	p.t.Helper()
	for _, impl := range interop.All() {
		if impl.Name() == to.Name() {
			continue
		}
		copied, err := impl.Restore(before)
		p.must(err)
		kept := before.Skipped[:min(len(before.Skipped), impl.SkippedInAll())]
		expected := want
		if isSkipped(before, s) && !contains(kept, s) {
			if expected == interop.Accepted {
				p.reached[onlyPawl]++
			}
			expected = interop.KeyGone
		}
		plaintext, err := copied.Decrypt(s.Message)
		p.check(impl, s, expected, plaintext, err)
		got := p.state(copied)
		if fits(before, after, got) && !equalStates(got, after) {
			p.t.Fatalf("%s comes to another state than %s:\n%s\n%s", impl.Name(), to.Name(), describe(got), describe(after))
		}
	}
}

// fits says that no state has so many skipped keys that one implementation may
// have dropped some and another not.
func fits(states ...pickle.Session) bool {
	return !slices.ContainsFunc(states, func(s pickle.Session) bool { return len(s.Skipped) >= maxPerChain })
}

// describe shows the public parts of a state in a line.
func describe(s pickle.Session) string {
	out := fmt.Sprintf("received %v", s.Received)
	if s.Sender != nil {
		out += fmt.Sprintf(", sending %x at %d", s.Sender.Public[:4], s.Sender.Index)
	}
	for _, r := range s.Receivers {
		out += fmt.Sprintf(", receiving %x at %d, skipped", r.RatchetKey[:4], r.Index)
		for _, k := range record.SkippedOf(s, r.RatchetKey) {
			out += fmt.Sprintf(" %d", k.Index)
		}
	}
	return out
}

// isSkipped says whether the message is one that its chain has passed.
func isSkipped(state pickle.Session, s sent) bool {
	key := interop.RatchetKey(s.Message)
	return slices.ContainsFunc(state.Receivers, func(r pickle.ReceiverChain) bool {
		return r.RatchetKey == key && int(r.Index) > s.index
	})
}

func contains(keys []pickle.SkippedKey, s sent) bool {
	key := interop.RatchetKey(s.Message)
	return slices.ContainsFunc(keys, func(k pickle.SkippedKey) bool {
		return k.RatchetKey == key && int(k.Index) == s.index
	})
}

func (p *pair) state(s interop.Session) pickle.Session {
	p.t.Helper()
	state, err := s.State()
	p.must(err)
	return state
}

// equalStates compares as records, which order the skipped keys and leave out
// those of chains that are gone.
func equalStates(a, b pickle.Session) bool { return bytes.Equal(record.Encode(a), record.Encode(b)) }
