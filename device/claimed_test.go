package device_test

import (
	"errors"
	"testing"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/device"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/ratchet"
)

// keysFor are a device as it is known.
func keysFor(a account.Account) device.Keys {
	return device.Keys{Name: device.Name{User: a.User(), Device: a.Device()}, Curve25519: a.Identity(), Ed25519: a.Fingerprint(), Olm: true}
}

// oneTimeKey is a key as a device signs it.
func (w *world) oneTimeKey(a account.Account, key ratchet.PublicKey, fallback bool) object {
	w.t.Helper()
	raw, err := a.SignedKey(key, fallback)
	w.must(err)
	return w.parsed(raw)
}

func claimAnswer(of device.Name, id string, key any) object {
	return object{"one_time_keys": object{string(of.User): object{string(of.Device): object{id: key}}}}
}

// TestClaimed: a key that its device signed is taken, a fallback key too; all else
// is refused, each with its reason, and keeps nothing else from being taken.
func TestClaimed(t *testing.T) {
	w := newWorld(t)
	phone, other := w.account(bob, "PHONE"), w.account(bob, "OTHER")
	of, key := keysFor(phone), ratchet.PublicKey{1, 2, 3}
	good := w.oneTimeKey(phone, key, false)
	without := func(member string) object {
		o := w.oneTimeKey(phone, key, false)
		delete(o, member)
		return o
	}
	unsignedFallback := w.oneTimeKey(phone, key, false)
	unsignedFallback["fallback"] = true
	const id = device.ClaimAlgorithm + ":AAAAAA"
	for what, c := range map[string]struct {
		id  string
		key any
		err error // nil: it is taken
	}{
		"a one-time key":                         {id, good, nil},
		"a fallback key":                         {id, w.oneTimeKey(phone, key, true), nil},
		"a key of another device":                {id, w.oneTimeKey(other, key, false), device.ErrUnsigned},
		"a key without a signature":              {id, without("signatures"), device.ErrUnsigned},
		"no key":                                 {id, without("key"), device.ErrForm},
		"a key that was made a fallback key":     {id, unsignedFallback, device.ErrUnsigned},
		"another algorithm":                      {"curve25519:AAAAAA", key.String(), device.ErrAlgorithm},
		"another algorithm with a good key":      {"signed_curve448:AAAAAA", good, device.ErrAlgorithm},
		"a key of zeros":                         {id, w.oneTimeKey(phone, ratchet.PublicKey{}, false), ratchet.ErrZeroSecret},
		"a text":                                 {id, key.String(), device.ErrForm},
		"a key of another length":                {id, object{"key": "AAAA"}, device.ErrForm},
		"a fallback that is neither yes nor no":  {id, object{"key": key.String(), "fallback": 1}, device.ErrForm},
		"a number":                               {id, 7, device.ErrForm},
		"something that has no canonical number": {id, object{"key": 1.5}, device.ErrForm},
	} {
		got, err := device.ParseClaimed(w.text(claimAnswer(of.Name, c.id, c.key)), []device.Keys{of})
		w.must(err)
		if c.err == nil {
			if len(got.Keys) != 1 || got.Keys[0].Key != key || got.Keys[0].Of != of || len(got.Without)+len(got.Refused) != 0 {
				t.Errorf("%s: %+v", what, got)
			}
			continue
		}
		if len(got.Keys) != 0 || len(got.Without) != 1 || len(got.Refused) != 1 || !errors.Is(got.Refused[0].Err, c.err) {
			t.Errorf("%s: %+v, want %v", what, got, c.err)
		}
	}
}

// TestClaimedOfOthers: what is said of devices that nobody asked for, of users that
// are malformed, and of servers that failed, touches nobody else.
func TestClaimedOfOthers(t *testing.T) {
	w := newWorld(t)
	a, b, far := w.account(alice, "A"), w.account(bob, "B"), w.account("@carol:far.org", "C")
	key := ratchet.PublicKey{9}
	asked := []device.Keys{keysFor(a), keysFor(b), keysFor(far)}
	answer := object{
		"one_time_keys": object{
			string(alice):   object{"A": object{device.ClaimAlgorithm + ":1": w.oneTimeKey(a, key, false)}, "X": object{}},
			string(bob):     object{"B": object{}},
			"@eve:evil.org": 7,
		},
		"failures": object{"far.org": object{}, "evil.org": object{}},
	}
	got, err := device.ParseClaimed(w.text(answer), asked)
	w.must(err)
	if len(got.Keys) != 1 || got.Keys[0].Of.Name != asked[0].Name || len(got.Without) != 2 {
		t.Errorf("%+v", got)
	}
	if len(got.Failed) != 1 || got.Failed[0] != "far.org" {
		t.Errorf("servers that failed: %q", got.Failed)
	}
	want := map[device.Name]error{{User: alice, Device: "X"}: device.ErrUnasked, {User: bob, Device: "B"}: device.ErrForm, {User: "@eve:evil.org"}: device.ErrForm}
	for _, r := range got.Refused {
		if err := want[device.Name{User: r.User, Device: r.Device}]; err == nil || !errors.Is(r.Err, err) {
			t.Errorf("refused: %+v", r)
		}
	}
	if len(got.Refused) != len(want) {
		t.Errorf("%d are refused, want %d", len(got.Refused), len(want))
	}
	for _, raw := range []string{``, `7`, `null`, `{}`, `{"one_time_keys":7}`, `{"device_keys":{}}`, `{"one_time_keys":{}`} {
		if _, err := device.ParseClaimed([]byte(raw), asked); !errors.Is(err, device.ErrForm) {
			t.Errorf("%q: %v", raw, err)
		}
	}
	got, err = device.ParseClaimed([]byte(`{"one_time_keys":{},"failures":7}`), asked)
	if err != nil || len(got.Without) != 3 || len(got.Refused)+len(got.Failed) != 0 {
		t.Errorf("%+v, %v", got, err)
	}
}

// FuzzParseClaimed: no answer makes it panic, and each device is in it once.
func FuzzParseClaimed(f *testing.F) {
	f.Add([]byte(`{"one_time_keys":{"@bob:example.org":{"B":{"signed_curve25519:A":{"key":"AAAA","fallback":true,"signatures":{}}}}},"failures":{"example.org":{}}}`))
	asked := []device.Keys{{Name: device.Name{User: bob, Device: "B"}}, {Name: device.Name{User: bob, Device: matrix.DeviceID("C")}}}
	f.Fuzz(func(t *testing.T, raw []byte) {
		c, err := device.ParseClaimed(raw, asked)
		if err == nil && len(c.Keys)+len(c.Without) != len(asked) {
			t.Errorf("%q: %+v", raw, c)
		}
	})
}
