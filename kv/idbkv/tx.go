//go:build js

package idbkv

import (
	"syscall/js"
)

// tx is a transaction of IndexedDB. Its requests are made in steps, each in the
// callback of the last request of the step before, when all of those are answered: so
// nothing is waited for in between, and the transaction is alive in each.
type tx struct {
	value  js.Value
	opener js.Value // the first request
	last   js.Value // the newest request, undefined if the step made none
	next   func() error
	first  func() // called once the first request is answered, if there are many

	end      ending
	why      error // why we aborted it
	done     chan ending
	ready    chan struct{} // closed by answer
	answered bool
	over     bool
	asked    int
	begun    js.Func
	step     js.Func
	ended    js.Func
	failed   js.Func
}

// Modes of a transaction.
const (
	reading = "readonly"
	writing = "readwrite"
)

// begin opens a transaction on object stores, strict or relaxed. It waits in the browser
// for those that others have on the same stores.
func begin(db js.Value, mode string, strict bool, stores ...any) (*tx, error) {
	durability := "relaxed"
	if strict {
		durability = "strict"
	}
	t := &tx{done: make(chan ending, 1), ready: make(chan struct{})}
	err := try(func() error {
		t.value = db.Call("transaction", js.ValueOf(stores), mode, map[string]any{"durability": durability})
		return nil
	})
	if err != nil {
		return nil, err
	}
	t.step = js.FuncOf(func(js.Value, []js.Value) any {
		t.advance()
		return nil
	})
	t.failed = js.FuncOf(func(_ js.Value, args []js.Value) any {
		failure := args[0].Get("target").Get("error")
		if failure.Truthy() && failure.Get("name").String() != "AbortError" && !t.end.failed {
			t.end.failed = true
			t.end.name, t.end.message = failure.Get("name").String(), failure.Get("message").String()
		}
		return nil
	})
	t.ended = js.FuncOf(func(_ js.Value, args []js.Value) any {
		t.finish(args[0].Get("type").String() == "complete")
		return nil
	})
	t.value.Set("onerror", t.failed)
	t.value.Set("oncomplete", t.ended)
	t.value.Set("onabort", t.ended)
	return t, nil
}

// store returns one of the object stores that the transaction was opened on.
func (t *tx) store(name string) js.Value { return t.value.Call("objectStore", name) }

// ask notes a request that was made.
func (t *tx) ask(request js.Value) js.Value {
	t.last = request
	if t.asked++; t.asked == 1 {
		t.opener = request
	}
	return request
}

// manyRequests take so long that it is worth knowing when the first is answered.
const manyRequests = 64

// tellFirst lets first be called when the first request is answered, unless that is soon
// followed by all of them.
func (t *tx) tellFirst() {
	if t.first == nil || t.asked < manyRequests || t.begun.Truthy() {
		return
	}
	t.begun = js.FuncOf(func(js.Value, []js.Value) any {
		t.first()
		return nil
	})
	t.opener.Set("onsuccess", t.begun)
}

// then makes the next step, when all requests of this one are answered.
func (t *tx) then(next func() error) error {
	if t.last.IsUndefined() {
		return next()
	}
	t.tellFirst()
	t.next = next
	t.last.Set("onsuccess", t.step)
	t.last = js.Undefined()
	return nil
}

// atOnce is how many requests a step makes where there are many: a page is to be able to do
// something else in between, and the transaction lives on as long as some are not answered.
const atOnce = 128

// inSteps makes n requests, in as many steps as they take, and takes the answers of each
// step before it makes the next.
func (t *tx) inSteps(n int, ask func(i int), take func(i int) error, then func() error) error {
	var step func(from int) error
	step = func(from int) error {
		to := min(from+atOnce, n)
		for i := from; i < to; i++ {
			ask(i)
		}
		return t.then(func() error {
			for i := from; i < to; i++ {
				if err := take(i); err != nil {
					return err
				}
			}
			if to == n {
				return then()
			}
			return step(to)
		})
	}
	return step(0)
}

// inTurn makes requests whose answers nobody needs, in as many steps as they take; then
// comes with the last of them. A program that ends between two steps leaves nothing of them:
// the browser calls it for the next, which fails, and the transaction is aborted.
func (t *tx) inTurn(requests []func(), then func() error) error {
	for _, request := range requests[:min(atOnce, len(requests))] {
		request()
	}
	if len(requests) <= atOnce {
		return then()
	}
	return t.then(func() error { return t.inTurn(requests[atOnce:], then) })
}

// start makes the first step.
func (t *tx) start(first func() error) {
	if err := try(first); err != nil {
		t.abort(err)
	}
}

func (t *tx) advance() {
	next := t.next
	t.next = nil
	if next == nil || t.end.ours {
		return
	}
	if err := try(next); err != nil {
		t.abort(err)
	}
}

// answer says, in a step of a transaction that reads, that all is read.
func (t *tx) answer() {
	t.answered = true
	close(t.ready)
}

// commit says that no more requests come.
func (t *tx) commit() {
	t.end.put = true
	if t.value.Get("commit").Truthy() {
		t.value.Call("commit")
	}
}

// abort ends the transaction, because of why. It reports whether nothing was
// applied for certain: the browser takes an abort until it commits.
func (t *tx) abort(why error) bool {
	err := try(func() error {
		t.value.Call("abort")
		return nil
	})
	if t.why == nil {
		t.why = why
	}
	if err == nil {
		t.end.ours = true
	} else {
		t.end.late = true
	}
	return err == nil
}

// finish takes the event with which the transaction ends.
func (t *tx) finish(completed bool) {
	if t.over {
		return
	}
	t.over = true
	t.end.completed = completed
	if failure := t.value.Get("error"); !completed && failure.Truthy() && !t.end.failed {
		t.end.name, t.end.message = failure.Get("name").String(), failure.Get("message").String()
	}
	t.step.Release()
	if t.begun.Truthy() {
		t.begun.Release()
	}
	t.failed.Release()
	t.ended.Release()
	t.done <- t.end
}
