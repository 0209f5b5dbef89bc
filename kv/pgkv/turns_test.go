//go:build linux || darwin

package pgkv_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/pawlkv/pawl/kv"
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
