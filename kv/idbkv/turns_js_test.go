package idbkv

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pawlkv/pawl/kv/internal/turns"
)

// noExpiry keeps turns until they are released, and passes them on whenever they are.
func noExpiry(set *settings) {
	set.timer = new(turns.Manual).After
	set.pass = time.Hour
}

// awaitPending waits until a request for the lock of a key's turn is waiting.
func (s *Store) awaitPending(t *testing.T, key string) {
	t.Helper()
	name := s.locks.turnOf(turns.Hashes([]string{key})[0])
	for {
		state, err := await(t.Context(), s.locks.manager.Call("query"))
		if err != nil {
			t.Fatal(err)
		}
		pending := state.Get("pending")
		for i := range pending.Length() {
			if pending.Index(i).Get("name").String() == name {
				return
			}
		}
	}
}

// TestTurnsInARow: callers of two stores want one key's turn. Each store has eight turns
// in a row while the other waits, and no more.
func TestTurnsInARow(t *testing.T) {
	const rounds = 3
	name := newName()
	a, b := openAs(t, name, noExpiry), openAs(t, name, noExpiry)
	first, err := a.Turn(t.Context(), "k")
	if err != nil {
		t.Fatal(err)
	}
	var order strings.Builder // one goroutine at a time has a turn
	order.WriteString("a")
	var callers sync.WaitGroup
	for s, of := range map[*Store]struct {
		name string
		n    int
	}{a: {"a", rounds*grantTurns - 1}, b: {"b", rounds * grantTurns}} {
		for range of.n {
			callers.Go(func() {
				turn, err := s.Turn(t.Context(), "k")
				if err != nil {
					t.Error(err)
					return
				}
				order.WriteString(of.name)
				turn.Release()
			})
		}
	}
	b.awaitPending(t, "k")
	first.Release()
	callers.Wait()
	want := strings.Repeat(strings.Repeat("a", grantTurns)+strings.Repeat("b", grantTurns), rounds)
	if got := order.String(); got != want {
		t.Errorf("turns were granted to %s, want %s", got, want)
	}
}

// TestTurnPassedOnToNobody: a turn that is passed on to a caller who has just given up is
// over.
func TestTurnPassedOnToNobody(t *testing.T) {
	s := openAs(t, newName(), noExpiry)
	for range 20 {
		turn, err := s.Turn(t.Context(), "k")
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() {
			turn, err := s.Turn(ctx, "k")
			if err == nil {
				turn.Release()
			}
			done <- err
		}()
		runtime.Gosched() // it waits by now
		cancel()
		turn.Release()
		if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		if held := len(s.turns.held); held != 0 {
			t.Fatalf("%d turns are held, want none", held)
		}
	}
}
