package turns_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/internal/turns"
)

// life is another than any engine has.
const life = 300 * time.Millisecond

func take(t *testing.T, table *turns.Table, keys ...string) kv.Turn {
	t.Helper()
	turn, err := table.Take(t.Context(), keys...)
	if err != nil {
		t.Fatal(err)
	}
	return turn
}

func writes(turn kv.TurnID, keys ...string) *kv.Batch {
	b := &kv.Batch{Turn: turn}
	for _, key := range keys {
		b.Writes = append(b.Writes, kv.Write{Key: key})
	}
	return b
}

// wait waits as a commit does that is over at once.
func wait(ctx context.Context, table *turns.Table, b *kv.Batch) error {
	leave, err := table.Enter(ctx, b)
	if err == nil {
		leave()
	}
	return err
}

// later runs do in a goroutine that waits, and returns whether it is done.
func later(do func()) (done func() bool) {
	var over atomic.Bool
	go func() { do(); over.Store(true) }()
	synctest.Wait()
	return over.Load
}

func TestTurnsAreGrantedInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table := turns.New(life, nil)
		first := take(t, table, "k")
		granted := make(chan int, 5)
		for i := range 5 {
			later(func() {
				turn := take(t, table, "k")
				granted <- i
				turn.Release()
			})
		}
		if len(granted) != 0 {
			t.Fatal("a turn was granted while another holds it")
		}
		first.Release()
		for want := range 5 {
			if got := <-granted; got != want {
				t.Fatalf("turn %d was granted, want %d", got, want)
			}
		}
	})
}

func TestExpiryBeginsWithTheGrant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table := turns.New(life, nil)
		began := time.Now()
		for i := range 4 {
			take(t, table, "k")
			if got, want := time.Since(began), time.Duration(i)*life; got != want {
				t.Fatalf("turn %d was granted after %v, want %v", i, got, want)
			}
		}
	})
}

func TestACommitWaitsForTurnsAskedForBeforeIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table := turns.New(life, nil)
		first := take(t, table, "k")
		var second, third kv.Turn
		secondGranted := later(func() { second = take(t, table, "k") })
		passed := later(func() {
			if err := wait(t.Context(), table, writes(0, "other", "k")); err != nil {
				t.Error(err)
			}
		})
		thirdGranted := later(func() { third = take(t, table, "k") })
		first.Release()
		synctest.Wait()
		if !secondGranted() || passed() {
			t.Fatalf("second granted %v, commit passed %v; want the second alone", secondGranted(), passed())
		}
		second.Release()
		synctest.Wait()
		if !thirdGranted() || !passed() {
			t.Fatalf("third granted %v, commit passed %v; want both", thirdGranted(), passed())
		}
		third.Release()
	})
}

func TestAHoldersCommitPassesQueuedTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table := turns.New(life, nil)
		holder := take(t, table, "a")
		later(func() { take(t, table, "a", "b").Release() }) // first in the queue of b, behind the holder in that of a
		began := time.Now()
		if err := wait(t.Context(), table, writes(holder.ID, "a", "b")); err != nil {
			t.Fatal(err)
		}
		if waited := time.Since(began); waited != 0 {
			t.Fatalf("the holder's commit waited %v for a turn that waits for it", waited)
		}
		holder.Release()
	})
}

func TestHoldersThatWriteUnderEachOtherWaitForExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table := turns.New(life, nil)
		a, b := take(t, table, "a"), take(t, table, "b")
		began := time.Now()
		done := make(chan error, 2)
		go func() { done <- wait(t.Context(), table, writes(a.ID, "a", "b")) }()
		go func() { done <- wait(t.Context(), table, writes(b.ID, "a", "b")) }()
		if err := errors.Join(<-done, <-done); err != nil {
			t.Fatal(err)
		}
		if waited := time.Since(began); waited != life {
			t.Fatalf("waited %v, want %v", waited, life)
		}
	})
}

func TestWhoGivesUpHoldsUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table := turns.New(life, nil)
		first := take(t, table, "a")
		ctx, cancel := context.WithCancel(t.Context())
		later(func() {
			if _, err := table.Take(ctx, "a", "b"); !errors.Is(err, context.Canceled) {
				t.Errorf("a turn that was given up: %v", err)
			}
		})
		granted := later(func() { take(t, table, "b") })
		if granted() {
			t.Fatal("a turn was granted to the second in the queue")
		}
		cancel()
		synctest.Wait()
		if !granted() {
			t.Fatal("a turn is not granted after the one before it was given up")
		}
		first.Release()
		if _, err := table.Take(ctx, "c"); !errors.Is(err, context.Canceled) {
			t.Fatalf("turn with an ended context: %v", err)
		}
	})
}

func TestCloseEndsEverything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table := turns.New(life, nil)
		held := take(t, table, "k")
		errs := make(chan error, 4)
		go func() { _, err := table.Take(t.Context(), "k"); errs <- err }()
		go func() { errs <- wait(t.Context(), table, writes(0, "k")) }()
		synctest.Wait()
		table.Close()
		table.Close()
		held.Release()
		_, err := table.Take(t.Context(), "k")
		errs <- err
		_, err = table.Take(t.Context())
		errs <- err
		for range cap(errs) {
			if err := <-errs; !errors.Is(err, kv.ErrClosed) {
				t.Errorf("after close: %v, want %v", err, kv.ErrClosed)
			}
		}
	})
}

func TestTakeRefusesInvalidKeys(t *testing.T) {
	table := turns.New(life, nil)
	if _, err := table.Take(t.Context(), "k", ""); !errors.Is(err, kv.ErrInvalid) {
		t.Fatalf("turn on an empty key: %v", err)
	}
	take(t, table, "k", "k").Release()
}

// Property: whatever turns are asked for, at most one holds a key at a time,
// all are granted, and those on one key in the order asked for.
func TestAnyTurnsAreGrantedInOrder(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		var wanted [][]string
		for range rapid.IntRange(1, 12).Draw(r, "turns") {
			wanted = append(wanted, rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c", "d"}), 0, 4).Draw(r, "keys"))
		}
		expire := rapid.Bool().Draw(r, "expire")
		synctest.Test(t, func(t *testing.T) {
			for key, order := range grantAll(t, wanted, expire) {
				if !slices.IsSorted(order) {
					t.Errorf("turns on %s were granted as %v", key, order)
				}
			}
		})
	})
}

// grantAll asks for turns one after the other, and returns for each key the
// order in which they were granted.
func grantAll(t *testing.T, wanted [][]string, expire bool) map[string][]int {
	table := turns.New(life, nil)
	granted := make(chan int)
	release := make([]func(), len(wanted))
	for i, keys := range wanted {
		later(func() {
			release[i] = take(t, table, keys...).Release
			granted <- i
		})
	}
	orders := make(map[string][]int)
	holder := make(map[string]int)
	for range wanted {
		i := <-granted
		for _, key := range keysOf(wanted[i]) {
			if other, held := holder[key]; held && !expire {
				t.Errorf("turns %d and %d hold %s together", other, i, key)
			}
			holder[key] = i
			orders[key] = append(orders[key], i)
		}
		if !expire {
			for _, key := range keysOf(wanted[i]) {
				delete(holder, key)
			}
			release[i]()
		}
	}
	return orders
}

// keysOf returns each key of a turn once: all there are of one on the whole store.
func keysOf(keys []string) []string {
	if len(keys) == 0 {
		return []string{"a", "b", "c", "d"}
	}
	return slices.Compact(slices.Sorted(slices.Values(keys)))
}

func TestManualClock(t *testing.T) {
	var clock turns.Manual
	table := turns.New(life, clock.After)
	first := take(t, table, "k")
	if clock.Pending() != 1 {
		t.Fatalf("%d alarms, want that of the turn", clock.Pending())
	}
	first.Release()
	if clock.Pending() != 0 {
		t.Fatalf("%d alarms after the release, want none", clock.Pending())
	}
	take(t, table, "k")
	clock.Advance(life - 1)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := wait(ctx, table, writes(0, "k")); !errors.Is(err, context.Canceled) {
		t.Fatalf("just before the turn ends: %v", err)
	}
	clock.Advance(1)
	if err := wait(t.Context(), table, writes(0, "k")); err != nil {
		t.Fatalf("after the turn ended: %v", err)
	}
}

func TestManualClockRingsInOrder(t *testing.T) {
	var clock turns.Manual
	var rung []string
	clock.After(3, func() { rung = append(rung, "3") })
	clock.After(1, func() {
		rung = append(rung, "1")
		clock.After(1, func() { rung = append(rung, "1+1") })
	})
	stop := clock.After(2, func() { rung = append(rung, "2") })
	if !stop() || stop() {
		t.Error("stop should come in time once")
	}
	clock.Advance(2)
	if got := fmt.Sprint(rung); got != "[1 1+1]" {
		t.Errorf("rung by 2: %s", got)
	}
	clock.Advance(10)
	if got := fmt.Sprint(rung); got != "[1 1+1 3]" {
		t.Errorf("rung by 12: %s", got)
	}
}

func BenchmarkWaitWithoutTurns(b *testing.B) {
	table := turns.New(life, nil)
	batch := writes(0, "a", "b", "c")
	for b.Loop() {
		if err := wait(b.Context(), table, batch); err != nil {
			b.Fatal(err)
		}
	}
}

// TestPass: a turn is passed on to the next one in its queues where that is on the same
// keys, and to no other.
func TestPass(t *testing.T) {
	for name, c := range map[string]struct {
		keys   []string
		behind [][]string // who asks after it, in this order; none: for the whole store
		passed bool
	}{
		"nobody waits":              {[]string{"a"}, nil, false},
		"the same key":              {[]string{"a"}, [][]string{{"a"}}, true},
		"the same keys":             {[]string{"a", "b"}, [][]string{{"b", "a", "b"}}, true},
		"fewer keys":                {[]string{"a", "b"}, [][]string{{"a"}}, false},
		"more keys":                 {[]string{"a"}, [][]string{{"a", "b"}}, false},
		"other keys":                {[]string{"a"}, [][]string{{"b"}}, false},
		"another before it":         {[]string{"a", "b"}, [][]string{{"b"}, {"a", "b"}}, false},
		"the whole store":           {[]string{"a"}, [][]string{{}}, false},
		"the whole store before it": {[]string{"a"}, [][]string{{}, {"a"}}, false},
		"the whole store after it":  {[]string{"a"}, [][]string{{"a"}, {}}, true},
		"of the whole store":        {nil, [][]string{{}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				table := turns.New(life, turns.Never)
				turn := take(t, table, c.keys...)
				var behind []func() bool
				for _, keys := range c.behind {
					behind = append(behind, later(func() {
						if _, err := table.Take(t.Context(), keys...); err != nil && !errors.Is(err, kv.ErrClosed) {
							t.Error(err)
						}
					}))
				}
				waiting := len(behind) > 0 && !behind[0]()
				next := table.Pass(turn.ID)
				synctest.Wait()
				if (next != 0) != c.passed {
					t.Errorf("passed on to %d, want passed on: %v", next, c.passed)
				}
				if waiting && behind[0]() != c.passed {
					t.Errorf("the next has the turn: %v, want %v", behind[0](), c.passed)
				}
				table.Close()
				synctest.Wait()
			})
		})
	}
}
