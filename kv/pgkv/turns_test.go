//go:build linux || darwin

package pgkv_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/pgkv"
)

// heldCommits is how many commits the holder of a turn makes: many times as long as
// another's takes that does not wait.
const heldCommits = 10

// TestCommitsWaitForTurnsOfOthers: while one process has a turn, commits of others on
// its keys come after all of the holder's, and on other keys they do not wait.
func TestCommitsWaitForTurnsOfOthers(t *testing.T) {
	tried := 0
	for began := time.Now(); tried < 20 || time.Since(began) < patience; tried++ { // until the holder was quick enough to tell anything
		space := aSpace(t)
		holder, other := openDB(t).Store(space), openDB(t).Store(space)
		mustCommit(t, holder, put(0, "k", "0"))
		read(t, other, "k") // it is connected
		turn, err := holder.Turn(t.Context(), "k")
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		waits := begin(t.Context(), other, put(0, "k", "other"))
		passes := begin(t.Context(), other, put(0, "l", "other"))
		var last kv.Version
		for i := range heldCommits {
			b := put(0, "k", fmt.Sprint(i))
			b.Turn = turn.ID
			last = mustCommit(t, holder, b)
		}
		free := <-passes
		if free.err != nil {
			t.Fatal(free.err)
		}
		inTime := time.Since(began) < holder.Limits().TurnLife
		turn.Release()
		late := <-waits
		if late.err != nil {
			t.Fatal(late.err)
		}
		if !inTime {
			continue
		}
		if late.version < last {
			t.Errorf("a commit under the turn of another process has version %d, and the holder's last one %d", late.version, last)
		}
		return
	}
	t.Errorf("not within the life of a turn in %d attempts", tried)
}

// TestTurnsAfterTheClockWasSetBack: turns that were asked for before the server's clock was
// set back, by processes that are gone, hold nobody up for as long as the clock was ahead.
func TestTurnsAfterTheClockWasSetBack(t *testing.T) {
	space := aSpace(t)
	store := openDB(t).Store(space)
	first := mustCommit(t, store, put(0, "k", "1"))
	for _, granted := range []bool{false, true} {
		server.Get(t).SQL(t, fmt.Sprintf(`INSERT INTO pawl.turns (space, keys, expires, granted)
			SELECT s.id, ARRAY['k'::bytea], clock_timestamp() + interval '1 hour', %v FROM pawl.spaces s WHERE s.name = '%s'`,
			granted, strings.ReplaceAll(space, "'", "''")))
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if _, err := store.Commit(ctx, put(first, "k", "2")); err != nil {
		t.Errorf("a commit: %v", err)
	}
	turn, err := store.Turn(ctx, "k")
	if err != nil {
		t.Fatalf("a turn: %v", err)
	}
	turn.Release()
	conn := server.Get(t).Connect(t)
	defer conn.Close(ctx)
	var left int
	err = conn.QueryRow(ctx, `SELECT count(*) FROM pawl.turns t JOIN pawl.spaces s ON s.id = t.space
		WHERE s.name = $1 AND t.expires > clock_timestamp() + interval '1 minute'`, space).Scan(&left)
	if err != nil || left != 0 {
		t.Errorf("%d such turns are left once somebody has asked for one: %v", left, err)
	}
}

// TestTurnsThatStand: a turn counts from when it is given until it ends, however it is
// given, and not where it would end later than any that is given.
func TestTurnsThatStand(t *testing.T) {
	openDB(t)
	conn := server.Get(t).Connect(t)
	defer conn.Close(t.Context())
	for left, want := range map[time.Duration]bool{
		-time.Second: false, 0: false, kv.EmbeddedTurnLife: true, pgkv.TicketLife: true, 10 * time.Second: false, time.Hour: false,
	} {
		var stands bool
		err := conn.QueryRow(t.Context(), "SELECT pawl.stands(clock_timestamp() + $1::bigint * interval '1 ms')", left.Milliseconds()).Scan(&stands)
		if err != nil || stands != want {
			t.Errorf("a turn that ends in %v stands: %v, want %v: %v", left, stands, want, err)
		}
	}
}

// TestTicketsServeSeveralTurns: callers of one process who want the same key have their
// turns on one ticket, and no more of them than others are to wait for.
func TestTicketsServeSeveralTurns(t *testing.T) {
	const callers, rounds = 16, 25
	space := aSpace(t)
	store := openDB(t).Store(space)
	conn := server.Get(t).Connect(t)
	defer conn.Close(t.Context())
	last := func() (ticket int) {
		err := conn.QueryRow(t.Context(), "SELECT last_value FROM pg_sequences WHERE schemaname = 'pawl' AND sequencename = 'turns_ticket_seq'").Scan(&ticket)
		if err != nil {
			t.Fatal(err)
		}
		return ticket
	}
	turn, err := store.Turn(t.Context(), "k")
	if err != nil {
		t.Fatal(err)
	}
	turn.Release()
	before := last()
	var holders atomic.Int32
	var all errgroup.Group
	for range callers {
		all.Go(func() error {
			for range rounds {
				turn, err := store.Turn(t.Context(), "k")
				if err != nil {
					return err
				}
				if holders.Add(1) > 1 {
					return errors.New("two have the turn")
				}
				holders.Add(-1)
				turn.Release()
			}
			return nil
		})
	}
	if err := all.Wait(); err != nil {
		t.Fatal(err)
	}
	const fewest, most = callers * rounds / pgkv.TicketTurns, 2 * callers * rounds / pgkv.TicketTurns
	if asked := last() - before; asked < fewest || asked > most {
		t.Errorf("%d turns took %d tickets, want %d to %d", callers*rounds, asked, fewest, most)
	}
	none(t, space)
}

// TestTicketsPassedOnToNobody: a ticket that is passed on to a caller who has just given up
// is taken back.
func TestTicketsPassedOnToNobody(t *testing.T) {
	space := aSpace(t)
	store := openDB(t).Store(space)
	for range 100 {
		turn, err := store.Turn(t.Context(), "k")
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var next errgroup.Group
		next.Go(func() error {
			turn, err := store.Turn(ctx, "k")
			if err == nil {
				turn.Release()
				return nil
			}
			if !errors.Is(err, context.Canceled) {
				return err
			}
			return nil
		})
		for range 100 {
			runtime.Gosched() // most of the time it waits by now
		}
		cancel()
		turn.Release()
		if err := next.Wait(); err != nil {
			t.Fatal(err)
		}
	}
	none(t, space)
}

// none waits until the server has no tickets for a space.
func none(t *testing.T, space string) {
	t.Helper()
	server.Get(t).Await(t, fmt.Sprintf("SELECT NOT EXISTS (SELECT FROM pawl.turns t JOIN pawl.spaces s ON s.id = t.space WHERE s.name = '%s')",
		strings.ReplaceAll(space, "'", "''")))
}
