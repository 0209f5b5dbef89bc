package session

import (
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/pawlkv/pawl/internal/record"
	"github.com/pawlkv/pawl/ratchet"
)

func TestNextStampIsAfterAllOthers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now := time.UnixMilli(rapid.Int64().Draw(t, "now"))
		stamp := rapid.Map(rapid.Int64Range(0, record.MaxMillis-1), func(n int64) Stamp { return Stamp(n) })
		others := rapid.SliceOf(stamp).Draw(t, "others")
		next := NextStamp(now, others...)
		if next < 1 || next > record.MaxMillis || NextStamp(next.Time()) != next {
			t.Fatalf("stamp %d does not survive as a time", next)
		}
		for _, other := range others {
			if next <= other {
				t.Fatalf("stamp %d is not after %d", next, other)
			}
		}
	})
	if got := NextStamp(time.UnixMilli(50), 40); got != 50 {
		t.Errorf("a clock that moves on gives %d, want 50", got)
	}
	if got := NextStamp(time.UnixMilli(50), 50, 99); got != 100 {
		t.Errorf("a clock that went back gives %d, want 100", got)
	}
	if got := NextStamp(time.Unix(math.MaxInt64/2, 0), record.MaxMillis); got != record.MaxMillis {
		t.Errorf("the end of time gives %d", got)
	}
}

// at returns a tombstone-free session with these stamps; only its id is real.
func at(s Session, created, received, sent Stamp) Session {
	s.created, s.lastReceived, s.lastSent = created, received, sent
	return s
}

func sameSession(a, b Session) bool { return a.ID() == b.ID() }

func TestChoose(t *testing.T) {
	base := []Session{open(t).outbound(), open(t).outbound(), open(t).outbound()}
	low, high := base[0], base[1]
	if lowID, highID := low.ID(), high.ID(); string(lowID[:]) > string(highID[:]) {
		low, high = high, low
	}
	third := base[2]
	pruned := at(third, 99, 99, 99).Prune(noon)
	mute := at(third, 99, 99, 99).StopSending()
	for name, test := range map[string]struct {
		in   []Session
		want Session
	}{
		"the last to receive":                    {[]Session{at(low, 1, 5, 0), at(high, 2, 7, 0), at(third, 3, 6, 9)}, high},
		"never received counts from creation":    {[]Session{at(low, 1, 5, 0), at(high, 6, 0, 0)}, high},
		"created before the other last received": {[]Session{at(low, 1, 5, 0), at(high, 4, 0, 0)}, low},
		"sending does not count":                 {[]Session{at(low, 1, 5, 0), at(high, 1, 4, 100)}, low},
		"none received, the later created":       {[]Session{at(low, 1, 0, 0), at(high, 2, 0, 0)}, high},
		"equal, the later created":               {[]Session{at(low, 1, 5, 0), at(high, 2, 5, 0)}, high},
		"all equal, the lower id":                {[]Session{at(high, 1, 5, 0), at(low, 1, 5, 0)}, low},
		"a tombstone is none":                    {[]Session{pruned, at(low, 1, 0, 0)}, low},
		"one that only receives is never chosen": {[]Session{mute, at(low, 1, 0, 0)}, low},
		"nor after it received":                  {[]Session{mute.Received(mute.ratchet, Moment{Time: noon}), at(low, 1, 0, 0)}, low},
	} {
		if got, ok := Choose(test.in); !ok || !sameSession(got, test.want) {
			t.Errorf("%s: chose another", name)
		}
		placed := Placed(test.in)
		for i, s := range placed { // whatever their times are then
			placed[i] = s.Moved(noon, noon, noon)
		}
		if got, ok := Choose(placed); !ok || !sameSession(got, test.want) {
			t.Errorf("%s: chose another when they had an order", name)
		}
	}
	if _, ok := Choose([]Session{mute}); ok {
		t.Error("chose a session that only receives")
	}
	for _, none := range [][]Session{nil, {pruned}} {
		if _, ok := Choose(none); ok {
			t.Errorf("chose among %d sessions without keys", len(none))
		}
		if _, ok := LeastRecentlyUsed(none); ok {
			t.Errorf("prunes among %d sessions without keys", len(none))
		}
	}
}

// A new session opened while the clock is an hour behind is still the one that
// is used from then on.
func TestChoiceWhenTheClockGoesBack(t *testing.T) {
	old := open(t).outbound()
	old = old.Received(old.ratchet, Moment{Time: noon})
	back := noon.Add(-time.Hour)
	o := open(t)
	fresh := New(o.alice, o.bobKey, Outbound, Moment{Time: NextStamp(back, old.LastReceived()).Time()})
	if got, _ := Choose([]Session{old, fresh}); !sameSession(got, fresh) {
		t.Error("the session opened last is not chosen")
	}
	again := old.Received(old.ratchet, Moment{Time: back})
	if again.LastReceived() != old.LastReceived() {
		t.Errorf("last received went from %d to %d", old.LastReceived(), again.LastReceived())
	}
	if sent := old.Sent(old.ratchet, noon).Sent(old.ratchet, back); sent.LastSent() != NextStamp(noon) {
		t.Errorf("last sent went back to %d", sent.LastSent())
	}
}

func TestLeastRecentlyUsed(t *testing.T) {
	a, b, c := open(t).outbound(), open(t).outbound(), open(t).outbound()
	for name, test := range map[string]struct {
		in   []Session
		want Session
	}{
		"the oldest creation":      {[]Session{at(a, 3, 0, 0), at(b, 1, 0, 0), at(c, 2, 0, 0)}, b},
		"receiving counts as use":  {[]Session{at(a, 3, 0, 0), at(b, 1, 9, 0), at(c, 2, 8, 0)}, a},
		"sending counts as use":    {[]Session{at(a, 3, 0, 0), at(b, 1, 0, 9), at(c, 2, 8, 0)}, a},
		"tombstones are not there": {[]Session{at(a, 1, 0, 0).Prune(noon), at(b, 2, 0, 0), at(c, 3, 0, 0)}, b},
	} {
		if got, ok := LeastRecentlyUsed(test.in); !ok || !sameSession(got, test.want) {
			t.Errorf("%s: pruned another", name)
		}
	}
	equal := []Session{at(a, 1, 0, 0), at(b, 1, 0, 0), at(c, 1, 0, 0)}
	chosen, _ := Choose(equal)
	if got, _ := LeastRecentlyUsed(equal); sameSession(got, chosen) {
		t.Error("prunes the session that is chosen")
	}
	for i := range equal {
		mixed := slices.Clone(equal)
		mixed[i] = mixed[i].StopSending()
		if got, _ := LeastRecentlyUsed(mixed); !sameSession(got, equal[i]) {
			t.Error("keeps a session that only receives and prunes one that does not")
		}
	}
}

func TestCandidatesKnowingTheChainComeFirst(t *testing.T) {
	o := open(t)
	o, first := o.reply(t)
	next, _, err := o.alice.Decrypt(first)
	if err != nil {
		t.Fatal(err)
	}
	o.alice = next
	_, second := o.reply(t)
	// The session it belongs to is the least preferred of all.
	owner := at(o.outbound(), 1, 1, 0).StopSending()
	preferred, other := at(open(t).outbound(), 5, 9, 0), at(open(t).outbound(), 7, 0, 0)
	pruned := open(t).outbound().Prune(noon)
	got, left := Candidates([]Session{other, pruned, preferred, owner}, second, ratchet.SessionID{})
	if left != 0 {
		t.Errorf("%d are left out", left)
	}
	want := []Session{owner, preferred, other}
	if len(got) != len(want) {
		t.Fatalf("%d candidates, want %d", len(got), len(want))
	}
	for i := range want {
		if !sameSession(got[i], want[i]) {
			t.Errorf("candidate %d is another", i)
		}
	}
	if _, _, err := got[0].ratchet.Decrypt(second); err != nil {
		t.Errorf("the first candidate does not decrypt: %v", err)
	}
	if got, left := Candidates(nil, ratchet.NormalMessage{}, ratchet.SessionID{}); len(got) != 0 || left != 0 {
		t.Errorf("%d candidates among none, %d left out", len(got), left)
	}
}

// TestCandidatesWithinSteps: a message is tried in those sessions in which it
// costs no more than MaxSteps, in the order of choice.
func TestCandidatesWithinSteps(t *testing.T) {
	o := open(t)
	o, first := o.reply(t)
	knowing, _, err := o.alice.Decrypt(first)
	if err != nil {
		t.Fatal(err)
	}
	// The last in the order of choice knows a chain; the others can begin one.
	sessions := []Session{at(o.outbound().Received(knowing, Moment{Time: noon}), 1, 1, 0)}
	for i := range MaxPerPeer - 1 {
		sessions = append(sessions, at(open(t).outbound(), Stamp(i+2), 0, 0))
	}
	known, other := first.RatchetKey, ratchet.PublicKey{9}
	for _, test := range []struct {
		name string
		m    ratchet.NormalMessage
		want int // candidates
	}{
		{"the first of an unknown chain", ratchet.NormalMessage{RatchetKey: other}, MaxPerPeer},
		{"the 63rd", ratchet.NormalMessage{RatchetKey: other, Index: 62}, MaxPerPeer},
		{"the 65th", ratchet.NormalMessage{RatchetKey: other, Index: 64}, MaxPerPeer}, // in one of them for nothing
		{"the 66th", ratchet.NormalMessage{RatchetKey: other, Index: 65}, 31},
		{"one that is just cheap enough for two", ratchet.NormalMessage{RatchetKey: other, Index: 1000}, 3},
		{"one that is cheap enough for one", ratchet.NormalMessage{RatchetKey: other, Index: 1001}, 2},
		{"the last that is not refused", ratchet.NormalMessage{RatchetKey: other, Index: 2000}, 2},
		{"one that costs nothing", ratchet.NormalMessage{RatchetKey: other, Index: 2001}, MaxPerPeer},
		{"of the known chain", ratchet.NormalMessage{RatchetKey: known, Index: 2001}, MaxPerPeer},
		{"of the known chain and dear to others", ratchet.NormalMessage{RatchetKey: known, Index: 2000}, 2},
	} {
		got, left := Candidates(sessions, test.m, ratchet.SessionID{})
		if len(got) != test.want || left != MaxPerPeer-test.want {
			t.Errorf("%s: %d candidates, %d left out; want %d", test.name, len(got), left, test.want)
		}
		knows, others := 0, 0
		for _, s := range got {
			if s.Knows(test.m.RatchetKey) {
				knows += s.ratchet.Steps(test.m)
			} else {
				others += s.ratchet.Steps(test.m)
			}
		}
		if knows > MaxSteps || others > MaxSteps {
			t.Errorf("%s: %d steps in those that know the chain, %d in others", test.name, knows, others)
		}
	}
	// Sessions that know one chain, which Pawl does not let come to be.
	got, left := Candidates([]Session{sessions[0], sessions[0], sessions[0]}, ratchet.NormalMessage{RatchetKey: known, Index: 1001}, ratchet.SessionID{})
	if len(got) != 2 || left != 1 {
		t.Errorf("of three that know the chain %d are candidates, %d left out; want 2 and 1", len(got), left)
	}
}
