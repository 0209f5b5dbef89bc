package device_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pawlkv/pawl/device"
	"github.com/pawlkv/pawl/internal/record"
	"github.com/pawlkv/pawl/internal/record/recordtest"
	"github.com/pawlkv/pawl/matrix"
)

// followed is a user as the tracking and as somebody sees it who knows all.
type followed struct {
	t     device.Tracking
	epoch record.Order

	tracked, unknown  bool // unknown: something changed that no answer covers
	asked, sinceAsked bool // a query is under way, and something changed since
}

// steps are all that can happen to a user; ok is false where it cannot.
var steps = []struct {
	name string
	do   func(f followed) (followed, bool)
}{
	{"track", func(f followed) (followed, bool) {
		f.t = f.t.Track()
		if !f.tracked {
			f.tracked, f.unknown, f.sinceAsked = true, true, true
		}
		return f, true
	}},
	{"change", func(f followed) (followed, bool) {
		f.t = f.t.Change()
		if f.tracked {
			f.unknown, f.sinceAsked = true, true
		}
		return f, f.t.Changes > 1
	}},
	{"all", func(f followed) (followed, bool) {
		f.epoch++
		f.unknown, f.sinceAsked = true, true
		return f, true
	}},
	{"leave", func(f followed) (followed, bool) {
		f.t, f.tracked = f.t.Leave(now), false
		return f, f.t.Changes > 0
	}},
	{"ask", func(f followed) (followed, bool) {
		can := f.t.Due(f.epoch, now.Add(device.MaxBackoff))
		f.t = f.t.Ask(device.Query{1}, f.epoch)
		f.asked, f.sinceAsked = true, false
		return f, can
	}},
	{"answer", func(f followed) (followed, bool) {
		can := f.asked
		f.t, f.asked = f.t.Answered(nil), false
		if f.tracked {
			f.unknown = f.sinceAsked
		}
		return f, can
	}},
	{"answer in part", func(f followed) (followed, bool) {
		can := f.asked
		f.t, f.asked = f.t.AnsweredInPart(nil, now), false
		f.unknown = true
		return f, can
	}},
	{"fail", func(f followed) (followed, bool) {
		can := f.asked
		f.t, f.asked = f.t.Failed(now, time.Time{}), false
		return f, can
	}},
	{"lose", func(f followed) (followed, bool) {
		can := f.asked
		f.t, f.asked = f.t.Forgotten(), false
		return f, can
	}},
}

// TestTrackingOfAllCourses: in every course of six steps a user is up to date
// exactly when an answer covers all that changed, is asked for exactly when not and
// no query is under way, and is on the list unless outdated with everybody.
func TestTrackingOfAllCourses(t *testing.T) {
	courses := 0
	var walk func(f followed, course string, left int)
	walk = func(f followed, course string, left int) {
		courses++
		outdated := !f.tracked || f.unknown
		if f.t.Outdated(f.epoch) != outdated {
			t.Fatalf("%s: outdated is %v, want %v: %+v", course, !outdated, outdated, f.t)
		}
		if due := f.t.Due(f.epoch, now.Add(device.MaxBackoff)); due != (f.tracked && outdated && !f.asked) {
			t.Fatalf("%s: due is %v: %+v", course, due, f.t)
		}
		if _, listed := f.t.Waiting(); f.tracked && f.unknown && !listed && f.t.Epoch == f.epoch {
			t.Fatalf("%s: is not on the list: %+v", course, f.t)
		}
		if raw, err := f.t.Encode(); f.t.Changes > 0 && err != nil {
			t.Fatalf("%s: %x, %v", course, raw, err)
		}
		if left == 0 {
			return
		}
		for _, s := range steps {
			if next, can := s.do(f); can {
				walk(next, course+" "+s.name, left-1)
			}
		}
	}
	depth := 6
	if testing.Short() {
		depth = 5
	}
	walk(followed{t: device.Tracking{User: alice}}, "", depth)
	if courses < 1000 {
		t.Errorf("%d courses", courses)
	}
}

func TestBackoff(t *testing.T) {
	f := device.Tracking{User: alice}.Track()
	want := []time.Duration{time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second}
	for range 30 {
		f = f.Ask(device.Query{1}, 0).Failed(now, time.Time{})
		wait := device.MaxBackoff
		if len(want) > 0 {
			wait, want = want[0], want[1:]
		}
		if got := f.NextTry.Sub(now); len(want) > 0 && got != wait || got > device.MaxBackoff {
			t.Errorf("after %d failures the next try is after %v, want %v", f.Failures, got, wait)
		}
		if f.Due(0, now) || !f.Due(0, f.NextTry) {
			t.Errorf("after %d failures: due at once %v", f.Failures, f.Due(0, now))
		}
		if !f.Due(0, now.AddDate(-1, 0, 0)) {
			t.Error("a clock that goes back a year holds a user up")
		}
	}
	if got := f.NextTry.Sub(now); got != device.MaxBackoff {
		t.Errorf("in the end %v between tries", got)
	}
	if f.Waits(0) || !f.Change().Waits(0) || !f.Change().Due(0, now) || !f.Due(1, now) || !f.Waits(1) {
		t.Error("a change does not begin anew")
	}
	if got := device.Tracking.Failed(f.Change(), now, now.Add(time.Minute)).NextTry; !got.Equal(now.Add(time.Minute)) {
		t.Errorf("the server said not before a minute, and the next try is at %v", got)
	}
	if got := device.Tracking.Failed(f.Change(), now, now.AddDate(1, 0, 0)).NextTry; !got.Equal(now.Add(device.MaxBackoff)) {
		t.Errorf("the server said not before a year, and the next try is at %v", got)
	}
	for _, want := range []int{125, 62, 31, 15, 7, 3, 1, 1, 1} {
		if f = f.AskedInVain(now); f.Together() != want {
			t.Errorf("after %d refusals %d are asked for together, want %d", f.Refusals, f.Together(), want)
		}
	}
}

// TestRefusalsAreKept: in a bounded form, whatever a server calls a device.
func TestRefusalsAreKept(t *testing.T) {
	long := matrix.DeviceID(strings.Repeat("ü", 1<<20))
	refused := []device.Refusal{
		{User: alice, Device: "A", Err: fmt.Errorf("of one: %w", device.ErrChanged)}, {User: alice, Device: long, Err: device.ErrForm},
		{User: alice, Err: errors.New("something else")}, {User: alice, Device: "\xff", Err: fmt.Errorf("%w: %w", device.ErrForm, device.ErrUnsigned)},
	}
	for len(refused) < 1000 {
		refused = append(refused, device.Refusal{User: alice, Device: "B", Err: device.ErrTaken})
	}
	f := device.Tracking{User: alice}.Track().Ask(device.Query{1}, 0).Answered(refused)
	recordtest.Strict(t, f, device.DecodeTracking)
	raw, err := f.Encode()
	if err != nil || len(raw) > 1000 || f.RefusedCount != 1000 || len(f.Refused) != device.MaxRejected {
		t.Errorf("%d of %d kept in %d bytes: %v", len(f.Refused), f.RefusedCount, len(raw), err)
	}
	var reasons []string
	for _, r := range f.Refused[:5] {
		reasons = append(reasons, fmt.Sprintf("%d %s", len(r.Device), r.Reason))
	}
	want := []string{"1 device: has other keys than were known", "254 device: malformed", "0 device: malformed",
		"0 device: not signed as it must be", "1 device: has the Curve25519 key of another device"}
	if diff := cmp.Diff(want, reasons); diff != "" {
		t.Error(diff)
	}
}

func TestTrackingRecords(t *testing.T) {
	recordtest.Strict(t, device.Waiting{User: alice, NextTry: now}, device.DecodeWaiting)
	recordtest.Strict(t, device.Epoch{All: 3, Listed: 2}, device.DecodeEpoch)
	recordtest.Strict(t, device.OwnSignature{By: [32]byte{1}, Signature: [64]byte{2}}, device.DecodeOwnSignature)
	for name, encode := range map[string]func() ([]byte, error){
		"nobody's":                   device.Tracking{Changes: 1}.Encode,
		"of somebody never followed": device.Tracking{User: alice}.Encode,
		"covered before it happened": device.Tracking{User: alice, Changes: 1, Covered: 2}.Encode,
		"asked without a query":      device.Tracking{User: alice, Changes: 1, Asked: 1}.Encode,
		"too few refusals":           device.Tracking{User: alice, Changes: 1, RefusedCount: 1}.Encode,
		"waiting nobody":             device.Waiting{}.Encode,
		"listed too early":           device.Epoch{Listed: 1}.Encode,
		"signed by nobody":           device.OwnSignature{}.Encode,
	} {
		if raw, err := encode(); !errors.Is(err, device.ErrFormat) {
			t.Errorf("%s: %x, %v", name, raw, err)
		}
	}
}

// FuzzTrackingRecords: what is read is written again as it was.
func FuzzTrackingRecords(f *testing.F) {
	full := device.Tracking{User: alice}.Track().Ask(device.Query{1}, 5).
		Answered([]device.Refusal{{Device: "A", Err: device.ErrTaken}}).Change().Ask(device.Query{2}, 6)
	for _, encode := range []func() ([]byte, error){
		full.Encode, full.Failed(now, now).Leave(now).Encode, device.Waiting{User: alice, NextTry: now}.Encode,
		device.Epoch{All: 3, Listed: 2}.Encode, device.OwnSignature{By: [32]byte{1}}.Encode,
	} {
		raw, err := encode()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		recordtest.Stable(t, raw, device.DecodeTracking)
		recordtest.Stable(t, raw, device.DecodeWaiting)
		recordtest.Stable(t, raw, device.DecodeEpoch)
		recordtest.Stable(t, raw, device.DecodeOwnSignature)
	})
}
