package pawl_test

import (
	"errors"
	"fmt"
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/session"
)

// set sets the clock.
func (c *clock) set(at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = at
}

// jumps are by how much a clock is wrong: seconds, days, years, centuries, and
// to the ends of time.
var jumps = []time.Duration{
	-time.Second, time.Second, -time.Hour, time.Hour, -24 * time.Hour, 24 * time.Hour, -40 * 24 * time.Hour, 40 * 24 * time.Hour,
	-20 * 365 * 24 * time.Hour, 20 * 365 * 24 * time.Hour, -200 * 365 * 24 * time.Hour, 200 * 365 * 24 * time.Hour,
	math.MinInt64, math.MaxInt64,
}

// letter is a message that was received: when, in truth, and by which clock.
type letter struct {
	message ratchet.Message
	text    string
	at      time.Time // in truth
	wrong   time.Duration
	// Since when its life counts, as far as can be known: not before from, and not
	// after until. Both are set by the first sweep after it.
	from, until time.Time
}

// jumping is a device whose clock jumps, in a world whose time is known.
type jumping struct {
	*rapid.T
	alice, bob *device
	truth      time.Time
	swept      time.Time // the last time, or when bob was made
	letters    []*letter // in the order of receiving
	judged     int       // letters that a sweep has seen
	newest     ratchet.SessionID
}

// set makes the clock wrong by so much.
func (j *jumping) set(wrong time.Duration) {
	switch wrong {
	case math.MinInt64:
		j.bob.clock.set(time.Time{})
	case math.MaxInt64:
		j.bob.clock.set(time.Unix(math.MaxInt64/2, 0))
	default:
		j.bob.clock.set(j.truth.Add(wrong))
	}
}

// pass lets honest time go by.
func (j *jumping) pass(d time.Duration) { j.truth = j.truth.Add(d) }

// receive receives one message, or a few in a batch, by a clock that is wrong by
// so much.
func (j *jumping) receive(wrong time.Duration) {
	j.pass(time.Duration(rapid.IntRange(1, 3600).Draw(j.T, "seconds")) * time.Second)
	n := rapid.IntRange(1, 3).Draw(j.T, "messages")
	var batch []pawl.Incoming
	for range n {
		var how []pawl.EncryptOption
		j.set(0)
		switch rapid.IntRange(0, 9).Draw(j.T, "session") {
		case 0:
			how = append(how, pawl.WithOneTimeKey(j.bob.oneTimeKey()))
		case 1:
			how = append(how, pawl.WithOneTimeKey(j.bob.fallbackKey()))
		}
		l := &letter{text: fmt.Sprint(len(j.letters)), at: j.truth, wrong: wrong}
		l.message = j.alice.send(j.bob, l.text, how...)
		j.letters = append(j.letters, l)
		batch = append(batch, pawl.Incoming{Sender: j.alice.id.Curve25519, Message: l.message})
	}
	j.set(wrong)
	results, err := j.bob.DecryptBatch(j.bob.ctx, batch)
	if err != nil {
		j.Fatal(err)
	}
	for i, r := range results {
		if r.Err != nil || r.Duplicate {
			j.Fatalf("message %d of %d: duplicate %v, %v", i, n, r.Duplicate, r.Err)
		}
		j.newest = r.Session
	}
}

// honest receives so many times by a clock that is right.
func (j *jumping) honest(times int) {
	for range times {
		j.receive(0)
	}
}

// calls makes all other calls by a clock that is wrong by so much. None of them
// may change how long anything lives.
func (j *jumping) calls(wrong time.Duration) {
	j.set(wrong)
	m, ctx := j.bob, j.bob.ctx
	u, err := m.KeysForUpload(ctx, 1)
	if err == nil {
		err = m.MarkPublished(ctx, u)
	}
	if err == nil {
		u, err = m.KeysForUpload(ctx, 1)
	}
	if err == nil {
		err = m.Abandon(ctx, u)
	}
	_, outstanding := m.Outstanding(ctx)
	_, inspect := m.Inspect(ctx)
	_, _, needs := m.NeedsRecovery(ctx)
	lines, check := m.Check(ctx)
	if err := errors.Join(err, outstanding, inspect, needs, check); err != nil || len(lines) > 0 {
		j.Fatalf("by a clock that is wrong by %v: %v, check %q", wrong, err, lines)
	}
	// The session that received last is used next, whatever any clock has said.
	e, err := m.Encrypt(ctx, j.alice.id.Curve25519, []byte("answer"))
	if err != nil || e.Session != j.newest {
		j.Fatalf("by a clock that is wrong by %v the answer is in session %s, %v; want %s", wrong, e.Session, err, j.newest)
	}
	j.alice.receive(j.bob, e.Message)
}

// sweep sweeps at the right time, by whatever clock, and looks at everything.
func (j *jumping) sweep(wrong time.Duration) {
	j.judge()
	j.set(wrong)
	if _, err := j.bob.Sweep(j.bob.ctx, j.truth); err != nil {
		j.Fatal(err)
	}
	j.swept = j.truth
	for i, l := range j.letters {
		got, err := j.bob.Decrypt(j.bob.ctx, j.alice.id.Curve25519, l.message)
		switch kept := err == nil; {
		case kept && (!got.Duplicate || string(got.Plaintext) != l.text):
			j.Fatalf("message %d: %q, duplicate %v", i, got.Plaintext, got.Duplicate)
		case kept && !j.truth.Before(l.until.Add(session.ReceiptLife+inexact)):
			j.Fatalf("message %d (%v, wrong by %v) is readable at %v, %v after %v", i, l.at, l.wrong, j.truth, j.truth.Sub(l.until), l.until)
		case !kept && j.truth.Before(l.from.Add(session.ReceiptLife)):
			j.Fatalf("message %d (%v, wrong by %v) is lost at %v, %v after %v: %v", i, l.at, l.wrong, j.truth, j.truth.Sub(l.from), l.from, err)
		case !kept && j.truth.Before(l.from.Add(session.ReceiptMemory)) && !errors.Is(err, pawl.ErrAlreadyProcessed):
			j.Fatalf("message %d: %v, want %v", i, err, pawl.ErrAlreadyProcessed)
		}
	}
}

// inexact is how much longer than its life a letter may be kept: when it was written is
// known from those beside it, and no better than they are near.
const inexact = time.Minute

// judge finds out from when the letters count that no sweep has seen. One that
// was written by a right clock counts from then, and one by a clock that was so
// wrong that no right one can have said the same, from the first right time
// after it. What may have been right is believed as far as its neighbours go.
func (j *jumping) judge() {
	all := j.letters[j.judged:]
	for i, l := range all {
		next := j.truth
		for _, later := range all[i:] {
			if later.wrong == 0 {
				next = later.at
				break
			}
		}
		l.from, l.until = next, next
		if j.mayMislead(all, i) {
			l.from, l.until = j.around(all, i)
		}
	}
	j.judged = len(j.letters)
}

// mayMislead reports whether a letter, or one near it, was written by a clock
// that was wrong and yet between the times that are known.
func (j *jumping) mayMislead(all []*letter, at int) bool {
	for _, l := range all[max(0, at-near):min(len(all), at+near+1)] {
		read := l.at.Add(l.wrong)
		if l.wrong != 0 && !read.Before(j.swept) && !read.After(j.truth) {
			return true
		}
	}
	return false
}

// near is how many letters, at most three of each call, are near another.
const near = 9

// around are the times that those near a letter leave for it. Only a right clock ends
// them: after the last one the first right time is the sweep's.
func (j *jumping) around(all []*letter, at int) (from, until time.Time) {
	from, until = j.swept, j.truth
	if at > near {
		from = all[at-near].at
	}
	for _, later := range all[min(len(all), at+near):] {
		if later.wrong == 0 {
			return from, later.at
		}
	}
	return from, until
}

// TestJumpingClock drives every call by a clock that jumps, between times at
// which it is right: what is written lives its whole life from the first right
// time on, and hardly longer; the newest session is used next; and a sweep at a time
// that is far too late makes nothing new again.
func TestJumpingClock(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		alice, bob := pair(t)
		start := bob.clock.now()
		j := &jumping{T: r, alice: alice, bob: bob, truth: start, swept: start}
		j.receiveFirst()
		for range rapid.IntRange(3, 8).Draw(r, "steps") {
			wrong := rapid.SampledFrom(jumps).Draw(r, "jump")
			switch rapid.IntRange(0, 4).Draw(r, "step") {
			case 0:
				j.pass(time.Duration(rapid.IntRange(1, 20).Draw(r, "days")) * 24 * time.Hour)
			case 1: // what nobody can take for right
				j.calls(rapid.SampledFrom(jumps[8:]).Draw(r, "far"))
			case 2:
				j.sweep(wrong)
			case 3: // and that in whatever number
				for range rapid.IntRange(1, 5).Draw(r, "calls") {
					far := rapid.SampledFrom(jumps[8:]).Draw(r, "far")
					j.receive(far)
					j.calls(far)
				}
			default:
				// So few wrong ones among right ones that they are outvoted.
				j.honest(3)
				j.receive(wrong)
				j.calls(wrong)
				j.honest(3)
			}
		}
		j.sweep(0)
		j.pass(session.ReceiptLife)
		j.sweep(rapid.SampledFrom(jumps).Draw(r, "jump"))
		j.tooLate()
	})
}

// receiveFirst opens the first session.
func (j *jumping) receiveFirst() {
	l := &letter{text: "first", at: j.truth}
	l.message = j.alice.send(j.bob, l.text, pawl.WithOneTimeKey(j.bob.oneTimeKey()))
	j.newest = j.bob.receive(j.alice, l.message).Session
	j.letters = append(j.letters, l)
}

// tooLate sweeps at the end of time, which erases what it may: then no message is
// processed twice, and what comes next is.
func (j *jumping) tooLate() {
	end := time.Date(9999, 12, 31, 23, 0, 0, 0, time.UTC)
	if _, err := j.bob.Sweep(j.bob.ctx, end); err != nil {
		j.Fatal(err)
	}
	for i, l := range j.letters {
		if _, err := j.bob.Decrypt(j.bob.ctx, j.alice.id.Curve25519, l.message); err == nil {
			j.Fatalf("message %d is new again", i)
		}
	}
	j.honest(1)
	last := j.letters[len(j.letters)-1]
	j.bob.sweepsAt(j.truth)
	if d := j.bob.receive(j.alice, last.message); !d.Duplicate {
		j.Fatal("the message after the end of time is new again")
	}
	j.bob.intact()
}

// sweepsAt sweeps at a time.
func (d *device) sweepsAt(now time.Time) pawl.Swept {
	d.t.Helper()
	done, err := d.Sweep(d.ctx, now)
	if err != nil {
		d.t.Fatal(err)
	}
	return done
}

// TestClockOf2046 is the case that was reported: one message received by a clock
// in 2046, and five by the right one. Three years later one sweep erases all six
// keys.
func TestClockOf2046(t *testing.T) {
	alice, bob := pair(t)
	alice.meet(bob)
	bob.sweepsAt(bob.clock.now())
	bob.clock.pass(20 * 365 * 24 * time.Hour)
	bob.receive(alice, alice.send(bob, "ahead"))
	bob.clock.pass(-20 * 365 * 24 * time.Hour)
	for range 5 {
		bob.clock.pass(time.Hour)
		bob.receive(alice, alice.send(bob, "right"))
	}
	bob.clock.pass(3 * 365 * 24 * time.Hour)
	if done := bob.sweepsAt(bob.clock.now()); done.Erased != 7 || done.Receipts != 7 {
		t.Errorf("the sweep has done %+v, want the keys and receipts of 7 messages", done)
	}
}

// TestClockBehind: what a clock told that was behind, though not behind what
// anybody's can be, lives its whole life from the first sweep on: whatever there
// is besides, and however much of it.
func TestClockBehind(t *testing.T) {
	const years = 365 * 24 * time.Hour
	for name, wrong := range map[string]time.Duration{"by an hour": time.Hour, "by a day": 24 * time.Hour, "by a month": 30 * 24 * time.Hour, "by years": 6 * years} {
		for _, before := range []int{0, 1, 4} {
			t.Run(fmt.Sprintf("%s after %d messages", name, before), func(t *testing.T) {
				alice, bob := pair(t)
				right := bob.clock.now()
				receive := func(n int) (all []ratchet.Message) {
					for range n {
						bob.clock.pass(time.Minute)
						m := alice.send(bob, "text", pawl.WithOneTimeKey(bob.oneTimeKey()))
						bob.receive(alice, m)
						all = append(all, m)
					}
					return all
				}
				all := receive(before)
				bob.clock.set(right.Add(-wrong))
				all = append(all, receive(3)...)
				bob.clock.set(right.Add(10 * time.Minute))
				swept := bob.clock.now()
				for _, late := range []time.Duration{0, session.ReceiptLife - 11*time.Minute} {
					bob.sweepsAt(swept.Add(late))
					for i, m := range all {
						if d, err := bob.Decrypt(bob.ctx, alice.id.Curve25519, m); err != nil || !d.Duplicate {
							t.Errorf("%v after the sweep: message %d: duplicate %v, %v", late, i, d.Duplicate, err)
						}
					}
				}
				if done := bob.sweepsAt(swept.Add(session.ReceiptLife)); done.Erased != len(all) {
					t.Errorf("later %d keys are erased, want %d", done.Erased, len(all))
				}
			})
		}
	}
}

// TestFallbackKeyAndClock: a fallback key is dropped a week after a newer one was
// published, counted from the first right time.
func TestFallbackKeyAndClock(t *testing.T) {
	for name, wrong := range map[string]time.Duration{
		"right": 0, "ahead": 20 * 365 * 24 * time.Hour, "behind": -20 * 365 * 24 * time.Hour, "a day behind": -24 * time.Hour, "a month ahead": 30 * 24 * time.Hour,
	} {
		t.Run(name, func(t *testing.T) {
			alice, bob := pair(t)
			old := bob.fallbackKey()
			u, _, _ := bob.upload(0)
			if err := bob.MarkPublished(bob.ctx, u); err != nil {
				t.Fatal(err)
			}
			bob.clock.pass(week)
			next, _, _ := bob.upload(0)
			if next.Fallback == u.Fallback {
				t.Fatal("the fallback key was not replaced")
			}
			bob.sweepsAt(bob.clock.now())
			bob.clock.pass(time.Minute)
			right := bob.clock.now()
			bob.clock.pass(wrong)
			if err := bob.MarkPublished(bob.ctx, next); err != nil {
				t.Fatal(err)
			}
			bob.clock.set(right)
			bob.sweepsAt(right)
			for day := range 7 {
				bob.sweepsAt(right.Add(time.Duration(day)*24*time.Hour + 23*time.Hour))
				bob.receive(alice, alice.send(bob, "by the old key", pawl.WithOneTimeKey(old)))
			}
			if done := bob.sweepsAt(right.Add(week)); done.FallbackKeys != 1 {
				t.Errorf("after a week the sweep has done %+v, want one fallback key dropped", done)
			}
		})
	}
}

// TestStrangersAndClock: a stranger is forgotten when it was silent for as long as
// is promised since the first right time, whatever the clock was when it was
// heard, and also where it was heard in format 1.
func TestStrangersAndClock(t *testing.T) {
	for name, wrong := range map[string]time.Duration{"right": 0, "ahead": 20 * 365 * 24 * time.Hour, "behind": -20 * 365 * 24 * time.Hour, "a month behind": -30 * 24 * time.Hour} {
		for format, engine := range map[string]*unraised{"format 1": {Store: newMemory()}, "format 2": {Store: newMemory()}} {
			t.Run(name+" in "+format, func(t *testing.T) {
				engine.gone.Store(format == "format 2")
				alice, bob := newDevice(t, newMemory(), "@alice:example.org"), newDevice(t, engine, "@bob:example.org")
				right := bob.clock.now()
				bob.clock.set(right.Add(wrong))
				first := bob.receive(alice, alice.send(bob, "first", pawl.WithOneTimeKey(bob.fallbackKey()))).Session
				second := bob.receive(alice, alice.send(bob, "second", pawl.WithOneTimeKey(bob.fallbackKey()))).Session
				bob.receive(alice, alice.send(bob, "in the second session"))
				bob.clock.set(right)
				engine.gone.Store(true)
				for _, day := range []int{0, 100, 364} {
					if done := bob.sweepsAt(right.Add(time.Duration(day) * 24 * time.Hour)); done.Strangers != 0 {
						t.Errorf("on day %d the sweep has done %+v, want no stranger forgotten", day, done)
					}
				}
				if got := bob.sessions(alice); len(got) != 2 || first == second {
					t.Errorf("sessions %+v", got)
				}
				if done := bob.sweepsAt(right.Add(session.StrangerMemory + time.Minute)); done.Strangers != 1 {
					t.Errorf("after a year the sweep has done %+v, want a stranger forgotten", done)
				}
				bob.intact()
			})
		}
	}
}

// TestStrangerAndTheEndOfTime: a sweep at a time that is far too late forgets a
// stranger, and none of its messages is new afterwards: not by the fallback key
// that is still there, and not after the next sweep at a right time.
func TestStrangerAndTheEndOfTime(t *testing.T) {
	alice, bob := pair(t)
	all := []ratchet.Message{alice.send(bob, "first", pawl.WithOneTimeKey(bob.fallbackKey())), alice.send(bob, "second")}
	for _, m := range all {
		bob.receive(alice, m)
	}
	for _, at := range []time.Time{time.Date(9999, 12, 31, 23, 0, 0, 0, time.UTC), bob.clock.now(), time.Date(9999, 12, 31, 23, 0, 0, 0, time.UTC)} {
		bob.sweepsAt(at)
		for i, m := range all {
			if d, err := bob.Decrypt(bob.ctx, alice.id.Curve25519, m); err == nil {
				t.Errorf("after a sweep at %v: message %d: duplicate %v", at, i, d.Duplicate)
			}
		}
	}
	if got := bob.sessions(alice); len(got) != 0 {
		t.Errorf("%d sessions are left, want none", len(got))
	}
	bob.receive(alice, alice.send(bob, "again", pawl.WithOneTimeKey(bob.fallbackKey())))
	bob.intact()
}
