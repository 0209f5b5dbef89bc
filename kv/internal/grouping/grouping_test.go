package grouping_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/internal/grouping"
)

// begin waits for a request in a goroutine and returns its outcome's channel.
func begin(ctx context.Context, r *grouping.Request) <-chan error {
	outcome := make(chan error, 1)
	go func() { _, err := r.Wait(ctx); outcome <- err }()
	synctest.Wait()
	return outcome
}

func TestAnAnswerReachesTheCaller(t *testing.T) {
	r := grouping.NewRequest(&kv.Batch{})
	if !r.Take() || r.Take() {
		t.Fatal("a request is taken once")
	}
	r.Answer(7, nil)
	if version, err := r.Wait(t.Context()); version != 7 || err != nil {
		t.Fatalf("version %d, %v, want 7", version, err)
	}
}

func TestWhoWaitsMayGiveUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		r := grouping.NewRequest(&kv.Batch{})
		outcome := begin(ctx, r)
		cancel()
		if err := <-outcome; !errors.Is(err, context.Canceled) {
			t.Fatalf("given up: %v", err)
		}
		if r.Take() || !r.Withdrawn() {
			t.Fatal("a withdrawn request can be taken")
		}
		r.Refuse(kv.ErrClosed) // does nothing: nobody listens
	})
}

func TestWhatIsTakenIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		r := grouping.NewRequest(&kv.Batch{})
		r.Take()
		outcome := begin(ctx, r)
		cancel()
		synctest.Wait()
		if len(outcome) != 0 {
			t.Fatal("the caller left before the outcome was known")
		}
		r.Answer(3, nil)
		if err := <-outcome; err != nil {
			t.Fatalf("an outcome in spite of the context: %v", err)
		}
	})
}

func TestWhatIsPutBackMayGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		stays, goes := grouping.NewRequest(&kv.Batch{}), grouping.NewRequest(&kv.Batch{})
		stays.Take()
		goes.Take()
		outcome := begin(ctx, goes)
		cancel()
		synctest.Wait()
		if !stays.PutBack() || !stays.Take() {
			t.Error("a request that was put back cannot be taken again")
		}
		if goes.PutBack() {
			t.Error("a request whose caller has left waits again")
		}
		if err := <-outcome; !errors.Is(err, context.Canceled) {
			t.Errorf("put back after the context ended: %v", err)
		}
	})
}

func TestQueue(t *testing.T) {
	q := grouping.NewQueue()
	first, second := grouping.NewRequest(&kv.Batch{}), grouping.NewRequest(&kv.Batch{})
	ran := false
	if err := errors.Join(q.Add(first), q.Add(second), q.Run(func(bool) { ran = true })); err != nil {
		t.Fatal(err)
	}
	<-q.Bell()
	items, jobs, closed := q.Take()
	if len(items) != 2 || items[0] != first || items[1] != second || len(jobs) != 1 || closed {
		t.Fatalf("took %d requests and %d jobs, closed %v", len(items), len(jobs), closed)
	}
	if jobs[0](false); !ran {
		t.Fatal("another job came out")
	}
	q.Close()
	q.Close()
	<-q.Bell()
	if items, jobs, closed := q.Take(); len(items)+len(jobs) != 0 || !closed {
		t.Fatalf("a closed queue yields %d requests, %d jobs, closed %v", len(items), len(jobs), closed)
	}
	if err := q.Add(first); !errors.Is(err, kv.ErrClosed) {
		t.Errorf("add to a closed queue: %v", err)
	}
	if err := q.Run(func(bool) {}); !errors.Is(err, kv.ErrClosed) {
		t.Errorf("run on a closed queue: %v", err)
	}
}

// TestWhatIsCopiedMayBeLeft: once the committer needs the batch no more, who gives up has
// an unknown outcome; an outcome that is there by then he has.
func TestWhatIsCopiedMayBeLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		r := grouping.NewRequest(&kv.Batch{})
		r.Take()
		outcome := begin(ctx, r)
		r.Copied()
		synctest.Wait()
		if len(outcome) != 0 {
			t.Fatal("the caller left without a reason")
		}
		cancel()
		if err := <-outcome; !errors.Is(err, kv.ErrUnknown) || !errors.Is(err, context.Canceled) {
			t.Fatalf("left on its way: %v", err)
		}
		r.Answer(3, nil) // nobody listens
		if version, err := r.Wait(ctx); version != 3 || err != nil {
			t.Fatalf("answered before it was asked: version %d, %v", version, err)
		}
	})
}

// TestWhoIsAloneLeads: a caller commits himself where nobody is in his way, and nowhere
// else.
func TestWhoIsAloneLeads(t *testing.T) {
	q := grouping.NewQueue()
	leads := func() bool {
		called := false
		led := q.Lead(func() bool { called = true; return true }, func() { t.Error("a batch is lost without a panic") })
		if called != led {
			t.Errorf("committed: %v, said: %v", called, led)
		}
		return led
	}
	expect := func(want bool, when string) {
		t.Helper()
		if leads() != want {
			t.Errorf("%s: the caller leads: %v, want %v", when, !want, want)
		}
	}
	expect(true, "an empty queue")
	if q.Lead(func() bool { return false }, func() {}) {
		t.Error("who left his batch alone has committed it")
	}
	if err := q.Add(grouping.NewRequest(&kv.Batch{})); err != nil {
		t.Fatal(err)
	}
	expect(false, "a batch waits")
	q.Take()
	expect(true, "nothing waits any more")
	if err := q.Run(func(bool) {}); err != nil {
		t.Fatal(err)
	}
	expect(false, "a job waits")
	q.Take()
	q.Work(func() int { expect(false, "the committer works"); return 2 })
	expect(false, "several came at once")
	q.Work(func() int { return 1 })
	expect(true, "they come one at a time again")
	if !q.Pause() {
		t.Fatal("an idle queue cannot be paused")
	}
	expect(false, "a pause")
	if q.Pause() {
		t.Error("two pauses at once")
	}
	q.Resume()
	expect(true, "the pause is over")
	q.Close()
	expect(false, "closed")
	if q.Pause() {
		t.Error("a closed queue is paused")
	}
}

// TestPanicWhileLeading: the caller has the panic, the engine knows that a batch is lost,
// and nobody is kept from committing.
func TestPanicWhileLeading(t *testing.T) {
	q := grouping.NewQueue()
	lost := 0
	func() {
		defer func() {
			if r := recover(); r != "broken" {
				t.Errorf("recovered %v", r)
			}
		}()
		q.Lead(func() bool { panic("broken") }, func() { lost++ })
	}()
	if lost != 1 {
		t.Errorf("%d batches are lost, want 1", lost)
	}
	if !q.Lead(func() bool { return true }, func() {}) {
		t.Error("nobody leads any more")
	}
}
