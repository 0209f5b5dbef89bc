package workload

import (
	"sync"
	"testing"
	"testing/synctest"
)

// TestDealer: every number is dealt once, and none is far ahead of one that is
// not done.
func TestDealer(t *testing.T) {
	const of = 500
	d := newDealer(of)
	var mu sync.Mutex
	open, dealt := map[int]bool{}, map[int]int{}
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for n := range d.deal() {
				mu.Lock()
				dealt[n]++
				open[n] = true
				for other := range open {
					if n-other > ahead {
						t.Errorf("%d was dealt while %d was not done", n, other)
					}
				}
				delete(open, n)
				mu.Unlock()
				d.done(n)
			}
		})
	}
	all.Wait()
	for n := range of {
		if dealt[n] != 1 {
			t.Errorf("%d was dealt %d times", n, dealt[n])
		}
	}
	stopped := newDealer(of)
	stopped.stop()
	for n := range stopped.deal() {
		t.Errorf("%d was dealt after the end", n)
	}
}

// TestDealerWaits: one number that is not done holds the others up, until it is.
func TestDealerWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDealer(2 * ahead)
		first, _ := d.take()
		for range ahead - 1 {
			n, _ := d.take()
			d.done(n)
		}
		next := make(chan int, 1)
		go func() {
			n, _ := d.take()
			next <- n
		}()
		synctest.Wait()
		select {
		case n := <-next:
			t.Fatalf("%d was dealt while %d was not done", n, first)
		default:
		}
		d.done(first)
		if n := <-next; n != ahead {
			t.Errorf("%d was dealt, want %d", n, ahead)
		}
	})
}
