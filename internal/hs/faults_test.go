package hs

import (
	"net/http"
	"testing"
	"time"
)

// TestFaults: each effect is what the client sees, is in the exchanges, and does
// or does not do what was asked for. A proxy makes them as the server does.
func TestFaults(t *testing.T) {
	t.Run("server", func(t *testing.T) { faults(t, false) })
	t.Run("proxy", func(t *testing.T) { faults(t, true) })
}

func faults(t *testing.T, proxied bool) {
	held := make(chan struct{})
	close(held)
	for name, c := range map[string]struct {
		do     Effect
		status int
		code   string
		done   bool
		lost   bool
	}{
		"lost":    {Lose, 0, "", true, true},
		"dropped": {Drop, 0, "", false, true},
		"gateway": {Gateway, 504, "M_UNKNOWN", false, false},
		"limited": {Limit(3 * time.Second), 429, "M_LIMIT_EXCEEDED", false, false},
		"delayed": {Effect{Delay: time.Millisecond}, 200, "", true, false},
		"held":    {Effect{Hold: held}, 200, "", true, false},
	} {
		s := started(t, alice, bob)
		a, b := s.client(t, alice, "A"), s.client(t, bob, "B")
		var at interface {
			Fail(Fault)
			Heal()
			Exchanges(...string) []Exchange
		} = s
		if proxied {
			at = before(t, a, b)
		}
		at.Fail(Fault{Endpoint: "keys/upload", Device: "A", After: 1, Times: 1, Do: c.do})
		upload := func(by *client, id string) (int, object) {
			return by.upload(object{"signed_curve25519:" + id: key(id)})
		}
		upload(a, "AAAAAQ") // passes
		upload(b, "AAAAAQ") // is another's
		count := s.KeyCount(alice, "A")
		status, o := upload(a, "AAAAAg")
		if code, _ := o["errcode"].(string); status != c.status || code != c.code || name == "limited" && o["retry_after_ms"] != 3000.0 {
			t.Errorf("%s: %d %v", name, status, o)
		}
		if done := s.KeyCount(alice, "A") > count; done != c.done {
			t.Errorf("%s: done is %v, want %v", name, done, c.done)
		}
		log := at.Exchanges("keys/upload")
		if last := log[len(log)-1]; len(log) != 3 || last.Lost != c.lost || last.Device != "A" || last.Number != 3 {
			t.Errorf("%s: the last of %d exchanges is %+v", name, len(log), last)
		}
		if status, _ := upload(a, "AAAAAw"); status != http.StatusOK {
			t.Errorf("%s: the request after it: %d", name, status)
		}
		at.Fail(Fault{Do: Drop})
		at.Heal()
		if status, _ := upload(a, "AAAABA"); status != http.StatusOK {
			t.Errorf("%s: after all faults are gone: %d", name, status)
		}
	}
}
