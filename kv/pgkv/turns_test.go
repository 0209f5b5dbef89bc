//go:build linux || darwin

package pgkv_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/pgkv"
)

// heldCommits is how many commits the holder of a turn makes: many times as long as
// another's takes that does not wait.
const heldCommits = 10

// TestCommitsWaitForTurnsOfOthers: while one process has a turn, commits of others on
// its keys come after all of the holder's, and on other keys they do not wait.
func TestCommitsWaitForTurnsOfOthers(t *testing.T) {
	for range 20 { // until the holder was quick enough to tell anything
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
	t.Error("not within the life of a turn in 20 attempts")
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
