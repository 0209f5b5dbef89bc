//go:build js

package idbkv

import (
	"context"
	"errors"
	"fmt"
	"syscall/js"
	"time"

	"github.com/pawlkv/pawl/kv"
)

// What Go and the browser hand each other. JavaScript has one thread, and so has Go
// within it: a callback runs as a whole, as long as it waits for nothing.

var (
	uint8Array = js.Global().Get("Uint8Array")
	keyRange   = js.Global().Get("IDBKeyRange")
	promise    = js.Global().Get("Promise")
	indexedDB  = js.Global().Get("indexedDB")
)

// toJS copies bytes into an array of their own: what a view is of is stored with it.
func toJS(b []byte) js.Value {
	array := uint8Array.New(len(b))
	js.CopyBytesToJS(array, b)
	return array
}

func keyToJS(key string) js.Value { return toJS([]byte(key)) }

// bytesOf copies what was stored as bytes.
func bytesOf(v js.Value) ([]byte, error) {
	if v.Type() != js.TypeObject || !v.InstanceOf(uint8Array) {
		return nil, fmt.Errorf("%w: the database holds something else than bytes", kv.ErrCorrupt)
	}
	b := make([]byte, v.Get("length").Int())
	js.CopyBytesToGo(b, v)
	return b, nil
}

// versionOf reads the version of a stored entry, 0 if there is none, and leaves its
// value where it is.
func versionOf(key string, v js.Value) (kv.Version, error) {
	if v.IsUndefined() {
		return 0, nil
	}
	if v.Type() != js.TypeObject || !v.InstanceOf(uint8Array) {
		return decodeVersion(key, nil)
	}
	var b [versionSize]byte
	return decodeVersion(key, b[:js.CopyBytesToGo(b[:], v)])
}

func entryOf(key string, v js.Value) (kv.Entry, error) {
	if v.IsUndefined() {
		return kv.Entry{Key: key}, nil
	}
	b, err := bytesOf(v)
	if err != nil {
		return kv.Entry{}, fmt.Errorf("%w: at key %q", err, key)
	}
	return decodeEntry(key, b)
}

// keyOf copies a key that the database returned, which is an ArrayBuffer.
func keyOf(v js.Value) (string, error) {
	b, err := bytesOf(uint8Array.New(v))
	return string(b), err
}

// numberOf is a version that the database returned as a key, 0 for none.
func numberOf(v js.Value) kv.Version {
	if v.Type() != js.TypeNumber {
		return 0
	}
	return kv.Version(v.Float())
}

// prefixed is the range of keys with a prefix that are not less than from; undefined,
// which is all, where it has no bounds.
func prefixed(prefix, from string) js.Value {
	if end := successor(prefix); end != "" {
		if from >= end { // no key is between them, and IndexedDB takes no such range
			return keyRange.Call("only", keyToJS(""))
		}
		return keyRange.Call("bound", keyToJS(from), keyToJS(end), false, true)
	}
	return keyRange.Call("lowerBound", keyToJS(from))
}

// try calls what may throw, and returns what was thrown.
func try(call func() error) (err error) {
	defer func() {
		switch thrown := recover().(type) {
		case nil:
		case js.Error:
			err = thrownError{thrown.Get("name").String(), thrown.Get("message").String()}
		case *js.ValueError: // something of the database is not of the kind that we store
			err = fmt.Errorf("%w: %w", kv.ErrCorrupt, thrown)
		default:
			panic(thrown)
		}
	}()
	return call()
}

// thrownError is an exception of the browser.
type thrownError struct{ name, message string }

// Error implements error.
func (e thrownError) Error() string { return e.name + ": " + e.message }

// isThrown reports whether an error is an exception of that name.
func isThrown(err error, name string) bool {
	var thrown thrownError
	return errors.As(err, &thrown) && thrown.name == name
}

// settled is what became of a promise.
type settled struct {
	value js.Value
	err   error
}

// follow tells what becomes of a promise.
func follow(p js.Value) <-chan settled {
	done := make(chan settled, 1)
	var fulfilled, rejected js.Func
	end := func(s settled) {
		fulfilled.Release()
		rejected.Release()
		done <- s
	}
	fulfilled = js.FuncOf(func(_ js.Value, args []js.Value) any {
		end(settled{value: first(args)})
		return nil
	})
	rejected = js.FuncOf(func(_ js.Value, args []js.Value) any {
		why := first(args)
		if why.Type() != js.TypeObject {
			end(settled{err: thrownError{"Error", why.String()}})
			return nil
		}
		end(settled{err: thrownError{why.Get("name").String(), why.Get("message").String()}})
		return nil
	})
	p.Call("then", fulfilled, rejected)
	return done
}

func first(args []js.Value) js.Value {
	if len(args) == 0 {
		return js.Undefined()
	}
	return args[0]
}

// await waits for a promise.
func await(ctx context.Context, p js.Value) (js.Value, error) {
	select {
	case s := <-follow(p):
		return s.value, s.err
	case <-ctx.Done():
		return js.Undefined(), ctx.Err()
	}
}

// resolvable returns a promise, and what resolves it. A function that the browser calls while
// we call it is kept waiting until all goroutines wait for something, so that is the
// way of browsers alone that have no other.
func resolvable() (p js.Value, resolve func()) {
	if promise.Get("withResolvers").Truthy() {
		made := promise.Call("withResolvers")
		return made.Get("promise"), func() { made.Call("resolve") }
	}
	var how js.Value
	executor := js.FuncOf(func(_ js.Value, args []js.Value) any {
		how = args[0]
		return nil
	})
	p = promise.New(executor)
	executor.Release()
	return p, func() { how.Invoke() }
}

func nowMilli() int64 { return time.Now().UnixMilli() }
