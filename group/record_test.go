package group

import (
	"bytes"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/pawlkv/pawl/internal/record"
	"github.com/pawlkv/pawl/internal/record/recordtest"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/otk"
	"github.com/pawlkv/pawl/ratchet"
)

var noon = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)

var usual = Settings{Messages: DefaultMessages, Age: DefaultAge, Visibility: Shared, Strategy: CrossSigned}

func mustOutbound(t tester, s Sender) Outbound {
	t.Helper()
	o, err := NewOutbound(room, s, usual, record.Moment{Time: noon, Order: 7}, 3)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func sampleInbound(t tester) Inbound {
	source := Source{Provenance: Direct, Sender: [32]byte{1}, Claimed: [32]byte{2}, SharedHistory: true}
	in := mustInbound(t, NewCopy(chain[600], source))
	for p, index := range map[Provenance]uint32{Forwarded: 512, Bundle: 300, Backup: 256, File: 0} {
		in = in.Join(mustInbound(t, NewCopy(chain[index], Source{Provenance: p, Sender: [32]byte{1}, Giver: [32]byte{byte(p)}})))
	}
	return in
}

var sampleShare = Share{
	Room: room, Session: SessionID{4}, User: "@bob:example.org", Device: "PHONE", Key: ratchet.PublicKey{5},
	Outcome: Given, Index: 17, Over: ratchet.SessionID{6}, At: record.Moment{Time: noon, Order: 9},
}

var sampleWithheld = Withheld{
	Room: room, Session: SessionID{4}, Sender: ratchet.PublicKey{5}, From: "@bob:example.org", Code: Unverified,
	Reason: "not verified", At: noon,
}

func TestRecordsAreStrict(t *testing.T) {
	recordtest.Strict(t, sampleInbound(t), DecodeInbound)
	recordtest.Strict(t, sampleInbound(t).Forget(300), DecodeInbound)
	recordtest.Strict(t, sampleInbound(t).Forget(Whole), DecodeInbound)
	o := mustOutbound(t, mustSender(t, 40))
	recordtest.Strict(t, o, DecodeOutbound)
	recordtest.Strict(t, o.Sent(o.Sender(), noon).Retire(SomebodyLeft, noon), DecodeOutbound)
	recordtest.Strict(t, sampleShare, DecodeShare)
	recordtest.Strict(t, Share{Room: room, User: "@bob:example.org", Device: "D", Outcome: NotReached}, DecodeShare)
	recordtest.Strict(t, Share{Room: room, User: "@bob:example.org", Device: "D", Outcome: NotTaken}, DecodeShare)
	recordtest.Strict(t, sampleWithheld, DecodeWithheld)
}

// TestRecordSizes: what a message writes fits a kilobyte with room to spare, also
// sealed (41 bytes) and in a room with the longest id.
func TestRecordSizes(t *testing.T) {
	longest := matrix.RoomID("!" + strings.Repeat("x", matrix.MaxLength-1))
	s := mustSender(t, 41)
	st := *s.state.Peek()
	st.ratchet.advance(maxIndex)
	o, err := NewOutbound(longest, restored(st), usual, record.Moment{Time: time.UnixMilli(record.MaxMillis), Order: math.MaxUint64}, math.MaxUint32)
	if err != nil {
		t.Fatal(err)
	}
	o = o.Sent(o.Sender(), time.UnixMilli(record.MaxMillis)).Retire(Asked, time.UnixMilli(record.MaxMillis))
	for name, test := range map[string]struct {
		v   recordtest.Encoder
		max int
	}{
		"outbound, longest": {o, 580},
		"outbound":          {mustOutbound(t, s), 370},
		"inbound":           {mustInbound(t, NewCopy(s.Key(), Source{Provenance: Direct, Claimed: [32]byte{1}})), 330},
		"inbound, longest":  {sampleInbound(t), 1700},
		"share":             {sampleShare, 220},
	} {
		if b, err := test.v.Encode(); err != nil || len(b) > test.max {
			t.Errorf("%s: %d bytes, %v; want at most %d", name, len(b), err, test.max)
		}
	}
}

// TestReadersRefuse: what no writer writes.
func TestReadersRefuse(t *testing.T) {
	in := sampleInbound(t)
	edit := func(change func(*Inbound)) []byte {
		c := in
		c.copies = in.Copies()
		change(&c)
		return encoded(t, c)
	}
	late := mustAdvance(t, in.copies[4].Key, 3)
	for name, b := range map[string][]byte{
		"copies out of order":           edit(func(in *Inbound) { in.copies[0], in.copies[1] = in.copies[1], in.copies[0] }),
		"one provenance twice":          edit(func(in *Inbound) { in.copies[1].Provenance = Direct }),
		"provenance 0":                  edit(func(in *Inbound) { in.copies[4].Provenance = 0 }),
		"provenance 6":                  edit(func(in *Inbound) { in.copies[0].Provenance = 6 }),
		"a covered copy":                edit(func(in *Inbound) { in.copies[4].first = 256 }),
		"a key that is advanced":        edit(func(in *Inbound) { in.copies[4].Key = late }),
		"a key below the floor":         edit(func(in *Inbound) { in.floor = 7 }),
		"no copies":                     edit(func(in *Inbound) { in.copies = nil }),
		"copies though all is forgot":   edit(func(in *Inbound) { in.floor = Whole }),
		"a floor beyond the last index": edit(func(in *Inbound) { in.floor = Whole + 1 }),
		"no room":                       edit(func(in *Inbound) { in.room = "room" }),
	} {
		if _, err := DecodeInbound(b); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %v, want ErrFormat", name, err)
		}
	}
	o := mustOutbound(t, mustSender(t, 42))
	for name, change := range map[string]func(*Outbound){
		"retired for nothing": func(o *Outbound) { o.retired = noon },
		"a reason and no end": func(o *Outbound) { o.why = Asked },
		"reason 9":            func(o *Outbound) { o.why, o.retired = 9, noon },
		"no messages":         func(o *Outbound) { o.settings.Messages = 0 },
		"10,001 messages":     func(o *Outbound) { o.settings.Messages = MaxMessages + 1 },
		"an age of a minute":  func(o *Outbound) { o.settings.Age = time.Minute },
		"visibility 0":        func(o *Outbound) { o.settings.Visibility = 0 },
		"strategy 5":          func(o *Outbound) { o.settings.Strategy = 5 },
		"no room":             func(o *Outbound) { o.room = "" },
	} {
		bad := o
		change(&bad)
		b, err := bad.Encode()
		if _, decodeErr := DecodeOutbound(b); err != nil || !errors.Is(decodeErr, ErrFormat) {
			t.Errorf("%s: %v, %v, want ErrFormat", name, err, decodeErr)
		}
	}
}

func TestSharesOfOneOutcome(t *testing.T) {
	for name, change := range map[string]func(*Share){
		"given over nothing": func(s *Share) { s.Over = ratchet.SessionID{} },
		"given with a code":  func(s *Share) { s.Code = Blacklisted },
		"withheld, no code":  func(s *Share) { s.Outcome, s.Index, s.Over = NotGiven, 0, ratchet.SessionID{} },
		"withheld, an index": func(s *Share) { s.Outcome, s.Over, s.Code = NotGiven, ratchet.SessionID{}, Unverified },
		"unreached, a code":  func(s *Share) { s.Outcome, s.Index, s.Over, s.Code = NotReached, 0, ratchet.SessionID{}, NoOlm },
		"outcome 0":          func(s *Share) { s.Outcome, s.Index, s.Over = 0, 0, ratchet.SessionID{} },
		"outcome 5":          func(s *Share) { s.Outcome, s.Index, s.Over = 5, 0, ratchet.SessionID{} },
		"a code of 65 bytes": func(s *Share) {
			s.Outcome, s.Index, s.Over, s.Code = NotGiven, 0, ratchet.SessionID{}, Code(make([]byte, 65))
		},
		"a user that is none": func(s *Share) { s.User = "bob" },
	} {
		s := sampleShare
		change(&s)
		if b, err := s.Encode(); err == nil {
			t.Errorf("%s is written as %x", name, b)
		}
	}
	withheld := Share{Room: room, User: "@b:x", Device: "D", Outcome: NotGiven, Code: Unverified}
	if _, err := withheld.Encode(); err != nil {
		t.Error(err)
	}
}

func TestWithheld(t *testing.T) {
	long := sampleWithheld
	long.Reason = strings.Repeat("ä", 200) + "\xff"
	w, err := NewWithheld(long)
	if err != nil || len(w.Reason) != 254 {
		t.Errorf("a long reason is cut to %d bytes, %v", len(w.Reason), err)
	}
	recordtest.Strict(t, w, DecodeWithheld)
	for name, change := range map[string]func(*Withheld){
		"no code":            func(w *Withheld) { w.Code = "" },
		"a code of 65 bytes": func(w *Withheld) { w.Code = Code(strings.Repeat("x", 65)) },
		"a code in no text":  func(w *Withheld) { w.Code = "\xff" },
		"no sender":          func(w *Withheld) { w.From = "" },
	} {
		bad := sampleWithheld
		change(&bad)
		_, err := NewWithheld(bad)
		if _, encodeErr := bad.Encode(); err == nil || encodeErr == nil {
			t.Errorf("%s: %v, %v, want errors", name, err, encodeErr)
		}
	}
}

// TestNoticesExplain: they say why a key is missing, and nothing of other failures.
func TestNoticesExplain(t *testing.T) {
	early := &IndexError{First: 5, Index: 2}
	for _, test := range []struct {
		err  error
		want bool
	}{
		{ErrNoKey, true}, {early, true}, {nil, false}, {ErrMAC, false}, {ErrSignature, false}, {ErrForgotten, false},
	} {
		got := sampleWithheld.Explain(test.err)
		var explained *WithheldError
		if errors.As(got, &explained) != test.want || !errors.Is(got, test.err) {
			t.Errorf("%v is explained as %v", test.err, got)
		}
		if test.want && (explained.Code != Unverified || explained.Reason != "not verified") {
			t.Errorf("%v is explained with %+v", test.err, explained)
		}
		if !test.want && got != test.err {
			t.Errorf("%v became %v", test.err, got)
		}
	}
}

func TestDue(t *testing.T) {
	s := mustSender(t, 43)
	fresh := mustOutbound(t, s)
	used := func(n uint32) Outbound {
		st := *s.state.Peek()
		st.ratchet.advance(n)
		return fresh.Sent(restored(st), noon)
	}
	with := func(change func(*Settings)) Settings {
		c := usual
		change(&c)
		return c
	}
	for _, test := range []struct {
		name     string
		o        Outbound
		settings Settings
		now      time.Time
		keysFrom uint32
		want     Why
	}{
		{"fresh", fresh, usual, noon, 3, Kept},
		{"99 messages", used(99), usual, noon, 3, Kept},
		{"100 messages", used(100), usual, noon, 3, TooManyMessages},
		{"fewer messages now", used(5), with(func(s *Settings) { s.Messages = 5 }), noon, 3, TooManyMessages},
		{"more messages now", used(5), with(func(s *Settings) { s.Messages = 500 }), noon, 3, SettingsChanged},
		{"beyond any number", used(maxIndex), with(func(s *Settings) { s.Messages = math.MaxInt }), noon, 3, TooManyMessages},
		{"a week less a moment", fresh, usual, noon.Add(DefaultAge - time.Millisecond), 3, Kept},
		{"a week", fresh, usual, noon.Add(DefaultAge), 3, TooOld},
		{"a shorter age now", fresh, with(func(s *Settings) { s.Age = 0 }), noon.Add(time.Hour), 3, TooOld},
		{"a clock that went back a minute", fresh, usual, noon.Add(-time.Minute), 3, Kept},
		{"a clock that went back a year", fresh, usual, noon.Add(-MaxAge), 3, TooOld},
		{"a clock that says nothing", fresh, usual, time.Time{}, 3, TooOld},
		{"history no longer shared", fresh, with(func(s *Settings) { s.Visibility = Joined }), noon, 3, VisibilityChanged},
		{"shared otherwise", fresh, with(func(s *Settings) { s.Visibility = WorldReadable }), noon, 3, Kept},
		{"another strategy", fresh, with(func(s *Settings) { s.Strategy = Verified }), noon, 3, SettingsChanged},
		{"a recovery since", fresh, usual, noon, 50, Recovered},
		{"retired", fresh.Retire(SomebodyLeft, noon).Retire(Asked, noon), usual, noon, 3, SomebodyLeft},
	} {
		if got := test.o.Due(test.settings, test.now, otk.ID(test.keysFrom)); got != test.want {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
	}
	if at, why := fresh.Retire(Asked, time.Time{}).Retired(); at.IsZero() || why != Asked {
		t.Errorf("retired by a clock that says nothing: %v, %v", at, why)
	}
}

func TestSettingsAreClamped(t *testing.T) {
	for _, test := range []struct{ messages, want int }{{0, 1}, {-5, 1}, {1, 1}, {MaxMessages, MaxMessages}, {math.MaxInt, MaxMessages}, {math.MinInt, 1}} {
		if got := (Settings{Messages: test.messages}).Clamped().Messages; got != test.want {
			t.Errorf("%d messages became %d, want %d", test.messages, got, test.want)
		}
	}
	for _, test := range []struct{ age, want time.Duration }{{0, MinAge}, {-1, MinAge}, {MaxAge + 1, MaxAge}, {math.MaxInt64, MaxAge}, {math.MinInt64, MinAge}} {
		if got := (Settings{Age: test.age}).Clamped().Age; got != test.want {
			t.Errorf("an age of %v became %v, want %v", test.age, got, test.want)
		}
	}
	if _, err := NewOutbound(room, mustSender(t, 44), Settings{}, record.Moment{Time: noon}, 0); err != ErrSettings {
		t.Errorf("no visibility: %v, want ErrSettings", err)
	}
	if _, err := NewOutbound(room, Sender{}, usual, record.Moment{Time: noon}, 0); err != ErrNoKey {
		t.Errorf("no sender: %v, want ErrNoKey", err)
	}
	if b, err := (Outbound{}).Encode(); err != ErrNoKey || b != nil {
		t.Errorf("the zero Outbound: %v, want ErrNoKey", err)
	}
	if b, err := (Inbound{}).Encode(); err != ErrNoKey || b != nil {
		t.Errorf("the zero Inbound: %v, want ErrNoKey", err)
	}
}

// TestOutboundKeeps: what is read is what was written.
func TestOutboundKeeps(t *testing.T) {
	s, body := mustEncrypt(t, mustSender(t, 45), "text")
	o := mustOutbound(t, mustSender(t, 45)).Sent(s, noon.Add(time.Hour))
	b, err := o.Encode()
	if err != nil {
		t.Fatal(err)
	}
	back, err := DecodeOutbound(b)
	if err != nil || back.ID() != s.ID() || back.Room() != room || back.Settings() != usual || !back.SharedHistory() ||
		back.Begun() != o.Begun() || !back.LastSent().Equal(noon.Add(time.Hour)) || back.Sender().Index() != 1 {
		t.Fatalf("read as %v %v, %v", back.Settings(), back.Begun(), err)
	}
	_, one := mustEncrypt(t, s, "next")
	_, two := mustEncrypt(t, back.Sender(), "next")
	if !bytes.Equal(one, two) || bytes.Equal(one, body) {
		t.Error("the sender that was read makes another message")
	}
}
