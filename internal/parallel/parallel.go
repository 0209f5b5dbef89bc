// Package parallel does many small computations that have nothing to do with each other
// on all processors.
package parallel

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// Begin calls do with each number from 0 to n-1, once, while its caller goes on. Whoever
// calls end helps with what nobody has begun, and is there when all is done.
//
// Several goroutines call do, in no order, as many as there are processors, if there are
// as many numbers as each pays for: fewest is for how many of them a goroutine is worth
// its time. If a call panics no more are made, and end panics with the same value.
func Begin(n, fewest int, do func(i int)) (end func()) {
	w := &work{n: n, do: do}
	others := new(sync.WaitGroup)
	for range min(runtime.GOMAXPROCS(0)-1, n/fewest) {
		others.Go(w.some)
	}
	return func() {
		w.some()
		others.Wait()
		if w.panicked != nil {
			panic(w.panicked)
		}
	}
}

// work is what the goroutines of a call share.
type work struct {
	n  int
	do func(int)

	next     atomic.Int64
	once     sync.Once
	panicked any // what the first of them panicked with
}

// some does what nobody has begun, until there is no more of it.
func (w *work) some() {
	defer func() {
		if r := recover(); r != nil {
			w.once.Do(func() { w.panicked = r })
			w.next.Store(int64(w.n))
		}
	}()
	for {
		i := int(w.next.Add(1)) - 1
		if i >= w.n {
			return
		}
		Rest()
		w.do(i)
	}
}
