package pawl_test

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/account"
)

// TestDevicesOfNobody: of whom nothing is known the answer is empty, and no key of
// theirs can be judged.
func TestDevicesOfNobody(t *testing.T) {
	m := newDevice(t, newMemory(), "@alice:example.org")
	u, err := m.Devices(t.Context(), "@bob:example.org")
	if err != nil || u.User != "@bob:example.org" || len(u.Devices) > 0 || u.Current || u.Verified || u.Changed || !u.Identity.IsZero() {
		t.Errorf("%+v, %v", u, err)
	}
	for name, err := range map[string]error{
		"accepted": m.AcceptIdentity(t.Context(), "@bob:example.org", account.VerifyKey{}),
		"verified": m.VerifyIdentity(t.Context(), "@bob:example.org", account.VerifyKey{1}),
	} {
		if !errors.Is(err, pawl.ErrIdentity) || pawl.CodeOf(err) != "identity" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestSign: what is signed is signed with the key that Identity tells, and what has
// no canonical form is not.
func TestSign(t *testing.T) {
	m := newDevice(t, newMemory(), "@alice:example.org")
	signed, err := m.Sign(t.Context(), json.RawMessage(`{"b": 1, "a": "ü", "unsigned": {"x": 1}}`))
	if err != nil {
		t.Fatal(err)
	}
	if err := account.VerifyJSON(signed, m.id.UserID, m.id.DeviceID, m.id.Ed25519); err != nil {
		t.Errorf("%s: %v", signed, err)
	}
	for _, raw := range []string{"", "[]", "1", `{"a": 1.5}`, `{"a":1,"a":1}`} {
		if signed, err := m.Sign(t.Context(), json.RawMessage(raw)); pawl.CodeOf(err) != "json" {
			t.Errorf("%s: %s, %v", raw, signed, err)
		}
	}
}
