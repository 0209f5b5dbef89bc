package parallel_test

import (
	"runtime"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/pawlkv/pawl/internal/parallel"
)

// processors gives the test a number of them, whatever the machine has.
func processors(t *testing.T, n int) {
	before := runtime.GOMAXPROCS(n)
	t.Cleanup(func() { runtime.GOMAXPROCS(before) })
}

func TestEachNumberIsDoneOnce(t *testing.T) {
	processors(t, 4)
	for _, n := range []int{0, 1, 7, 8, 1000} {
		done := make([]atomic.Int32, n)
		parallel.Begin(n, 4, func(i int) { done[i].Add(1) })()
		for i := range done {
			if times := done[i].Load(); times != 1 {
				t.Fatalf("%d of %d was done %d times, want once", i, n, times)
			}
		}
	}
}

// TestTheCallerGoesOn: what is done waits for its caller, which has gone on.
func TestTheCallerGoesOn(t *testing.T) {
	processors(t, 2)
	on := make(chan struct{})
	end := parallel.Begin(1, 1, func(int) { <-on })
	close(on)
	end()
}

// TestTheCallerHelps: two calls meet, which one goroutine alone would wait for in vain.
func TestTheCallerHelps(t *testing.T) {
	processors(t, 2)
	meet := make(chan struct{})
	parallel.Begin(2, 1, func(i int) {
		if i == 0 {
			meet <- struct{}{}
		} else {
			<-meet
		}
	})()
}

// TestFewAreDoneInTurn: for what pays for no goroutine there is none but the caller.
func TestFewAreDoneInTurn(t *testing.T) {
	processors(t, 4)
	var order []int
	end := parallel.Begin(3, 4, func(i int) { order = append(order, i) })
	if len(order) != 0 {
		t.Fatalf("%v was done before the end", order)
	}
	end()
	if !slices.Equal(order, []int{0, 1, 2}) {
		t.Fatalf("done in the order %v", order)
	}
}

func TestAPanicIsTheCallers(t *testing.T) {
	processors(t, 4)
	end := parallel.Begin(1000, 1, func(i int) {
		if i == 3 {
			panic("broken")
		}
	})
	defer func() {
		if r := recover(); r != "broken" {
			t.Errorf("recovered %v, want what a call panicked with", r)
		}
	}()
	end()
	t.Error("no panic")
}
