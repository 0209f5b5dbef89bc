package device_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/pawlkv/pawl/device"
)

// TestParseKeys: what a device signed is read, whatever else is in the object.
func TestParseKeys(t *testing.T) {
	w := newWorld(t)
	a := w.account(alice, "PHONE")
	o := w.keysOf(a)
	o["unsigned"] = object{"device_display_name": "my \xff phone" + strings.Repeat("é", 300), "age": 1}
	got, err := device.ParseKeys(device.Name{User: alice, Device: "PHONE"}, w.text(o))
	if err != nil {
		t.Fatal(err)
	}
	if got.Curve25519 != a.Identity() || got.Ed25519 != a.Fingerprint() || !got.Olm || !got.Megolm {
		t.Errorf("the keys are %+v", got)
	}
	if !strings.HasPrefix(got.DisplayName, "my � phoneé") || len(got.DisplayName) > 255 || !strings.HasSuffix(got.DisplayName, "é") {
		t.Errorf("the name is %q", got.DisplayName)
	}
}

// TestParseKeysRefuses: each thing that the signature must cover, and each that it
// must say.
func TestParseKeysRefuses(t *testing.T) {
	w := newWorld(t)
	a, other := w.account(alice, "PHONE"), w.account(alice, "OTHER")
	name := device.Name{User: alice, Device: "PHONE"}
	resigned := func(change func(object)) object {
		o := w.keysOf(a)
		change(o)
		return w.sign(o, alice, "PHONE", a.SigningKey())
	}
	keys := func(o object) object { return o["keys"].(object) }
	for what, c := range map[string]struct {
		o    object
		want error
	}{
		"another user's":          {resigned(func(o object) { o["user_id"] = string(bob) }), device.ErrNames},
		"another device's":        {w.keysOf(other), device.ErrNames},
		"no user":                 {resigned(func(o object) { delete(o, "user_id") }), device.ErrForm},
		"a number as device":      {resigned(func(o object) { o["device_id"] = 7 }), device.ErrForm},
		"no curve key":            {resigned(func(o object) { delete(keys(o), "curve25519:PHONE") }), device.ErrForm},
		"a curve key of zeros":    {resigned(func(o object) { keys(o)["curve25519:PHONE"] = strings.Repeat("A", 43) }), device.ErrForm},
		"a short ed key":          {resigned(func(o object) { keys(o)["ed25519:PHONE"] = "AAAA" }), device.ErrForm},
		"algorithms as an object": {resigned(func(o object) { o["algorithms"] = object{} }), device.ErrForm},
		"keys as an array":        {resigned(func(o object) { o["keys"] = []any{} }), device.ErrForm},
		"changed afterwards":      {func() object { o := w.keysOf(a); o["more"] = "said"; return o }(), device.ErrUnsigned},
		"no signature":            {func() object { o := w.keysOf(a); delete(o, "signatures"); return o }(), device.ErrUnsigned},
		"another key's signature": {w.sign(w.keysOf(a), alice, "PHONE", w.key()), device.ErrUnsigned},
	} {
		if got, err := device.ParseKeys(name, w.text(c.o)); !errors.Is(err, c.want) || got != (device.Keys{}) && !errors.Is(err, device.ErrUnsigned) {
			t.Errorf("%s: %+v, %v, want %v", what, got, err, c.want)
		}
	}
	// Members that differ in case only are others, whatever a JSON library says.
	o := w.keysOf(a)
	o["USER_ID"], o["Device_Id"] = string(bob), "OTHER"
	o = w.sign(o, alice, "PHONE", a.SigningKey())
	if got, err := device.ParseKeys(name, w.text(o)); err != nil || got.User != alice {
		t.Errorf("with members of other case: %+v, %v", got, err)
	}
	twice := strings.Replace(string(w.text(w.keysOf(a))), `"user_id"`, `"user_id":"@bob:example.org","user_id"`, 1)
	if _, err := device.ParseKeys(name, []byte(twice)); err == nil {
		t.Error("an object that says twice whose it is was taken")
	}
	for _, raw := range []string{"", "null", "[]", "7", "{", `{"user_id":}`} {
		if _, err := device.ParseKeys(name, []byte(raw)); !errors.Is(err, device.ErrForm) {
			t.Errorf("%q: %v, want %v", raw, err, device.ErrForm)
		}
	}
}
