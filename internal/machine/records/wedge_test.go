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
		"no user":                func(w *Wedge) { w.User = "bob" },
		"ends before it begins":  func(w *Wedge) { w.First.Order = w.Last.Order + 1 },
		"a reason for nothing":   func(w *Wedge) { w.First, w.Last = record.Moment{}, record.Moment{} },
		"a claim before any try": func(w *Wedge) { w.Begun = record.Moment{} },
		"one session twice":      func(w *Wedge) { w.Give[1] = w.Give[0] },
		"too many":               func(w *Wedge) { w.Give = append(w.Give, RoomSession{Room: "!other:example.org"}) },
		"no room":                func(w *Wedge) { w.Give[1].Room = "room" },
	} {
		w := good
		w.Give = append([]RoomSession(nil), good.Give...)
		change(&w)
		if raw, err := w.Encode(); err == nil {
			t.Errorf("%s: it is written: %x", what, raw)
		}
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
