package receive

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/internal/machine/todevice"
	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/session"
)

// TestSync: what is Pawl's is applied, what is not is returned in order, and what
// cannot be read is refused with its reason. The same response again changes nothing.
func TestSync(t *testing.T) {
	alice, bob := newPhone(t, memkv.New()), newPeer(t, "@bob:example.org", "LAPTOP")
	events := []any{
		plain("@bob:example.org", "m.custom", map[string]any{"n": 1}),
		bob.roomKey(alice, "one"),
		bob.event(alice, "m.secret.send", map[string]any{"n": 2}),
		bob.event(alice, "m.dummy", map[string]any{}),
		plain("@bob:example.org", "m.room_key.withheld", map[string]any{"session_id": "two"}),
		plain("@bob:example.org", "m.room_key_request", map[string]any{"action": "request"}),
		plain("@carol:example.org", "m.other", map[string]any{"n": 3}),
	}
	body := response(t, "T1", events...)
	ticket := alice.ticket()
	out, err := alice.Sync(t.Context(), ticket, body)
	must(t, err)
	if got := types(out.Events); !slices.Equal(got, []string{"m.custom", "m.secret.send", "m.other"}) || len(out.Refused) > 0 || !out.Advanced || out.Duplicates > 0 {
		t.Fatalf("%v, %+v", got, out)
	}
	secret := out.Events[1]
	if !secret.Encrypted || secret.SenderKey != bob.value.Identity() || secret.Duplicate || string(secret.Content) != `{"n":2}` || secret.Index != 2 {
		t.Errorf("%+v", secret)
	}
	if n := len(out.RoomKeys); n != 2 || string(out.RoomKeys[0].Session[:3]) != "one" {
		t.Errorf("room keys %v", out.RoomKeys)
	}
	again, err := alice.Sync(t.Context(), ticket, body)
	must(t, err)
	if got := types(again.Events); !slices.Equal(got, types(out.Events)) || !again.Events[1].Duplicate || again.Duplicates != 2 || !again.Advanced {
		t.Errorf("again: %v, %+v", got, again)
	}
	if alice.effect("m.room_key one") != 1 || alice.state().Since != "T1" || alice.effect("all outdated") != 1 {
		t.Errorf("the key was taken %d times, token %q", alice.effect("m.room_key one"), alice.state().Since)
	}
	if known, err := alice.messages.Acknowledge(t.Context(), secret.Receipt, session.ReceiptID{1}); err != nil || known != 1 {
		t.Fatalf("%d receipts, %v", known, err)
	}
	if last, err := alice.Sync(t.Context(), ticket, body); err != nil || len(last.Events) != 2 || last.Duplicates != 3 {
		t.Errorf("acknowledged: %+v, %v", last, err)
	}
}

// TestRefused: each event that cannot be read has its error, keeps nothing else from
// being read, and is recorded once.
func TestRefused(t *testing.T) {
	alice, bob := newPhone(t, memkv.New()), newPeer(t, "@bob:example.org", "LAPTOP")
	edit := func(do func(content map[string]any)) any {
		e := bob.event(alice, "m.dummy", map[string]any{})
		do(e["content"].(map[string]any))
		return e
	}
	other := newPeer(t, "@carol:example.org", "X")
	own := alice.id.Curve25519.String()
	cases := []struct {
		event any
		want  error
	}{
		{plain("@bob:example.org", "m.room_key", map[string]any{}), ErrUnencrypted},
		{plain("@bob:example.org", "m.forwarded_room_key", map[string]any{}), ErrUnencrypted},
		{plain("@bob:example.org", "m.secret.send", map[string]any{}), ErrUnencrypted},
		{plain("@bob:example.org", "m.dummy", map[string]any{}), ErrUnencrypted},
		{7, ErrEvent}, {"text", ErrEvent}, {[]any{}, ErrEvent}, {nil, ErrEvent},
		{map[string]any{"type": 7, "sender": "@bob:example.org", "content": map[string]any{}}, ErrEvent},
		{map[string]any{"type": "m.x", "sender": "bob", "content": map[string]any{}}, ErrEvent},
		{map[string]any{"type": "m.x", "sender": "@bob:example.org", "content": "text"}, ErrEvent},
		{plain("@bob:example.org", "m.x", map[string]any{"n": strings.Repeat("x", MaxEvent)}), ErrEventSize},
		{edit(func(c map[string]any) { c["algorithm"] = "m.megolm.v1.aes-sha2" }), ErrNotOlm},
		{edit(func(c map[string]any) { delete(c, "algorithm") }), ErrNotOlm},
		{edit(func(c map[string]any) { c["ciphertext"] = map[string]any{other.value.Identity().String(): 1} }), ErrNotForUs},
		{edit(func(c map[string]any) { c["ciphertext"] = 7 }), ErrEvent},
		{edit(func(c map[string]any) { c["ciphertext"] = map[string]any{own: 7} }), ErrEvent},
		{edit(func(c map[string]any) { c["ciphertext"] = map[string]any{own: map[string]any{"type": 0, "body": "%%"}} }), ErrEvent},
		{edit(func(c map[string]any) {
			c["ciphertext"] = map[string]any{own: map[string]any{"type": 0.5, "body": "AAAA"}}
		}), ErrEvent},
		{edit(func(c map[string]any) { c["ciphertext"] = map[string]any{own: map[string]any{"body": "AAAA"}} }), ErrEvent},
		{edit(func(c map[string]any) {
			c["ciphertext"] = map[string]any{own: map[string]any{"type": 0, "body": "AAAA"}}
		}), ratchet.ErrVersion},
		{edit(func(c map[string]any) {
			c["ciphertext"] = map[string]any{own: map[string]any{"type": 9, "body": "AAAA"}}
		}), todevice.ErrMessageType},
		{edit(func(c map[string]any) { c["sender_key"] = "%" }), ratchet.ErrMalformed},
		{edit(func(c map[string]any) { c["sender_key"] = strings.ReplaceAll(c["sender_key"].(string), "A", "-") + "-" }), ratchet.ErrMalformed},
		{edit(func(c map[string]any) { delete(c, "sender_key") }), ErrEvent},
		{edit(func(c map[string]any) { c["sender_key"] = own }), account.ErrSender},
		{bob.event(alice, "m.room.encrypted", map[string]any{}), ErrNotOlm},
		{bob.sends(alice, map[string]any{"type": "m.dummy"}), ErrPayload},
	}
	var events []any
	for _, c := range cases {
		events = append(events, c.event, plain("@bob:example.org", "m.after", map[string]any{}))
	}
	body := response(t, "T1", events...)
	for range 2 {
		out, err := alice.Sync(t.Context(), alice.ticket(), body)
		must(t, err)
		if len(out.Events) != len(cases) || len(out.Refused) != len(cases) || !out.Advanced {
			t.Fatalf("%d events, %d refused", len(out.Events), len(out.Refused))
		}
		for i, c := range cases {
			if err := out.why(t, 2*i); !errors.Is(err, c.want) {
				t.Errorf("event %d: %v, want %v", i, err, c.want)
			}
		}
	}
	if shelf := alice.shelf(records.RefusedEvents.Shelf); len(shelf.Items) != len(cases)-2 || shelf.More != 0 {
		t.Errorf("%d are recorded, %d counted; want %d", len(shelf.Items), shelf.More, len(cases)-2) // of what is no object nothing is known
	}
	alice.intact()
}

// TestResponses: what is no response changes nothing.
func TestResponses(t *testing.T) {
	alice, bob := newPhone(t, memkv.New()), newPeer(t, "@bob:example.org", "LAPTOP")
	key := encode(t, bob.roomKey(alice, "one"))
	ticket := alice.ticket()
	for _, body := range []string{
		"", "null", "[]", "{}", "{", `{"next_batch":7}`, `{"next_batch":""}`,
		`{"next_batch":"T1","to_device":{"events":[` + string(key) + `]}`,
		`{"next_batch":"T1","to_device":{"events":[` + string(key) + `]},"device_lists":7}`,
		`{"next_batch":"T1","to_device":{"events":{}}}`,
		`{"next_batch":"` + strings.Repeat("T", records.MaxToken+1) + `","to_device":{"events":[` + string(key) + `]}}`,
	} {
		out, err := alice.Sync(t.Context(), ticket, []byte(body))
		if !errors.Is(err, ErrResponse) || len(out.Events) > 0 || alice.effect("m.room_key one") > 0 || alice.state().Since != "" {
			t.Errorf("%.60s: %+v, %v, token %q", body, out, err, alice.state().Since)
		}
	}
	body := bytes.Join([][]byte{[]byte(`{"to_device":{"events":[`), key, []byte(`]},"next_batch":"T1","rooms":{"join":{"x":{"timeline":{"events":[1,2,null]}}}}}`)}, nil)
	if out, err := alice.Sync(t.Context(), ticket, body); err != nil || alice.effect("m.room_key one") != 1 {
		t.Errorf("%+v, %v", out, err)
	}
}
