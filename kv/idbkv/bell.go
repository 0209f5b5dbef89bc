//go:build js

package idbkv

import "syscall/js"

// ring is what stores tell each other, and all that they do: what has happened is in the
// database.
type ring int

const (
	committedRing ring = 1 // something was committed
	turnRing      ring = 2 // a turn is over
)

// bell is a BroadcastChannel on which the stores of one database hear each other.
type bell struct {
	channel js.Value
	heard   js.Func
	closed  bool
}

func newBell(database string, hear func(ring)) *bell {
	b := &bell{channel: js.Global().Get("BroadcastChannel").New("pawl/" + database)}
	b.heard = js.FuncOf(func(_ js.Value, args []js.Value) any {
		if what := args[0].Get("data"); what.Type() == js.TypeNumber && !b.closed {
			hear(ring(what.Int()))
		}
		return nil
	})
	b.channel.Set("onmessage", b.heard)
	return b
}

func (b *bell) ring(what ring) {
	if !b.closed {
		b.channel.Call("postMessage", int(what))
	}
}

func (b *bell) close() {
	b.closed = true
	b.channel.Set("onmessage", js.Null())
	b.channel.Call("close")
	b.heard.Release()
}
