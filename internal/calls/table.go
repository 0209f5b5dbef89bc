package calls

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
)

// given is what a call is given beside its parameters.
type given struct {
	ctx     context.Context
	library *Library
	body    []byte
}

// call is one that can be made by its name.
type call struct {
	method string // of Store or Machine that it makes; "" if of neither
	body   string // what goes beside the parameters; "": nothing
	params reflect.Type
	result reflect.Type
	run    func(g given, target any, params []byte) (any, error)
}

// nothing are the parameters, or the result, of a call that has none.
type nothing struct{}

var (
	onStore   = map[string]call{}
	onMachine = map[string]call{}
	onStreams = map[string]streamCall{}
)

// storeCall adds a call on stores.
func storeCall[P, R any](name, method, body string, do func(g given, o *opened, p P) (R, error)) {
	add(onStore, name, method, body, do)
}

// machineCall adds a call on machines.
func machineCall[P, R any](name, method, body string, do func(g given, a *machine, p P) (R, error)) {
	add(onMachine, name, method, body, do)
}

func add[T, P, R any](to map[string]call, name, method, body string, do func(g given, target T, p P) (R, error)) {
	to[name] = call{
		method: method, body: body, params: reflect.TypeFor[P](), result: reflect.TypeFor[R](),
		run: func(g given, target any, params []byte) (any, error) {
			var p P
			if err := decode(params, &p); err != nil {
				return nil, err
			}
			r, err := do(g, target.(T), p)
			if err != nil {
				if reflect.ValueOf(r).IsZero() {
					return nil, err
				}
				return partly(r, err)
			}
			return r, nil
		},
	}
}

// callOn finds a call.
func callOn(target any, name string) (call, error) {
	all, of := map[string]call(nil), ""
	switch target.(type) {
	case *opened:
		all, of = onStore, "store"
	case *machine:
		all, of = onMachine, "machine"
	default:
		return call{}, ErrHandle
	}
	c, ok := all[name]
	if !ok {
		return call{}, fmt.Errorf("%w on a %s: %.40q", ErrNoCall, of, name)
	}
	return c, nil
}

// Names are the names of all calls on stores, of those on machines, and of the streams
// of machines.
func Names() (store, machine, streams []string) {
	return slices.Sorted(maps.Keys(onStore)), slices.Sorted(maps.Keys(onMachine)), slices.Sorted(maps.Keys(onStreams))
}
