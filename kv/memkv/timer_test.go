package memkv_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/memkv"
)

// With a timer that never rings a turn lasts until it is released, and with
// one that rings at once it is over before its holder has it.
func TestTimerEndsTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		never := func(time.Duration, func()) func() bool { return func() bool { return true } }
		store := memkv.New(memkv.WithTimer(never))
		turn, err := store.Turn(t.Context(), "k")
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1)
		b := &kv.Batch{ID: kv.NewCommitID(0), Writes: []kv.Write{{Key: "k"}}}
		go func() { _, err := store.Commit(t.Context(), b); done <- err }()
		<-time.After(time.Hour) // of the fake clock
		synctest.Wait()
		if len(done) != 0 {
			t.Fatalf("a commit passed a turn that is held: %v", <-done)
		}
		turn.Release()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	})
	atOnce := func(_ time.Duration, f func()) func() bool { go f(); return func() bool { return false } }
	store := memkv.New(memkv.WithTimer(atOnce))
	for range 3 {
		if _, err := store.Turn(t.Context(), "k"); err != nil {
			t.Fatal(err)
		}
	}
}

func TestWatchLogBoundsWhatIsRemembered(t *testing.T) {
	store := memkv.New(memkv.WithWatchLog(4))
	for range 10 {
		b := &kv.Batch{ID: kv.NewCommitID(0), Writes: []kv.Write{{Key: "k"}}}
		if _, err := store.Commit(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	for c, err := range store.Watch(t.Context(), "", 0) {
		if !c.Resync || c.Head != 10 || err != nil {
			t.Errorf("10 changes with a log of 4: %+v, %v, want to resync at 10", c, err)
		}
		break
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	for _, err := range store.Watch(t.Context(), "", 0) {
		if !errors.Is(err, kv.ErrClosed) {
			t.Errorf("watch of a closed store: %v", err)
		}
	}
}
