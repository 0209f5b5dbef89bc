package todevice_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/internal/machine/todevice"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/kvtest/faulty"
	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/txn"
)

// lettersOf puts something plain before each message.
func lettersOf(messages []todevice.Incoming) (letters []todevice.Letter) {
	for _, in := range messages {
		letters = append(letters, todevice.Letter{Plain: true}, todevice.Letter{Incoming: in})
	}
	return letters
}

// told is what Each says of a letter.
func told(_ *txn.Tx, i int, r todevice.Result) (string, error) {
	return fmt.Sprintf("%d %s %v", i, r.Plaintext, r.Err), nil
}

// TestDecryptWith: letters are gone through in order, in as many commits as the
// engine needs, and Last is in the last of them, if it fits.
func TestDecryptWith(t *testing.T) {
	for name, limits := range map[string]kv.Limits{"floor": kv.Floor(), "usual": memkv.New().Limits()} {
		store := memkv.New(memkv.WithLimits(limits))
		a := newAccount(t, store)
		messages, _ := meet(t, a, 40, []opened{open(t, 1, 0)})
		letters := lettersOf(messages)
		last, places := 0, map[int]bool{}
		out, err := todevice.DecryptWith(t.Context(), todevice.New(a), letters, todevice.With[string]{
			Each: func(tx *txn.Tx, i int, r todevice.Result) (string, error) {
				places[r.Place] = true
				return told(tx, i, r)
			},
			Writes: 1, Checks: 1,
			Last: func(tx *txn.Tx) error { tx.OnCommit(func() { last++ }); return nil },
		})
		must(t, err)
		var want []string
		for i := 0; i < len(letters); i += 2 {
			want = append(want, fmt.Sprint(i, "  <nil>"), fmt.Sprint(i+1, " next <nil>"))
		}
		if !slices.Equal(out, want) || last != 1 || len(places) < 2 {
			t.Errorf("%s: %q, last %d times", name, out, last)
		}
	}
}

// TestDecryptWithBefore: a message that is not to be decrypted keeps what it needs.
func TestDecryptWithBefore(t *testing.T) {
	a := newAccount(t, memkv.New())
	messages, _ := meet(t, a, 2, []opened{open(t, 1, 0)})
	refused := errors.New("refused")
	w := todevice.With[string]{Each: told, Before: func(_ *txn.Tx, i int) error {
		if i == 1 {
			return refused
		}
		return nil
	}}
	m := todevice.New(a)
	letters := []todevice.Letter{{Incoming: messages[0]}, {Incoming: messages[1]}, {Incoming: todevice.Incoming{Message: ratchet.Message{Type: 7}}}}
	out, err := todevice.DecryptWith(t.Context(), m, letters, w)
	must(t, err)
	want := []string{"0 next <nil>", "1  refused", "2  " + todevice.ErrMessageType.Error()}
	if !slices.Equal(out, want) {
		t.Errorf("%q, want %q", out, want)
	}
	r, err := m.Decrypt(t.Context(), messages[1])
	if err != nil || r.Duplicate {
		t.Errorf("afterwards: %v, duplicate %t", err, r.Duplicate)
	}
}

// TestDecryptWithFails: what an error of Each or of a commit leaves undone was not
// done at all, and what came before it is returned.
func TestDecryptWithFails(t *testing.T) {
	store := memkv.New(memkv.WithLimits(kv.Floor()))
	a := newAccount(t, store)
	messages, _ := meet(t, a, 40, []opened{open(t, 1, 0)})
	a.Store.Use(faulty.Commits(store, faulty.None, faulty.DiskFull))
	m := todevice.New(a.Store.Account(a.Name))
	letters := lettersOf(messages)
	done, err := todevice.DecryptWith(t.Context(), m, letters, todevice.With[string]{Each: told})
	if !errors.Is(err, kv.ErrDiskFull) || len(done) == 0 || len(done) == len(letters) {
		t.Fatalf("%d done, %v", len(done), err)
	}
	stop := errors.New("stop")
	if _, err := todevice.DecryptWith(t.Context(), m, letters[len(done):], todevice.With[string]{
		Each: func(*txn.Tx, int, todevice.Result) (string, error) { return "", stop },
	}); !errors.Is(err, stop) {
		t.Errorf("%v, want %v", err, stop)
	}
	rest, err := todevice.DecryptWith(t.Context(), m, letters, todevice.With[bool]{
		Each: func(_ *txn.Tx, _ int, r todevice.Result) (bool, error) { return r.Duplicate, r.Err },
	})
	must(t, err)
	for i, duplicate := range rest {
		if duplicate != (i%2 == 1 && i < len(done)) {
			t.Errorf("letter %d of %d that were done: duplicate %t", i, len(done), duplicate)
		}
	}
}

// TestDecryptWithLastAlone: where the last commit has no room for Last, the messages
// are decrypted without it.
func TestDecryptWithLastAlone(t *testing.T) {
	store := memkv.New(memkv.WithLimits(kv.Floor()))
	a := newAccount(t, store)
	messages, _ := meet(t, a, 1, []opened{open(t, 1, 0)})
	committed := false
	out, err := todevice.DecryptWith(context.Background(), todevice.New(a), lettersOf(messages), todevice.With[string]{
		Each: told,
		Last: func(tx *txn.Tx) error {
			tx.OnCommit(func() { committed = true })
			return machine.PutAside(tx, a, machine.Aside{Of: "too much", Bytes: make([]byte, kv.Floor().Bytes)})
		},
	})
	if err != nil || len(out) != 2 || committed {
		t.Errorf("%q, %v, last %t", out, err, committed)
	}
	n, err := txn.View(t.Context(), a.DB, func(tx *txn.Tx) (n int, err error) {
		for _, err := range records.Receipts.Scan(tx) {
			if err != nil {
				return n, err
			}
			n++
		}
		return n, nil
	})
	if err != nil || n != 1 {
		t.Errorf("%d receipts, %v", n, err)
	}
}

// TestDecryptWithAhead: letters of which that may be are decrypted before those before
// them were done with, and what is said of each is what is said without.
func TestDecryptWithAhead(t *testing.T) {
	const here, plain = 5, 6 // places of letters
	for _, apart := range []bool{false, true} {
		a := newAccount(t, memkv.New())
		first, second := meet(t, a, 3, []opened{open(t, 1, 0)})
		foreign := first[0]
		foreign.Message = open(t, 1, 0).next[0]
		var letters []todevice.Letter
		for _, in := range []todevice.Incoming{first[0], second[0], first[0], foreign, first[1], second[1], {}, first[2], second[2]} {
			letters = append(letters, todevice.Letter{Incoming: in, Plain: len(letters) == plain})
		}
		var steps []string
		w := todevice.With[string]{
			Ahead: func(_ *txn.Tx, i int, run []todevice.Result) error {
				steps = append(steps, fmt.Sprintf("%d to %d", i, i+len(run)-1))
				return nil
			},
			Each: func(tx *txn.Tx, i int, r todevice.Result) (string, error) {
				steps = append(steps, fmt.Sprint(i))
				if r.Err == nil && i != plain {
					receipt, _, err := records.Receipts.Get(tx, r.Receipt)
					must(t, err)
					must(t, records.Receipts.Put(tx, receipt.Acknowledged()))
				}
				return fmt.Sprintf("%d %s %t %t", r.Place, r.Plaintext, r.Duplicate, errors.Is(r.Err, todevice.ErrAlreadyProcessed)), nil
			},
		}
		want := []string{"0 to 0", "0", "1 to 1", "1", "2 to 2", "2", "3 to 3", "3", "4 to 4", "4", "5 to 5", "5", "6 to 6", "6", "7 to 7", "7", "8 to 8", "8"}
		if apart {
			w.Apart = func(_ *txn.Tx, i int) bool { return i != here }
			want = []string{"0 to 1", "0", "1", "2 to 2", "2", "3 to 3", "3", "4 to 4", "4", "5 to 5", "5", "6 to 6", "6", "7 to 8", "7", "8"}
		}
		out, err := todevice.DecryptWith(t.Context(), todevice.New(a), letters, w)
		must(t, err)
		said := []string{
			"0 next false false", "1 next false false", "2  false true", "3  false false", "4 next false false",
			"5 next false false", "6  false false", "7 next false false", "8 next false false",
		}
		if !slices.Equal(steps, want) || !slices.Equal(out, said) {
			t.Errorf("apart %t:\n%q, want\n%q\n%q, want\n%q", apart, steps, want, out, said)
		}
	}
}
