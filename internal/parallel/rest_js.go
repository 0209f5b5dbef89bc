package parallel

import (
	"syscall/js"
	"time"
)

// slice is how long computations go on before the browser may do something else. A part
// between two calls of Rest comes on top, and a page is to have answered after 50 ms.
const slice = 10 * time.Millisecond

// rest is shared by all goroutines, of which JavaScript runs one at a time.
var rest struct {
	last    time.Time
	ask     func() // makes the browser call woken
	waiting chan struct{}
}

// Rest lets the browser do something else if computations have gone on for long. It must
// not be called in a function that JavaScript has called, since that waits for it.
func Rest() {
	if time.Since(rest.last) < slice {
		return
	}
	if rest.ask == nil {
		rest.ask = asking()
	}
	if rest.waiting == nil {
		rest.waiting = make(chan struct{})
		rest.ask()
	}
	<-rest.waiting
}

func woken(js.Value, []js.Value) any {
	rest.last = time.Now()
	close(rest.waiting)
	rest.waiting = nil
	return nil
}

// asking returns what makes the browser call woken after all else that waits. A message to
// oneself comes at once also in a hidden page, whose timers are late; Node waits for nobody
// who listens to messages with setImmediate alone.
func asking() func() {
	back := js.FuncOf(woken)
	if js.Global().Get("setImmediate").Truthy() {
		return func() { js.Global().Call("setImmediate", back) }
	}
	channel := js.Global().Get("MessageChannel").New()
	channel.Get("port1").Set("onmessage", back)
	to := channel.Get("port2")
	return func() { to.Call("postMessage", js.Null()) }
}
