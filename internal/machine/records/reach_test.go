package records_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/internal/record"
	"github.com/pawlkv/pawl/ratchet"
)

// TestReachPauses: 15 seconds doubled to 15 minutes, whatever the clock says.
func TestReachPauses(t *testing.T) {
	now := time.Date(2026, 11, 29, 2, 0, 0, 0, time.UTC)
	r := records.Reach{Of: records.ReachName{Server: "example.org"}}
	if r.Pause.Lasts(now) {
		t.Error("one that never failed is not asked")
	}
	for i, want := range []time.Duration{15, 30, 60, 120, 240, 480, 900, 900, 900} {
		r = r.Failed(now, "why")
		if want *= time.Second; r.Failures != i+1 || r.Pause.Until.Sub(now) != want {
			t.Errorf("failure %d: %d, pause %v, want %v", i+1, r.Failures, r.Pause.Until.Sub(now), want)
		}
		if !r.Pause.Lasts(now) || r.Pause.Lasts(r.Pause.Until) {
			t.Errorf("failure %d: it does not pause until %v", i+1, r.Pause.Until)
		}
	}
	if r.Pause.Lasts(now.AddDate(-1, 0, 0)) {
		t.Error("after the clock went back by a year it is not asked for a year")
	}
	for range 2 * records.MaxFailures {
		r = r.Failed(now, "why")
	}
	if _, err := r.Encode(); err != nil || r.Failures != records.MaxFailures {
		t.Errorf("%d failures, %v", r.Failures, err)
	}
}

func reaches() []records.Reach {
	now := time.Date(2026, 11, 29, 2, 0, 0, 0, time.UTC)
	one := records.Reach{Of: records.ReachName{Device: ratchet.PublicKey{1}}}.Asked(records.RequestID{2}, now)
	return []records.Reach{
		one, one.Failed(now, "no key"), one.Failed(now, "no key").Asked(records.RequestID{3}, now.Add(time.Hour)),
		records.Reach{Of: records.ReachName{Server: "example.org"}}.Failed(now, "\xff\x00"),
	}
}

// TestReachRecord: what is written is read, and nothing else is.
func TestReachRecord(t *testing.T) {
	for _, want := range reaches() {
		raw, err := want.Encode()
		if err != nil {
			t.Fatal(err)
		}
		got, err := records.DecodeReach(raw)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%v %s", err, diff)
		}
		for n := range raw {
			if _, err := records.DecodeReach(raw[:n]); !errors.Is(err, record.ErrFormat) {
				t.Errorf("the first %d bytes: %v", n, err)
			}
		}
		if _, err := records.DecodeReach(append(raw, 0)); !errors.Is(err, record.ErrFormat) {
			t.Errorf("a byte more: %v", err)
		}
	}
	for what, bad := range map[string]records.Reach{
		"of nobody":                 {},
		"of two":                    {Of: records.ReachName{Server: "a.org", Device: ratchet.PublicKey{1}}},
		"a pause without a failure": {Of: records.ReachName{Server: "a.org"}, Why: "why"},
	} {
		raw, _ := bad.Encode()
		if _, err := records.DecodeReach(raw); !errors.Is(err, record.ErrFormat) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// FuzzReach: no bytes make the reader panic, and what is read can be written.
func FuzzReach(f *testing.F) {
	for _, r := range reaches() {
		raw, _ := r.Encode()
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		r, err := records.DecodeReach(raw)
		if err != nil {
			return
		}
		again, err := r.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if same, err := records.DecodeReach(again); err != nil || same != r {
			t.Errorf("%x is written as %x, %v", raw, again, err)
		}
	})
}
