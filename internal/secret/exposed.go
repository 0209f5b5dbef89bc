package secret

import (
	"encoding/json"
	"fmt"
	"reflect"
)

// Exposed returns the path of every byte slice and byte array in the type of v
// that is neither of a type listed in public nor inside a [Value], and of every
// struct that holds a Value in an unexported field and does not embed [Guard]:
// encoding/json would drop it in silence instead of refusing.
//
// Tests of packages that keep keys call it on their types with the byte
// containers that are public (public keys, signatures, ciphertext) and expect
// nothing.
func Exposed(v any, public ...any) []string {
	w := walker{done: map[reflect.Type]bool{}}
	for _, p := range public {
		w.done[reflect.TypeOf(p)] = true
	}
	t := reflect.TypeOf(v)
	w.walk(t, t.String())
	return w.found
}

type walker struct {
	done  map[reflect.Type]bool
	found []string
}

func (w *walker) walk(t reflect.Type, path string) {
	if w.done[t] || isValue(t) {
		return
	}
	if isBytes(t) {
		w.found = append(w.found, path)
		return
	}
	w.done[t] = true
	switch t.Kind() {
	case reflect.Struct:
		w.fields(t, path)
	case reflect.Map:
		w.walk(t.Key(), path+"[key]")
		w.walk(t.Elem(), path+"[]")
	case reflect.Pointer, reflect.Slice, reflect.Array:
		w.walk(t.Elem(), path+"[]")
	}
}

func (w *walker) fields(t reflect.Type, path string) {
	for i := range t.NumField() {
		f := t.Field(i)
		if isValue(f.Type) && !f.IsExported() && !isGuarded(t) {
			w.found = append(w.found, path+"."+f.Name+" (no Guard)")
		}
		w.walk(f.Type, path+"."+f.Name)
	}
}

func isValue(t reflect.Type) bool {
	return t.Implements(reflect.TypeFor[interface{ hides() }]())
}

func isGuarded(t reflect.Type) bool {
	return t.Implements(reflect.TypeFor[fmt.Formatter]()) && t.Implements(reflect.TypeFor[json.Marshaler]())
}

func isBytes(t reflect.Type) bool {
	k := t.Kind()
	return (k == reflect.Slice || k == reflect.Array) && t.Elem().Kind() == reflect.Uint8
}
