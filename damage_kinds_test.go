package pawl_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/session"
)

// newSweptWard is a ward with what sweeping and repairing leave: the record of the
// sweep, the mark of a stranger's session that was forgotten, and a copy of what was
// set aside.
func newSweptWard(t *testing.T) *ward {
	w := newWard(t)
	w.phone.send(w.carol, "no stranger")
	w.phone.receive(w.dave, w.byFallback)
	if _, err := w.phone.Sweep(t.Context(), w.phone.clock.now().Add(session.StrangerMemory)); err != nil {
		t.Fatal(err)
	}
	w.name(t, "sweep", "sweep", "mark", "mark")
	harmed := w.keys["other receipt"]
	putRaw(t, w.phone.kv, harmed, "damaged")
	if _, err := w.phone.store.Repair(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.name(t, "aside", "aside")
	w.whole = back(t, w.phone.kv)
	return w
}

// otherNeeds is needs for the kinds of which an account that was never swept nor
// repaired has no record. Nothing names one that is missing.
var otherNeeds = map[string]struct{ damaged answers }{
	"sweep": {answers{tells: {"sweep", "inspect", "check"}}},
	"mark":  {answers{tells: {"sweep", "inspect", "check"}, corrupt: {"decrypt by fallback"}}},
	"aside": {answers{tells: {"sweep", "inspect", "check"}}},
}

// otherCalls are calls that may have to do with such records.
var otherCalls = []string{
	"decrypt in one", "decrypt fresh", "decrypt by fallback", "encrypt for bob", "open for dave", "keys for upload",
	"mark published", "sweep", "inspect", "recover", "check", "open", "the tablet", "retirements", "complete the copy",
}

// usual is the answer of a call on a swept ward of which nothing is damaged.
func usual(call string) answer {
	if call == "decrypt by fallback" {
		return other // its session was given up
	}
	return does
}

// TestDamageOfOtherKinds is TestDamage for those kinds.
func TestDamageOfOtherKinds(t *testing.T) {
	w := newSweptWard(t)
	for name, needs := range otherNeeds {
		for way, harm := range harms {
			for _, call := range otherCalls {
				want := usual(call)
				if way != "missing" && needs.damaged.of(call) != does {
					want = needs.damaged.of(call)
				}
				if way == "missing" && name == "mark" && call == "decrypt by fallback" {
					want = does // nobody knows any more that it was there
				}
				told, err := calls[call](t.Context(), w.harmed(t, name, harm))
				if got := answerOf(told, err); got != want {
					t.Errorf("%s %s: %s %s, %v; want one that %s", name, way, call, got, err, want)
				}
			}
		}
		for _, call := range otherCalls {
			told, err := calls[call](t.Context(), w.harmed(t, name, newer))
			if concerned := needs.damaged.of(call) != does; told > 0 || errors.Is(err, kv.ErrCorrupt) || concerned && pawl.CodeOf(err) != "newer" {
				t.Errorf("%s newer: %s: %d reported, %v", name, call, told, err)
			}
		}
	}
}

// TestRepairOfOtherKinds: repair does what check finds and nothing else, and what was
// forgotten is not remembered for that.
func TestRepairOfOtherKinds(t *testing.T) {
	w := newSweptWard(t)
	for name := range otherNeeds {
		for way, harm := range harms {
			harmed := w.harmed(t, name, harm)
			before := back(t, harmed.phone.kv)
			found := harmed.check()
			if len(found) == 0 != (way == "missing") {
				t.Errorf("%s %s: check finds %v", name, way, found)
			}
			harmed.repairs(found)
			harmed.onlyTouched(before, []string{name})
			for _, call := range otherCalls {
				want := usual(call)
				if way == "missing" && name == "mark" && call == "decrypt by fallback" {
					want = does
				}
				again := harmed.in(back(t, harmed.phone.kv).restore(t))
				told, err := calls[call](t.Context(), again)
				if got := answerOf(told, err); got != want {
					t.Errorf("%s %s, repaired: %s %s, %v; want one that %s", name, way, call, got, err, want)
				}
			}
		}
	}
}

// TestHarmsEverywhere: wherever a byte of a record is changed, it is damaged, and what
// check finds is that record.
func TestHarmsEverywhere(t *testing.T) {
	w := newSweptWard(t)
	for name := range w.keys {
		if name == "keyring" {
			continue // has unsealed bytes of its own: TestKeyringDamage in txn/seal
		}
		size := len(w.value(name))
		step := max(size/12, 1)
		for at := 0; at < size; at += step {
			flip := func(w *ward, name string) []byte { b := w.value(name); b[at] ^= 0x10; return b }
			harmed := w.harmed(t, name, flip)
			found := harmed.check()
			kinds := func(f pawl.Finding) bool { return f.Repair != "" }
			if len(found) == 0 || !slices.ContainsFunc(found, kinds) {
				t.Errorf("%s, byte %d of %d: check finds %v", name, at, size, found)
			}
		}
	}
}

// TestSweptCopies: the copy of what was set aside goes after a year, whether it was
// of the account that is swept or of another one that is lost, and it stays known
// that it is gone.
func TestSweptCopies(t *testing.T) {
	for _, name := range []string{"receipt", "tablet"} {
		w := newWard(t).harmed(t, name, harms["flipped"])
		w.repairs(w.check())
		w.name(t, "aside", "copy")
		w.whole = back(t, w.phone.kv)
		full := len(w.value("copy"))
		for _, c := range []struct {
			after time.Duration
			kept  bool
		}{{session.ReceiptMemory - time.Hour, true}, {session.ReceiptMemory + time.Hour, false}} {
			if _, err := w.phone.Sweep(t.Context(), w.phone.clock.now().Add(c.after)); err != nil {
				t.Fatal(err)
			}
			w.whole = back(t, w.phone.kv)
			if left := len(w.value("copy")); left == 0 || (left == full) != c.kept {
				t.Errorf("%s, after %v: the copy has %d of %d bytes", name, c.after, left, full)
			}
		}
		if found := w.check(); len(found) > 0 {
			t.Errorf("%s: check finds %v", name, found)
		}
		delete(w.keys, "copy")
	}
}
