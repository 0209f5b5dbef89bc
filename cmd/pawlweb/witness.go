//go:build js

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"syscall/js"

	"github.com/pawlkv/pawl/kv/witness"
)

// foreignWitness is a witness of JavaScript's: an object whose load resolves to the text
// that was saved last, or null, and whose save(text, old) resolves to false where what is
// saved is not old any more. It is asked only for what other tabs have saved meanwhile.
type foreignWitness struct {
	value js.Value
	mu    sync.Mutex
	known bool
	text  js.Value // what is saved, as far as is known
}

func newWitness(v js.Value) *foreignWitness { return &foreignWitness{value: v} }

// Load implements witness.Witness.
func (w *foreignWitness) Load(ctx context.Context) (witness.Mark, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.load(ctx)
}

func (w *foreignWitness) load(ctx context.Context) (witness.Mark, error) {
	text, err := w.ask(ctx, "load")
	if err != nil {
		return witness.Mark{}, err
	}
	w.text, w.known = text, true
	return w.mark()
}

// mark reads what is saved.
func (w *foreignWitness) mark() (m witness.Mark, err error) {
	switch w.text.Type() {
	case js.TypeUndefined, js.TypeNull:
		return m, witness.ErrNone
	case js.TypeString:
		if json.Unmarshal([]byte(w.text.String()), &m) == nil && m.Generation > 0 {
			return m, nil
		}
	}
	return m, witness.ErrDamaged
}

// Save implements witness.Witness.
func (w *foreignWitness) Save(ctx context.Context, m witness.Mark) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	text, err := json.Marshal(m)
	if err != nil {
		return err
	}
	for {
		if !w.known {
			if _, err := w.load(ctx); err != nil && !errors.Is(err, witness.ErrNone) && !errors.Is(err, witness.ErrDamaged) {
				return err
			}
		}
		if old, err := w.mark(); err == nil && !m.Supersedes(old) {
			return nil
		}
		saved, err := w.ask(ctx, "save", string(text), w.text)
		if err != nil {
			w.known = false // it may have been saved
			return err
		}
		if w.known = saved.Type() != js.TypeBoolean || saved.Bool(); w.known {
			w.text = js.ValueOf(string(text))
			return nil
		}
	}
}

// ask calls a function of the witness and waits for what its promise becomes. What it
// throws is the program's own, and is not repeated.
func (w *foreignWitness) ask(ctx context.Context, name string, args ...any) (js.Value, error) {
	type settled struct {
		value js.Value
		ok    bool
	}
	done := make(chan settled, 1)
	var fulfilled, rejected js.Func
	settle := func(ok bool) js.Func {
		return js.FuncOf(func(_ js.Value, args []js.Value) any {
			fulfilled.Release()
			rejected.Release()
			s := settled{ok: ok}
			if len(args) > 0 {
				s.value = args[0]
			}
			done <- s
			return nil
		})
	}
	fulfilled, rejected = settle(true), settle(false)
	w.value.Call(name, args...).Call("then", fulfilled, rejected)
	select {
	case s := <-done:
		if !s.ok {
			return js.Undefined(), fmt.Errorf("the witness cannot be asked: its %s has failed", name)
		}
		return s.value, nil
	case <-ctx.Done():
		return js.Undefined(), ctx.Err()
	}
}
