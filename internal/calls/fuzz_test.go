package calls

import (
	"encoding/json"
	"strings"
	"testing"
)

// FuzzParams: whatever the parameters and what is beside them, a call ends with a
// result or with an error of a code, both JSON, and never fails in itself.
func FuzzParams(f *testing.F) {
	store, machine, streams := Names()
	names := append(append(append([]string{"open"}, store...), machine...), streams...)
	for i, name := range names {
		f.Add(uint8(i), `{"v":1}`, "")
		f.Add(uint8(i), `{"v":1,"room":"!r:example.org","user":"@a:b","device":"D","session":"`+strings.Repeat("A", 43)+`","members":["@a:b"],"count":1,"why":"unknown"}`, `{}`)
		_ = name
	}
	f.Fuzz(func(t *testing.T, which uint8, params, body string) {
		name := names[int(which)%len(names)]
		if name == "recover" || name == "wait_for_room_key" || name == "sweep" || strings.Contains(name, "room_key_file") {
			return // they take long, or wait
		}
		l := library()
		k := kit{t, l}
		s := k.store()
		m := k.machine(s, "@alice:example.org")
		var got []byte
		var err error
		switch {
		case name == "open":
			got, err = l.Open(t.Context(), []byte(params), []byte(body))
		case onStore[name].run != nil:
			got, err = l.Call(t.Context(), s, name, []byte(params), []byte(body))
		case onMachine[name].run != nil:
			got, err = l.Call(t.Context(), m, name, []byte(params), []byte(body))
		default:
			got, err = l.Stream(m, name, []byte(params))
		}
		if err != nil {
			got = Failure(err)
			if Number(err) == 0 || CodeOf(err) == "failed" {
				t.Errorf("%s fails with %v", name, err)
			}
		}
		if !json.Valid(got) {
			t.Errorf("%s answers %s", name, got)
		}
		if err := l.Close(s); err != nil {
			t.Error(err)
		}
	})
}
