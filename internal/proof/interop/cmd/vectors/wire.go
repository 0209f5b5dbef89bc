//go:build libolm

package main

import (
	"errors"
	"fmt"

	"github.com/pawlkv/pawl/internal/proof/interop"
	"github.com/pawlkv/pawl/internal/proof/interop/pickle"
)

// trial is one message to be shown to Bob.
type trial struct {
	name, setup string
	typ         int
	body        []byte
	want        interop.Verdict
	plaintext   string // of accepted ones
	stricter    string // why Pawl refuses what libolm accepts
}

// bench is Bob in a state that messages are tried on. Each trial gets a fresh
// copy.
type bench struct {
	d       *dialogue
	comment string
	steps   []Step
	account pickle.Account
	session *pickle.Session // nil: the message has to open one
	sender  pickle.SenderChain
}

const (
	fresh    = "fresh"
	opened   = "opened"
	answered = "answered"
)

func makeWire() (File, error) {
	benches, err := makeBenches()
	if err != nil {
		return File{}, err
	}
	trials := append(normalTrials(benches[opened]), turnTrials(benches[answered])...)
	trials = append(trials, preKeyTrials(benches[fresh])...)
	trials = append(trials, secondPreKeyTrials(benches[opened])...)
	var vectors []Wire
	var failed error
	for _, t := range trials {
		v, err := benches[t.setup].run(t)
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s: %w", t.name, err))
		}
		vectors = append(vectors, v)
	}
	if failed != nil {
		return File{}, failed
	}
	setups := map[string]Setup{}
	for name, b := range benches {
		setups[name] = Setup{Comment: b.comment, Bob: b.d.bobDevice(), Steps: b.steps}
	}
	return File{
		Kind:        "olm-wire",
		Description: "One message shown to Bob in one of three states: what becomes of it here, and what libolm says.",
		Expect: verdictNames(interop.Accepted, interop.Malformed, interop.WrongVersion, interop.WrongMAC,
			interop.KeyGone, interop.Gap, interop.UnknownChain, interop.ZeroSecret),
		Setups:  setups,
		Vectors: vectors,
	}, nil
}

func makeBenches() (map[string]bench, error) {
	d, err := newDialogue()
	if err != nil {
		return nil, err
	}
	s := &script{dialogue: d}
	first := s.says("alice")
	benches := map[string]bench{fresh: d.bench("no session yet: parse, open with Bob's keys, decrypt", nil)}
	s.do(func() error { return s.open(first) })
	s.hears("bob", first, interop.Accepted)
	if s.err != nil {
		return nil, s.err
	}
	benches[opened] = d.bench("Bob has decrypted Alice's first message and sent nothing", d.session["bob"])
	s.hears("alice", s.says("bob"), interop.Accepted)
	bobAnswered := d.bench("Bob has answered: a new ratchet key of Alice's is expected", d.session["bob"])
	s.says("alice")
	if s.err != nil {
		return nil, s.err
	}
	turned := d.bench("", nil)
	bobAnswered.sender = turned.sender
	benches[answered] = bobAnswered
	return benches, nil
}

// bench copies what is now: Bob's state, the steps so far and Alice's sender chain.
func (d *dialogue) bench(comment string, session interop.Session) bench {
	b := bench{d: d, comment: comment, account: d.bob}
	for _, s := range d.steps {
		b.steps = append(b.steps, d.standalone(s))
	}
	if session != nil {
		state, err := session.State()
		if err != nil {
			panic(err) // libolm cannot fail to pickle a session it has
		}
		b.session = &state
	}
	alice, err := d.session["alice"].State()
	if err != nil {
		panic(err)
	}
	if alice.Sender != nil {
		b.sender = *alice.Sender
	}
	return b
}

// standalone makes a step of Bob's that refers to no other step.
func (d *dialogue) standalone(s Step) Step {
	if s.Message != nil {
		m := d.messages[*s.Message]
		s.Message, s.Type, s.Body = nil, &m.Type, m.Body
	}
	return s
}

var errLenient = errors.New("libolm accepts, Pawl does not, and no reason is given")

func (b bench) run(t trial) (Wire, error) {
	v := Wire{Name: t.name, Comment: t.stricter, Setup: t.setup, Type: t.typ, Body: t.body, Expect: t.want.String()}
	plaintext, err := b.show(interop.Message{Type: t.typ, Body: t.body})
	v.Libolm = libolmName(err)
	switch {
	case t.want == interop.Accepted && (err != nil || string(plaintext) != t.plaintext):
		return v, fmt.Errorf("libolm: %q, %w", plaintext, err)
	case t.want != interop.Accepted && err == nil && t.stricter == "":
		return v, errLenient
	case t.want != interop.Accepted && err != nil && t.stricter != "":
		return v, fmt.Errorf("libolm refuses this too: %w", err)
	}
	if t.want == interop.Accepted {
		v.Plaintext = ptr(Hex(t.plaintext))
	}
	if t.want != interop.Malformed && t.want != interop.WrongVersion {
		v.Fields, err = readFields(t.typ, t.body)
		return v, err
	}
	return v, nil
}

// show gives m to libolm's Bob.
func (b bench) show(m interop.Message) ([]byte, error) {
	var s interop.Session
	if b.session != nil {
		var err error
		if s, err = (interop.Libolm{}).Restore(*b.session); err != nil {
			return nil, err
		}
		return s.Decrypt(m)
	}
	a, err := interop.Libolm{}.RestoreAccount(b.account)
	if err != nil {
		return nil, err
	}
	if s, err = a.InboundAny(m); err != nil {
		return nil, err
	}
	return s.Decrypt(m)
}
