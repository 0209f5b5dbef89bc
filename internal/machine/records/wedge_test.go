package records

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pawlkv/pawl/internal/record"
	"github.com/pawlkv/pawl/internal/record/recordtest"
	"github.com/pawlkv/pawl/ratchet"
)

func wedges() []Wedge {
	at := time.Date(2026, 11, 29, 2, 0, 0, 0, time.UTC)
	moment := func(order record.Order) record.Moment {
		return record.Moment{Time: at.Add(time.Duration(order) * time.Minute), Order: order}
	}
	w := Wedge{Key: ratchet.PublicKey{1}, User: "@bob:example.org"}
	seen := w.Seen(moment(3), "why").Seen(moment(5), strings.Repeat("ü", MaxWhy))
	tried := seen.Try(moment(6), RequestID{7})
	tried.Opened, tried.Dummy, tried.Again = ratchet.SessionID{1}, RequestID{2}, ratchet.SessionID{3}
	for i := range MaxGive {
		s := RoomSession{Room: "!room:example.org"}
		s.ID[0] = byte(i)
		tried.Give = append(tried.Give, s)
	}
	held, _ := tried.Held(at.AddDate(-1, 0, 0))
	again := w
	again.Again = ratchet.SessionID{9}
	return []Wedge{w, seen, tried, held, tried.Well(at), again, tried.Well(at).Seen(moment(9), "")}
}

func fiveClocks(at time.Time) (p Pause) {
	for i := range 5 {
		p = append(p, Clock{At: at.AddDate(0, 0, -i)})
	}
	return p
}

// TestWedgeRecord: what is written is read, and nothing else is.
func TestWedgeRecord(t *testing.T) {
	for _, want := range wedges() {
		recordtest.Strict(t, want, decodeWedge)
		raw, err := want.Encode()
		if err != nil {
			t.Fatal(err)
		}
		got, err := decodeWedge(raw)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%v %s", err, diff)
		}
		if len(raw) > WedgeShare.Bytes {
			t.Errorf("a record of %d bytes, at most %d", len(raw), WedgeShare.Bytes)
		}
	}
	good := wedges()[2]
	for what, change := range map[string]func(*Wedge){
		"no user":                 func(w *Wedge) { w.User = "bob" },
		"ends before it begins":   func(w *Wedge) { w.First.Order = w.Last.Order + 1 },
		"a reason for nothing":    func(w *Wedge) { w.First, w.Last = record.Moment{}, record.Moment{} },
		"a claim before any try":  func(w *Wedge) { w.Begun = record.Moment{} },
		"no clock":                func(w *Wedge) { w.Pause = nil },
		"a clock before any try":  func(w *Wedge) { w.Begun, w.Tries, w.Claim = record.Moment{}, 0, RequestID{} },
		"two clocks that are one": func(w *Wedge) { w.Pause = Pause{w.Pause[0], {At: w.Pause[0].At}} },
		"five clocks":             func(w *Wedge) { w.Pause = fiveClocks(w.Pause[0].At) },
		"two that began":          func(w *Wedge) { w.Pause = Pause{w.Pause[0], {At: w.Pause[0].At.Add(-1e9), Began: true}} },
		"three days":              func(w *Wedge) { w.Pause = Pause{{At: w.Pause[0].At, Passed: 72 * time.Hour}} },
		"one session twice":       func(w *Wedge) { w.Give[1] = w.Give[0] },
		"too many":                func(w *Wedge) { w.Give = append(w.Give, RoomSession{Room: "!other:example.org"}) },
		"no room":                 func(w *Wedge) { w.Give[1].Room = "room" },
	} {
		w := good
		w.Give = append([]RoomSession(nil), good.Give...)
		change(&w)
		if raw, err := w.Encode(); err == nil {
			t.Errorf("%s: it is written: %x", what, raw)
		}
	}
}

// TestWedgeVersions: while one clock is known programs from before read the record, and
// theirs is read, whether a clock was behind or not.
func TestWedgeVersions(t *testing.T) {
	all := wedges()
	for i, want := range []byte{2, 2, 2, 3, 2, 2, 2} {
		if raw, err := all[i].Encode(); err != nil || raw[0] != want {
			t.Errorf("record %d: version %d, %v, want %d", i, raw[0], err, want)
		}
	}
	tried := all[2]
	tried.Give = nil
	at := tried.Begun.Time
	older := func(behind time.Time) []byte {
		return record.Encode(2, 17, 400, func(out *record.Writer) {
			out.Bytes(tried.Key[:])
			out.Text(string(tried.User))
			for _, m := range []record.Moment{tried.First, tried.Last, tried.Begun} {
				out.Time(m.Time)
				out.Order(m.Order)
			}
			out.Text(tried.Why)
			out.Time(tried.Heard)
			out.Uint(1)
			out.Time(behind)
			for _, id := range [][]byte{tried.Claim[:], tried.Opened[:], tried.Dummy[:], tried.Again[:]} {
				out.Bytes(id)
			}
			out.Count(0)
		})
	}
	for behind, want := range map[time.Time]Pause{
		{}:                 {{At: at, Began: true}},
		at.Add(-time.Hour): {{At: at, Began: true}, {At: at.Add(-time.Hour)}},
	} {
		got, err := decodeWedge(older(behind))
		w := tried
		if w.Pause = want; err != nil || cmp.Diff(w, got) != "" {
			t.Errorf("behind since %v: %v %s", behind, err, cmp.Diff(w, got))
		}
		recordtest.Stable(t, older(behind), decodeWedge)
	}
	if _, err := decodeWedge(older(at)); !errors.Is(err, record.ErrFormat) {
		t.Errorf("behind where it is not: %v", err)
	}
	raw, err := tried.Encode()
	if err != nil {
		t.Fatal(err)
	}
	raw[0] = 3
	if _, err := decodeWedge(raw); !errors.Is(err, record.ErrFormat) {
		t.Errorf("of version 3, and nothing is known: %v", err)
	}
}

// TestWedge: what makes a peer wedged, and what ends that.
func TestWedge(t *testing.T) {
	all := wedges()
	for i, want := range []bool{false, true, true, true, false, false, true} {
		if all[i].IsWedged() != want {
			t.Errorf("record %d: wedged %v", i, !want)
		}
	}
	if !all[0].IsOver() || all[4].IsOver() || all[5].IsOver() {
		t.Error("a record that says nothing stays, or another goes")
	}
	older := all[1].Seen(record.Moment{Order: 4}, "older")
	if older.Last != all[1].Last || older.Why != all[1].Why || older.First != all[1].First {
		t.Errorf("an older event takes the place of a newer: %+v", older)
	}
	if anew := all[6]; anew.First.Order != 9 || anew.Tries != 0 || !anew.Heard.IsZero() {
		t.Errorf("wedged anew: %+v", anew)
	}
}

// TestUnheardRecord: what is written is read, and of more devices than are kept the
// oldest goes.
func TestUnheardRecord(t *testing.T) {
	at := time.Date(2026, 11, 29, 2, 0, 0, 0, time.UTC)
	u := Unheard{User: "@bob:example.org", Asked: at}
	if _, err := u.Encode(); !errors.Is(err, record.ErrFormat) {
		t.Errorf("of nobody: %v", err)
	}
	for i := range 3 * MaxUnheard {
		u = u.Add(ratchet.PublicKey{byte(i % (2 * MaxUnheard))}, record.Moment{Time: at, Order: record.Order(i + 1)}, "why")
		recordtest.Strict(t, u, decodeUnheard)
		if newest := u.From[len(u.From)-1]; newest.At.Order != record.Order(i+1) || len(u.From) > MaxUnheard {
			t.Fatalf("after %d events: %+v", i+1, u)
		}
	}
	raw, err := u.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := decodeUnheard(raw); err != nil || cmp.Diff(u, got) != "" || len(raw) > unheardShare.Bytes {
		t.Errorf("%v %s", err, cmp.Diff(u, got))
	}
	u.From[1] = u.From[0]
	if _, err := u.Encode(); !errors.Is(err, record.ErrFormat) {
		t.Errorf("a device twice: %v", err)
	}
}

// FuzzWedge: no bytes make a reader panic, and what is read can be written.
func FuzzWedge(f *testing.F) {
	for _, w := range wedges() {
		raw, _ := w.Encode()
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		recordtest.Stable(t, raw, decodeWedge)
		recordtest.Stable(t, raw, decodeUnheard)
	})
}
