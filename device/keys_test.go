package device_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/device"
	"github.com/pawlkv/pawl/matrix"
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

// TestParseKeysAsOthersWriteThem: keys and signatures with padding or stray bits,
// opaque device ids, and whatever is in what nobody signed.
func TestParseKeysAsOthersWriteThem(t *testing.T) {
	w := newWorld(t)
	for _, id := range []matrix.DeviceID{"PHONE", "My Laptop", "a/b:c\x1b\n"} {
		a := w.account("@al ice/\x7f:example.org", id)
		of := device.Name{User: a.User(), Device: id}
		o := w.keysOf(a)
		keys := o["keys"].(object)
		keys["curve25519:"+string(id)] = a.Identity().String() + "="
		keys["ed25519:"+string(id)] = stray(a.Fingerprint().String())
		o = w.sign(o, of.User, string(id), a.SigningKey())
		own := o["signatures"].(object)[string(of.User)].(object)
		own["ed25519:"+string(id)] = own["ed25519:"+string(id)].(string) + "=="
		o["signatures"].(object)["@bob:example.org"] = []any{1.5}
		o["unsigned"] = "UNSIGNED"
		for _, unsigned := range []string{`{"age":1.5}`, `1e400`, `{"n":9007199254740993}`, `{"device_display_name":"\ud83d"}`, `{"a":1,"a":2}`} {
			raw := strings.Replace(string(w.text(o)), `"UNSIGNED"`, unsigned, 1)
			if got, err := device.ParseKeys(of, []byte(raw)); err != nil || got.Curve25519 != a.Identity() || got.Ed25519 != a.Fingerprint() {
				t.Errorf("%q with unsigned %s: %+v, %v", id, unsigned, got, err)
			}
		}
	}
}

// stray is the same key with a bit set that belongs to no byte.
func stray(key string) string { return key[:42] + string(key[42]+1) }

// TestCrossSigningAsOthersWriteIt: the name of a cross-signing key is the key, and
// may be written in more than one way too.
func TestCrossSigningAsOthersWriteIt(t *testing.T) {
	w := newWorld(t)
	a, i := w.account(alice, "PHONE"), w.identity(alice)
	padded := func(o object, usage string, by account.SigningKey, write func(string) string) object {
		for key := range o["keys"].(object) {
			text := write(strings.TrimPrefix(key, "ed25519:"))
			o["keys"] = object{"ed25519:" + text: text}
		}
		return w.sign(o, alice, write(by.Public().String()), by)
	}
	for what, write := range map[string]func(string) string{
		"padded": func(s string) string { return s + "=" }, "with stray bits": stray, "unpadded": func(s string) string { return s },
	} {
		q := newAnswer().device(alice, "PHONE", w.sign(w.keysOf(a), alice, write(i.self.Public().String()), i.self))
		q.Masters[alice] = padded(keyObject(alice, "master", i.master), "master", i.master, write)
		q.Selfs[alice] = padded(keyObject(alice, "self_signing", i.self), "self_signing", i.master, write)
		got := w.answerOf(q, device.Own{}, alice).Users[0]
		if len(got.Refused) > 0 || len(got.Claims) != 1 || got.Claims[0].SignedBy != i.self.Public() || got.Identity.Master != i.master.Public() {
			t.Errorf("%s: %+v", what, got)
		}
	}
	// Who has signed under another's name has not.
	q := newAnswer().device(alice, "PHONE", w.sign(w.keysOf(a), alice, i.self.Public().String()+"=", w.key()))
	q.Masters[alice], q.Selfs[alice] = i.masterKey(), w.selfKey(i)
	if got := w.answerOf(q, device.Own{}, alice).Users[0]; len(got.Claims) != 1 || got.Claims[0].SignedBy != (account.VerifyKey{}) {
		t.Errorf("with a signature of somebody else: %+v", got)
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
