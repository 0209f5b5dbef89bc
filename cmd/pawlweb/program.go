//go:build js

package main

import (
	"context"
	"sync"
	"syscall/js"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/internal/calls"
)

// program makes calls for JavaScript. Each has a number of JavaScript's, by which it is
// answered and canceled, and runs in a goroutine of its own: a function that JavaScript
// calls returns at once.
type program struct {
	host    host
	library *calls.Library
	mu      sync.Mutex
	cancels map[int]context.CancelFunc
	ended   chan struct{}
}

// exports are the functions that JavaScript calls.
func (p *program) exports() map[string]any {
	return map[string]any{
		"open":   exported(p.open),
		"call":   exported(p.call),
		"stream": exported(p.stream),
		"next":   exported(p.next),
		"close":  exported(p.close),
		"cancel": exported(p.cancel),
		"end":    exported(func([]js.Value) { close(p.ended) }),
	}
}

func exported(f func(args []js.Value)) js.Func {
	return js.FuncOf(func(_ js.Value, args []js.Value) any {
		f(args)
		return nil
	})
}

// begin runs a call with its deadline, in milliseconds, and answers it. What was given
// beside the parameters is wiped then.
func (p *program) begin(number, deadline js.Value, beside []byte, do func(ctx context.Context) ([]byte, error)) {
	n := number.Int()
	ctx, end, err := p.library.Within(int64(deadline.Float()), 0)
	if err != nil {
		p.host.answer(n, nil, err)
		return
	}
	p.mu.Lock()
	p.cancels[n] = end
	p.mu.Unlock()
	go func() {
		result, err := do(ctx)
		p.cancelCall(n)
		clear(beside)
		p.host.answer(n, result, err)
	}()
}

func (p *program) cancelCall(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if end, running := p.cancels[n]; running {
		end()
		delete(p.cancels, n)
	}
}

// open has number, deadline, parameters, secret and perhaps a witness.
func (p *program) open(args []js.Value) {
	params, secret := []byte(args[2].String()), bytesOf(args[3])
	var more []pawl.Option
	if args[4].Truthy() {
		more = append(more, pawl.WithWitness(newWitness(args[4])))
	}
	p.begin(args[0], args[1], secret, func(ctx context.Context) ([]byte, error) {
		return p.library.Open(ctx, params, secret, more...)
	})
}

// call has number, deadline, handle, name, parameters and what goes beside them.
func (p *program) call(args []js.Value) {
	on, name, params, body := handleOf(args[2]), args[3].String(), []byte(args[4].String()), bytesOf(args[5])
	p.begin(args[0], args[1], body, func(ctx context.Context) ([]byte, error) {
		return p.library.Call(ctx, on, name, params, body)
	})
}

// stream has number, deadline, handle, name and parameters.
func (p *program) stream(args []js.Value) {
	on, name, params := handleOf(args[2]), args[3].String(), []byte(args[4].String())
	p.begin(args[0], args[1], nil, func(context.Context) ([]byte, error) { return p.library.Stream(on, name, params) })
}

// next has number, deadline and the handle of a stream.
func (p *program) next(args []js.Value) {
	on := handleOf(args[2])
	p.begin(args[0], args[1], nil, func(ctx context.Context) ([]byte, error) { return p.library.Next(ctx, on) })
}

// close has number, deadline and handle.
func (p *program) close(args []js.Value) {
	on := handleOf(args[2])
	p.begin(args[0], args[1], nil, func(context.Context) ([]byte, error) { return []byte("{}"), p.library.Close(on) })
}

// cancel has the number of a call.
func (p *program) cancel(args []js.Value) { p.cancelCall(args[0].Int()) }

func handleOf(v js.Value) calls.Handle { return calls.Handle(v.Float()) }

// bytesOf copies an Uint8Array, or returns nil.
func bytesOf(v js.Value) []byte {
	if !v.Truthy() {
		return nil
	}
	b := make([]byte, v.Get("length").Int())
	js.CopyBytesToGo(b, v)
	return b
}
