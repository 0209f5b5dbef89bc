package workload

import (
	"iter"
	"sync"
)

// dealer gives each number out once, in order, and none while one that is ahead
// numbers before it is not done.
type dealer struct {
	mu      sync.Mutex
	changed *sync.Cond
	next    int
	of      int
	open    map[int]bool // given out and not done
	stopped bool
}

func newDealer(of int) *dealer {
	d := &dealer{of: of, open: map[int]bool{}}
	d.changed = sync.NewCond(&d.mu)
	return d
}

// deal yields numbers until there are none, or the dealer is stopped.
func (d *dealer) deal() iter.Seq[int] {
	return func(yield func(int) bool) {
		for {
			n, ok := d.take()
			if !ok || !yield(n) {
				return
			}
		}
	}
}

func (d *dealer) take() (n int, ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for d.next < d.of && !d.stopped && d.oldest() <= d.next-ahead {
		d.changed.Wait()
	}
	if d.next >= d.of || d.stopped {
		return 0, false
	}
	n = d.next
	d.next++
	d.open[n] = true
	return n, true
}

// oldest returns the first number that is not done.
func (d *dealer) oldest() int {
	first := d.next
	for n := range d.open {
		first = min(first, n)
	}
	return first
}

func (d *dealer) done(n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.open, n)
	d.changed.Broadcast()
}

// stop ends dealing: one process that cannot go on must not be waited for. One
// that has come to the end stops nobody, since all is dealt by then.
func (d *dealer) stop() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.stopped = true
	d.changed.Broadcast()
}
