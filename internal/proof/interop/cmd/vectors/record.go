//go:build libolm

package main

import (
	"bytes"
	"fmt"

	"github.com/pawlkv/pawl/internal/proof/interop"
	"github.com/pawlkv/pawl/internal/proof/interop/pickle"
	"github.com/pawlkv/pawl/internal/proof/interop/record"
)

// Record is a session record, what it says, and proof that it means it.
type Record struct {
	Name    string        `json:"name"`
	Comment string        `json:"comment,omitempty"`
	Record  Hex           `json:"record"`
	Expect  string        `json:"expect"`
	Fields  *RecordFields `json:"fields,omitempty"`
	Steps   []Step        `json:"steps,omitempty"`
}

// RecordFields are the fields of a record in their order.
type RecordFields struct {
	Initiated   bool             `json:"initiated"`
	Received    bool             `json:"received"`
	IdentityKey Hex              `json:"identity_key"`
	BaseKey     Hex              `json:"base_key"`
	OneTimeKey  Hex              `json:"one_time_key"`
	SessionID   string           `json:"session_id"`
	RootKey     Hex              `json:"root_key"`
	Sender      *RecordSender    `json:"sender"`
	Receivers   []RecordReceiver `json:"receivers"`
}

// RecordSender is the sender chain.
type RecordSender struct {
	Public   Hex    `json:"public"`
	Private  Hex    `json:"private"`
	ChainKey Hex    `json:"chain_key"`
	Index    uint32 `json:"index"`
}

// RecordReceiver is a receiver chain.
type RecordReceiver struct {
	RatchetKey Hex             `json:"ratchet_key"`
	ChainKey   Hex             `json:"chain_key"`
	Index      uint32          `json:"index"`
	Skipped    []RecordSkipped `json:"skipped"`
}

// RecordSkipped is a key kept for a message that was passed over.
type RecordSkipped struct {
	Index uint32 `json:"index"`
	Key   Hex    `json:"key"`
}

// expectFormat is the refusal of a record.
const expectFormat = "format"

var records = []struct {
	name, by string
	play     func(*script)
}{
	{"new outbound session", "alice", func(*script) {}},
	{"outbound session after three messages", "alice", func(s *script) { s.sayMany("alice", 3) }},
	{"inbound session after its first message", "bob", func(s *script) { s.meet() }},
	{"inbound session that has answered", "bob", func(s *script) { s.meet(); s.says("bob") }},
	{"outbound session after an answer", "alice", func(s *script) { s.meet(); s.hears("alice", s.says("bob"), interop.Accepted) }},
	{"three skipped keys", "bob", func(s *script) { s.meet(); s.hears("bob", s.sayMany("alice", 4)[3], interop.Accepted) }},
	{"forty skipped keys", "bob", func(s *script) { s.meet(); s.hears("bob", s.sayMany("alice", 41)[40], interop.Accepted) }},
	{"five chains, two skipped keys in each", "bob", func(s *script) {
		s.meet()
		for range maxChains {
			s.hears("bob", s.sayMany("alice", 3)[2], interop.Accepted)
			s.hears("alice", s.says("bob"), interop.Accepted)
		}
	}},
}

func makeRecords() (File, error) {
	var vectors []Record
	for _, r := range records {
		v, err := makeRecord(r.name, r.by, r.play)
		if err != nil {
			return File{}, fmt.Errorf("%s: %w", r.name, err)
		}
		vectors = append(vectors, v)
	}
	vectors = append(vectors, damagedRecords(vectors)...)
	return File{
		Kind:        "pawl-session-record",
		Description: "Session records of format version 1 with the meaning of every field, and what the session does next. The states are libolm's.",
		Expect:      []string{interop.Accepted.String(), expectFormat},
		Vectors:     vectors,
	}, nil
}

// makeRecord writes down the state of by, and then what it does next.
func makeRecord(name, by string, play func(*script)) (Record, error) {
	d, err := newDialogue()
	if err != nil {
		return Record{}, err
	}
	s := &script{dialogue: d}
	if play(s); s.err != nil {
		return Record{}, s.err
	}
	state, err := d.session[by].State()
	if err != nil {
		return Record{}, err
	}
	before := len(d.steps)
	if d.session["bob"] != nil {
		other := map[string]string{"alice": "bob", "bob": "alice"}[by]
		s.hears(by, s.says(other), interop.Accepted)
	}
	s.says(by)
	v := Record{Name: name, Record: record.Encode(state), Expect: interop.Accepted.String(), Fields: fieldsOf(state, d.session[by].ID())}
	for _, step := range d.steps[before:] {
		if step.By == by {
			v.Steps = append(v.Steps, d.standaloneWithPlaintext(step))
		}
	}
	return v, s.err
}

// standaloneWithPlaintext is standalone, with what an accepted message says.
func (d *dialogue) standaloneWithPlaintext(s Step) Step {
	if s.Message != nil {
		for i, n := 0, 0; i < len(d.steps); i++ {
			if d.steps[i].Do != "encrypt" {
				continue
			}
			if n == *s.Message {
				s.Plaintext = d.steps[i].Plaintext
			}
			n++
		}
	}
	return d.standalone(s)
}

func fieldsOf(state pickle.Session, id string) *RecordFields {
	f := &RecordFields{
		Initiated: state.Initiated, Received: state.Received,
		IdentityKey: state.IdentityKey[:], BaseKey: state.BaseKey[:], OneTimeKey: state.OneTimeKey[:],
		SessionID: id, RootKey: state.RootKey[:], Receivers: []RecordReceiver{},
	}
	if c := state.Sender; c != nil {
		f.Sender = &RecordSender{Public: c.Public[:], Private: c.Private[:], ChainKey: c.ChainKey[:], Index: c.Index}
	}
	for _, c := range state.Receivers {
		r := RecordReceiver{RatchetKey: c.RatchetKey[:], ChainKey: c.ChainKey[:], Index: c.Index, Skipped: []RecordSkipped{}}
		for _, k := range record.SkippedOf(state, c.RatchetKey) {
			r.Skipped = append(r.Skipped, RecordSkipped{Index: k.Index, Key: k.MessageKey[:]})
		}
		f.Receivers = append(f.Receivers, r)
	}
	return f
}

// Offsets in a record without a sender chain, of an inbound session.
const (
	offsetFlags     = 1
	offsetCount     = 2 + 4*32
	offsetReceiver  = offsetCount + 1
	offsetSkipCount = offsetReceiver + 2*32 + 4
)

func damagedRecords(good []Record) []Record {
	var out []Record
	add := func(name, comment string, b []byte) {
		out = append(out, Record{Name: "damaged: " + name, Comment: comment, Record: b, Expect: expectFormat})
	}
	outbound, inbound, skipped := good[0].Record, good[2].Record, good[5].Record
	change := func(b []byte, at int, to byte) []byte {
		c := bytes.Clone(b)
		c[at] = to
		return c
	}
	add("empty", "", Hex{})
	add("version 0", "", change(inbound, 0, 0))
	add("version 2", "a newer program's", change(inbound, 0, 2))
	add("unknown flag", "", change(inbound, offsetFlags, inbound[offsetFlags]|0x80))
	add("one byte too many", "", append(bytes.Clone(inbound), 0))
	for _, r := range []Hex{outbound, skipped} {
		for _, keep := range []int{1, 2, 100, len(r) - 1} {
			add(fmt.Sprintf("cut after %d of %d bytes", keep, len(r)), "", r[:keep])
		}
	}
	add("six receiver chains", "", append(change(inbound, offsetCount, 6), bytes.Repeat(inbound[offsetReceiver:], 5)...))
	add("one ratchet key in two chains", "", append(change(inbound, offsetCount, 2), inbound[offsetReceiver:]...))
	add("forty-one skipped keys", "", append(change(inbound, offsetSkipCount, 41), make([]byte, 41*36)...))
	add("no chain at all", "an inbound session has its first receiver chain", change(inbound[:offsetReceiver], offsetCount, 0))
	add("skipped keys not ascending", "", swap(skipped, offsetSkipCount+1, 36))
	add("skipped key not behind its chain", "", change(skipped, offsetSkipCount+1+2*36+3, 200))
	return out
}

// swap exchanges the two neighbours of n bytes at offset at.
func swap(b []byte, at, n int) []byte {
	c := bytes.Clone(b)
	copy(c[at:], b[at+n:at+2*n])
	copy(c[at+n:], b[at:at+n])
	return c
}
