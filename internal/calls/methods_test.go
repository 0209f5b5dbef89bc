package calls

import (
	"reflect"
	"testing"

	"github.com/pawlkv/pawl"
)

// without are the methods that no call makes, and why.
var without = map[string]string{
	"Store.Import":     "it takes private keys as Go values; the command reads them from files: pawl import",
	"Store.PlanImport": "as Store.Import: pawl import --dry-run",
	"Store.CopyTo":     "a store is moved by the command, which names the new place durably: pawl convert",
	"Store.Retire":     "as Store.CopyTo",

	"Store.CompleteCopy": "as Store.CopyTo",
}

// TestMethods: every public method of Store and Machine has a call, or stands above.
func TestMethods(t *testing.T) {
	made := map[string]string{}
	note := func(method, name string) {
		if method == "" {
			return
		}
		if other, twice := made[method]; twice {
			t.Errorf("%s and %s both make %s", other, name, method)
		}
		made[method] = name
	}
	for name, c := range onStore {
		note(c.method, name)
	}
	for name, c := range onMachine {
		note(c.method, name)
	}
	for name, c := range onStreams {
		note(c.method, name)
	}
	methods := 0
	for of, typ := range map[string]reflect.Type{"Store": reflect.TypeFor[*pawl.Store](), "Machine": reflect.TypeFor[*pawl.Machine]()} {
		for i := range typ.NumMethod() {
			methods++
			method := of + "." + typ.Method(i).Name
			_, has := made[method]
			_, not := without[method]
			switch {
			case has && not:
				t.Errorf("%s is made by %s, and is in the table of those that no call makes", method, made[method])
			case !has && !not:
				t.Errorf("no call makes %s: add one, or say why in the table", method)
			}
			delete(made, method)
		}
	}
	for method, name := range made {
		t.Errorf("%s makes %s, which there is not", name, method)
	}
	if methods < 60 {
		t.Fatalf("%d methods were found", methods)
	}
}

// TestNamesAreOnce: a binding has one function for each name.
func TestNamesAreOnce(t *testing.T) {
	for name := range onMachine {
		if _, twice := onStore[name]; twice {
			t.Errorf("%s is a call on stores and on machines", name)
		}
		if _, twice := onStreams[name]; twice {
			t.Errorf("%s is a call and a stream", name)
		}
	}
}
