package demo

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/bench/design"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/ratchet"
)

// TestSchedule: one seed gives one order, which has something of everything.
func TestSchedule(t *testing.T) {
	rounds := schedule(16, DefaultRounds)
	if !reflect.DeepEqual(rounds, schedule(16, DefaultRounds)) {
		t.Error("one seed gives two orders")
	}
	if reflect.DeepEqual(rounds, schedule(17, DefaultRounds)) {
		t.Error("two seeds give one order")
	}
	first := rounds[0]
	if first.fate != lives || first.letters[first.victim] == nil || !first.letters[first.victim].toBob || first.letters[1-first.victim] != nil {
		t.Errorf("the first round is %+v, want a letter of Alice's and no more", first)
	}
	fates, atOnce := map[fate]int{}, 0
	for _, r := range rounds {
		fates[r.fate]++
		if r.letters[r.victim] == nil || r.fate == stop && r.letters[1-r.victim] == nil || r.after < 0 || r.after >= strike {
			t.Errorf("round %+v has nobody to strike, or no moment", r)
		}
		if r.letters[0] != nil && r.letters[1] != nil {
			atOnce++
		}
	}
	if fates[kill] < 15 || fates[restart] < 10 || canStop && fates[stop] != DefaultRounds/stopEvery || atOnce < 60 {
		t.Errorf("kills, restarts, stops: %v; both at once: %d", fates, atOnce)
	}
	if got := messages(rounds); got != DefaultRounds+atOnce {
		t.Errorf("%d messages, want %d", got, DefaultRounds+atOnce)
	}
}

// TestOracle counts two ciphertexts of one message key, and no others.
func TestOracle(t *testing.T) {
	a, err := newAlice(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer a.engine.Close()
	a.bob = ratchet.PublicKey{9}
	o := oracle{used: map[slot]bool{}}
	key := &ratchet.PublicKey{9}
	for range 3 {
		made, err := a.write(t.Context(), []byte("letter"), key)
		if err != nil {
			t.Fatal(err)
		}
		key = nil
		if err := o.see(made); err != nil || o.reused != 0 {
			t.Fatalf("a fresh message: %d reused, %v", o.reused, err)
		}
		if made.Session[0]++; o.see(made) != nil || o.reused != 0 {
			t.Fatal("the same index of another session counts")
		}
		made.Session[0]--
		if err := o.see(made); err != nil || o.reused != 1 {
			t.Fatalf("the same message key again: %d reused, %v", o.reused, err)
		}
		o.reused = 0
	}
	if err := o.see(pawl.Encrypted{}); err == nil {
		t.Error("a ciphertext that cannot be parsed is passed over")
	}
}

// TestHistory: who worked from what.
func TestHistory(t *testing.T) {
	step := func(read, wrote kv.Version) answer {
		a := answer{Read: []look{{"other", 99}, {"s", read}}}
		if wrote != 0 {
			a.Wrote = []look{{"s", wrote}}
		}
		return a
	}
	h := history{}
	h.add("app", 1, answer{Wrote: []look{{"s", 5}}})
	h.add("NSE", 3, step(6, 8)) // answered before the app did
	h.add("app", 2, step(5, 6))
	for _, c := range []struct {
		by   string
		step answer
		want []string
	}{
		{"app", step(6, 0), []string{"The app worked from its copy of the session from round 2 (version 6).", "The NSE had moved it on in round 3 (version 8)."}},
		{"NSE", step(5, 7), []string{"The NSE worked from its copy of the session from round 1 (version 5).", "The app had moved it on in round 2 (version 6)."}},
		{"app", step(3, 0), []string{"The app worked from its copy of the session (version 3).", "The NSE had moved it on in round 3 (version 8)."}},
		{"NSE", step(8, 0), []string{"What led to it, no process lived to tell."}},
		{"NSE", answer{}, []string{"What led to it, no process lived to tell."}},
	} {
		if got := h.explain(c.by, c.step); !reflect.DeepEqual(got, c.want) {
			t.Errorf("the %s with %+v: %q, want %q", c.by, c.step, got, c.want)
		}
	}
	h.add("app", 4, step(6, 9))
	want := "in round 4 the app wrote what it made of version 6 over the NSE's version 8."
	if got := h.explain("NSE", step(9, 0)); len(got) != 2 || got[1] != want {
		t.Errorf("after a lost update: %q, want %q", got, want)
	}
}

func TestPercentile(t *testing.T) {
	var values []int64
	for i := int64(200); i > 0; i-- {
		values = append(values, i)
	}
	for p, want := range map[int]int64{0: 1, 50: 100, 99: 198, 100: 200} {
		if got := percentile(values, p); got != want {
			t.Errorf("percentile %d is %d, want %d", p, got, want)
		}
	}
	if got := percentile(nil, 99); got != 0 {
		t.Errorf("percentile of nothing is %d", got)
	}
	if got := percentile([]int64{7}, 50); got != 7 {
		t.Errorf("percentile of 7 is %d", got)
	}
}

func TestEvent(t *testing.T) {
	in, out := &letter{toBob: true}, &letter{}
	for want, r := range map[string]round{
		"Alice writes to the app": {letters: [2]*letter{in, nil}},
		"the NSE writes to Alice while Alice writes to the app; the NSE is killed":         {letters: [2]*letter{in, out}, victim: 1, fate: kill},
		"the app is restarted; the app writes to Alice":                                    {letters: [2]*letter{out, nil}, fate: restart},
		"Alice writes to the app while the NSE writes to Alice; the app is stopped for 1s": {letters: [2]*letter{in, out}, fate: stop},
	} {
		if got := event(r); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// TestTable: it fits a terminal, also with long times.
func TestTable(t *testing.T) {
	var b strings.Builder
	s := story{w: &b}
	longest, _ := design.Find(design.NameValidated)
	s.table(Report{Designs: []Outcome{{title: longest.Title, Messages: 1e7, P50: 999, P99: time.Second.Microseconds(), Worst: 12_345_678, Retries: 1e7}}})
	for _, line := range strings.Split(b.String(), "\n") {
		if len(line) > 100 {
			t.Errorf("%d characters: %s", len(line), line)
		}
	}
	for _, want := range []string{" 1ms ", " 1s ", " 12.346s "} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
}
