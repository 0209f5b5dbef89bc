package pawlmautrix

import (
	"context"
	"reflect"
	"runtime/debug"
	"testing"

	"maunium.net/go/mautrix/crypto"
	"maunium.net/go/mautrix/id"

	"github.com/pawlkv/pawl/kv/memkv"
)

// Whatever a method of the store is given, it returns: nothing, values that are empty, and
// texts that are none. What it has stored then can be read, by itself and with all others.
func TestOddArguments(t *testing.T) {
	of := reflect.TypeFor[crypto.Store]()
	for name, text := range map[string]string{"nothing": "", "no text": "\x00 \xff/", "of somebody": string(bob)} {
		s := newStoreOf(t, memkv.New(), alice, phone)
		for i := range of.NumMethod() {
			method := reflect.ValueOf(s).MethodByName(of.Method(i).Name)
			for _, whole := range []bool{false, true} {
				func() {
					defer func() {
						if p := recover(); p != nil {
							t.Errorf("%s given %s panics: %v\n%s", of.Method(i).Name, name, p, debug.Stack())
						}
					}()
					args := make([]reflect.Value, method.Type().NumIn())
					for j := range args {
						args[j] = argument(t, method.Type().In(j), text, whole)
					}
					if method.Type().IsVariadic() {
						method.CallSlice(args)
					} else {
						method.Call(args)
					}
				}()
			}
		}
		for _, space := range []string{spaceAccount, spaceDevices, spaceIdentities, spaceSignatures, spaceSecrets, spaceInbound, spaceOutbound, spaceShared, spaceWithheld, spaceIndices, spaceHashes} {
			if _, err := s.machine.Extras(t.Context(), space); err != nil {
				t.Errorf("%s: %s cannot be read any more: %v", name, space, err)
			}
		}
		if err := s.PutDevice(t.Context(), bob, &id.Device{UserID: bob, DeviceID: "LAPTOP"}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if d, err := s.GetDevice(t.Context(), bob, "LAPTOP"); err != nil || d == nil {
			t.Errorf("%s: a device is %v, %v", name, d, err)
		}
	}
}

// argument is a value of a type, of a text where it has one; whole: with what is not nil.
func argument(t *testing.T, of reflect.Type, text string, whole bool) reflect.Value {
	switch {
	case of == reflect.TypeFor[context.Context]():
		return reflect.ValueOf(t.Context())
	case of.Kind() == reflect.String:
		return reflect.ValueOf(text).Convert(of)
	case !whole:
		return reflect.Zero(of)
	}
	switch of.Kind() {
	case reflect.Pointer:
		return reflect.New(of.Elem())
	case reflect.Map:
		v := reflect.MakeMap(of)
		v.SetMapIndex(argument(t, of.Key(), text, whole), reflect.Zero(of.Elem()))
		return v
	case reflect.Slice:
		v := reflect.MakeSlice(of, 1, 1)
		v.Index(0).Set(argument(t, of.Elem(), text, whole))
		return v
	}
	return reflect.Zero(of)
}
