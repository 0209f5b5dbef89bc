package demo

import (
	"reflect"
	"testing"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/ratchet"
)

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
	want := "The NSE worked from the session as it was stored, and that was no longer good: " +
		"in round 4 the app wrote what it made of version 6 over the NSE's version 8."
	if got := h.explain("NSE", step(9, 0)); !reflect.DeepEqual(got, []string{want}) {
		t.Errorf("after a lost update: %q, want %q", got, want)
	}
}
