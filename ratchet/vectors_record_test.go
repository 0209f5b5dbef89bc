package ratchet_test

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/pawlkv/pawl/internal/testfiles"
	"github.com/pawlkv/pawl/ratchet"
)

// recordVector is a session record and what it means.
type recordVector struct {
	Name    string        `json:"name"`
	Comment string        `json:"comment"`
	Record  testfiles.Hex `json:"record"`
	Expect  string        `json:"expect"`
	Fields  *recordFields `json:"fields"`
	Steps   []vectorStep  `json:"steps"`
}

// recordFields are the fields of a record, in their order.
type recordFields struct {
	Initiated   bool           `json:"initiated"`
	Received    bool           `json:"received"`
	IdentityKey testfiles.Hex  `json:"identity_key"`
	BaseKey     testfiles.Hex  `json:"base_key"`
	OneTimeKey  testfiles.Hex  `json:"one_time_key"`
	SessionID   string         `json:"session_id"`
	RootKey     testfiles.Hex  `json:"root_key"`
	Sender      *recordSender  `json:"sender"`
	Receivers   []recordChains `json:"receivers"`
}

type recordSender struct {
	Public   testfiles.Hex `json:"public"`
	Private  testfiles.Hex `json:"private"`
	ChainKey testfiles.Hex `json:"chain_key"`
	Index    uint32        `json:"index"`
}

type recordChains struct {
	RatchetKey testfiles.Hex   `json:"ratchet_key"`
	ChainKey   testfiles.Hex   `json:"chain_key"`
	Index      uint32          `json:"index"`
	Skipped    []recordSkipped `json:"skipped"`
}

type recordSkipped struct {
	Index uint32        `json:"index"`
	Key   testfiles.Hex `json:"key"`
}

func runRecords(t *testing.T, f testfiles.Vectors) {
	for _, v := range testfiles.List[recordVector](t, f) {
		t.Run(v.Name, func(t *testing.T) { v.run(t, f) })
	}
}

func (v recordVector) run(t *testing.T, f testfiles.Vectors) {
	s, err := ratchet.DecodeSession(v.Record)
	f.Want(t, v.Expect, err)
	if err != nil {
		return
	}
	if got := record(t, s); !bytes.Equal(got, v.Record) {
		t.Fatalf("decoded and encoded again:\n%x\nexpected\n%x", got, v.Record)
	}
	if got := v.Fields.encode(); !bytes.Equal(got, v.Record) {
		t.Fatalf("the fields make\n%x\nbut the record is\n%x", got, v.Record)
	}
	v.Fields.compare(t, s)
	by := "bob"
	if v.Fields.Initiated {
		by = "alice"
	}
	p := player{file: f, sessions: map[string]ratchet.Session{by: s}}
	p.play(t, v.Steps)
}

// encode writes the fields one after the other, as docs/format.md says.
func (r recordFields) encode() []byte {
	b := []byte{1, 0}
	for bit, set := range []bool{r.Initiated, r.Received, r.Sender != nil} {
		if set {
			b[1] |= 1 << bit
		}
	}
	for _, key := range [][]byte{r.IdentityKey, r.BaseKey, r.OneTimeKey, r.RootKey} {
		b = append(b, key...)
	}
	if c := r.Sender; c != nil {
		b = append(append(append(b, c.Public...), c.Private...), c.ChainKey...)
		b = binary.BigEndian.AppendUint32(b, c.Index)
	}
	b = append(b, byte(len(r.Receivers)))
	for _, c := range r.Receivers {
		b = append(append(b, c.RatchetKey...), c.ChainKey...)
		b = binary.BigEndian.AppendUint32(b, c.Index)
		b = append(b, byte(len(c.Skipped)))
		for _, k := range c.Skipped {
			b = append(binary.BigEndian.AppendUint32(b, k.Index), k.Key...)
		}
	}
	return b
}

// compare checks what a session shows of itself.
func (r recordFields) compare(t *testing.T, s ratchet.Session) {
	t.Helper()
	if s.Initiated() != r.Initiated || s.HasReceived() != r.Received || s.ID().String() != r.SessionID {
		t.Errorf("initiated %v, received %v, id %v", s.Initiated(), s.HasReceived(), s.ID())
	}
	sender, ok := s.SenderChain()
	if ok != (r.Sender != nil) {
		t.Fatalf("sender chain: %v", ok)
	}
	if ok && (sender.RatchetKey != ratchet.PublicKey(r.Sender.Public) || sender.Index != r.Sender.Index) {
		t.Errorf("sender chain %+v", sender)
	}
	receivers := s.ReceiverChains()
	if len(receivers) != len(r.Receivers) {
		t.Fatalf("%d receiver chains, expected %d", len(receivers), len(r.Receivers))
	}
	for i, c := range r.Receivers {
		want := ratchet.ChainInfo{RatchetKey: ratchet.PublicKey(c.RatchetKey), Index: c.Index, Skipped: len(c.Skipped)}
		if receivers[i] != want {
			t.Errorf("receiver chain %d is %+v, expected %+v", i, receivers[i], want)
		}
	}
}
