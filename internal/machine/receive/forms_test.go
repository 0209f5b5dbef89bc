package receive

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/internal/syncresponse"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/kvtest/faulty"
	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/txn"
)

// TestOvertaken: of a response whose token was overtaken the events count, and that
// devices may have changed; counts, users who left and rooms do not.
func TestOvertaken(t *testing.T) {
	alice, bob := newPhone(t, memkv.New()), newPeer(t, "@bob:example.org", "LAPTOP")
	old := alice.ticket()
	alice.sync("T1")
	late := encode(t, map[string]any{
		"next_batch": "T0", "to_device": map[string]any{"events": []any{bob.roomKey(alice, "one")}},
		"device_lists":               map[string]any{"changed": []string{"@bob:example.org"}, "left": []string{"@carol:example.org"}},
		"device_one_time_keys_count": map[string]any{"signed_curve25519": 1},
		"rooms":                      map[string]any{"leave": map[string]any{"!r:example.org": map[string]any{}}},
	})
	counts := alice.effect("counts")
	for n := range 3 {
		out, err := alice.Sync(t.Context(), old, late)
		if err != nil || out.Advanced || alice.state().Since != "T1" {
			t.Fatalf("%+v, %v, token %q", out, err, alice.state().Since)
		}
		for name, want := range map[string]int{
			"m.room_key one": 1, "outdated @bob:example.org": n + 1, "left @carol:example.org": 0, "room !r:example.org": 0,
			"counts": counts, "all outdated": 1,
		} {
			if got := alice.effect(name); got != want {
				t.Errorf("%s: %d times, want %d", name, got, want)
			}
		}
	}
	out, err := alice.Sync(t.Context(), alice.ticket(), late)
	if err != nil || !out.Advanced || alice.state().Since != "T0" || alice.effect("left @carol:example.org") != 1 || alice.effect("room !r:example.org") != 1 {
		t.Errorf("%+v, %v, token %q", out, err, alice.state().Since)
	}
}

// TestCounts: a count that is missing is zero in /sync, and unchanged elsewhere; with a
// ticket that says nothing of when the request began none counts.
func TestCounts(t *testing.T) {
	alice := newPhone(t, memkv.New())
	var counts []string
	alice.others.SawCounts = func(_ *txn.Tx, _ account.Account, _ Uploads, count *int, unused []string) error {
		text, _ := json.Marshal([]any{count, unused})
		counts = append(counts, string(text))
		return nil
	}
	sliding, err := alice.Next(t.Context(), true)
	must(t, err)
	for _, c := range []struct {
		ticket Ticket
		body   string
		want   string
	}{
		{alice.ticket(), `{"next_batch":"T1"}`, `[0,null]`},
		{alice.ticket(), `{"next_batch":"T1","device_one_time_keys_count":{"signed_curve25519":7,"other":1},"device_unused_fallback_key_types":[]}`, ``},
		{Ticket{Since: "T1"}, `{"next_batch":"T2","device_one_time_keys_count":{"signed_curve25519":8}}`, ``},
		{sliding, `{"pos":"P1"}`, ``},
		{sliding, `{"pos":"P2","extensions":{"e2ee":{"device_one_time_keys_count":{"signed_curve25519":9}}}}`, ``},
	} {
		counts = nil
		out, err := alice.Sync(t.Context(), c.ticket, []byte(c.body))
		if got := fmt.Sprint(counts); err != nil || c.want != "" && got != "["+c.want+"]" || c.want == "" && len(counts) > 0 {
			t.Errorf("%s: %s, want %s; %+v, %v", c.body, got, c.want, out, err)
		}
	}
	counts = nil
	out, err := alice.Sync(t.Context(), alice.ticket(), []byte(`{"next_batch":"T3","device_one_time_keys_count":{"signed_curve25519":7},"device_unused_fallback_key_types":["signed_curve25519"]}`))
	if got := fmt.Sprint(counts); err != nil || !out.Advanced || got != `[[7,["signed_curve25519"]]]` {
		t.Errorf("%s, %+v, %v", got, out, err)
	}
}

// TestPushedCounts: what a transaction says of keys is told, also where it says nothing
// else, and costs no commit if nothing follows.
func TestPushedCounts(t *testing.T) {
	alice := newPhone(t, memkv.New())
	var counts []string
	alice.others.SawPushed = func(_ *txn.Tx, count *int, unused []string) error {
		text, _ := json.Marshal([]any{count, unused})
		counts = append(counts, string(text))
		return nil
	}
	before := alice.state()
	for id, body := range map[string]string{
		"1": `{"device_one_time_keys_count":{"@alice:example.org":{"PHONE":{"signed_curve25519":7},"TABLET":{"signed_curve25519":3}}}}`,
		"2": `{"device_one_time_keys_count":{"@alice:example.org":{"TABLET":{"signed_curve25519":3}}}}`,
		"3": `{"device_unused_fallback_key_types":{"@alice:example.org":{"PHONE":[]}}}`,
	} {
		if out, err := alice.Transaction(t.Context(), id, []byte(body)); err != nil || !out.Advanced {
			t.Errorf("%s: %+v, %v", body, out, err)
		}
	}
	slices.Sort(counts)
	if want := []string{`[7,null]`, `[null,[]]`}; !slices.Equal(counts, want) {
		t.Errorf("told was %q, want %q", counts, want)
	}
	if !alice.state().Same(before) {
		t.Error("they are remembered")
	}
}

// TestSliding: simplified sliding sync has two tokens, of which each goes on from
// where its request began.
func TestSliding(t *testing.T) {
	alice, bob := newPhone(t, memkv.New()), newPeer(t, "@bob:example.org", "LAPTOP")
	next := func() Ticket {
		ticket, err := alice.Next(t.Context(), true)
		must(t, err)
		return ticket
	}
	body := func(pos, toDevice string, events ...any) []byte {
		return encode(t, map[string]any{"pos": pos, "extensions": map[string]any{
			"to_device": map[string]any{"next_batch": toDevice, "events": append([]any{}, events...)},
			"e2ee":      map[string]any{"device_lists": map[string]any{"changed": []string{"@bob:example.org"}}},
		}})
	}
	first := next()
	out, err := alice.Sync(t.Context(), first, body("P1", "D1", bob.roomKey(alice, "one")))
	if s := alice.state(); err != nil || !out.Advanced || s.Pos != "P1" || s.ToDevice != "D1" || s.Since != "" || alice.effect("all outdated") != 1 {
		t.Fatalf("%+v, %+v, %v", s, out, err)
	}
	out, err = alice.Sync(t.Context(), first, body("P0", "D0", bob.roomKey(alice, "two")))
	if s := alice.state(); err != nil || out.Advanced || s.Pos != "P1" || s.ToDevice != "D1" || alice.effect("m.room_key two") != 1 {
		t.Errorf("late: %+v, %+v, %v", s, out, err)
	}
	// The server has forgotten the position; somebody else has begun anew by then.
	lost := next()
	must(t, alice.Lost(t.Context(), lost))
	if s := alice.state(); s.Pos != "" || s.ToDevice != "D1" || alice.effect("all outdated") != 2 {
		t.Errorf("lost: %+v, all outdated %d times", s, alice.effect("all outdated"))
	}
	out, err = alice.Sync(t.Context(), next(), body("Q1", "", bob.roomKey(alice, "three")))
	if s := alice.state(); err != nil || !out.Advanced || s.Pos != "Q1" || s.ToDevice != "D1" || alice.effect("all outdated") != 3 {
		t.Errorf("%+v, %+v, %v", s, out, err)
	}
	must(t, alice.Lost(t.Context(), lost))
	if s := alice.state(); s.Pos != "Q1" || alice.effect("all outdated") != 3 {
		t.Errorf("lost long ago: %+v", s)
	}
	// The same of /sync.
	alice.sync("T1")
	must(t, alice.Lost(t.Context(), alice.ticket()))
	if s := alice.state(); s.Since != "" || s.Pos != "Q1" || alice.effect("all outdated") != 5 {
		t.Errorf("lost: %+v, all outdated %d times", s, alice.effect("all outdated"))
	}
}

// TestTransactions: what an application service is sent, in any order, again, and for
// others of its devices.
func TestTransactions(t *testing.T) {
	alice, bob := newPhone(t, memkv.New()), newPeer(t, "@bob:example.org", "LAPTOP")
	addressed := func(e map[string]any, to string) map[string]any {
		e["to_user_id"], e["to_device_id"] = "@alice:example.org", to
		return e
	}
	body := func(events ...any) []byte {
		return encode(t, map[string]any{"de.sorunome.msc2409.to_device": append([]any{}, events...)})
	}
	keys := []any{addressed(bob.roomKey(alice, "one"), "PHONE"), addressed(bob.roomKey(alice, "two"), "PHONE")}
	foreign := addressed(bob.roomKey(alice, "other"), "TABLET")
	call := addressed(bob.event(alice, "m.call", map[string]any{}), "PHONE")
	take := func(id string, body []byte) Received {
		t.Helper()
		out, err := alice.Transaction(t.Context(), id, body)
		must(t, err)
		if !out.Advanced || len(out.Refused) > 0 {
			t.Fatalf("%+v", out)
		}
		return out
	}
	take("2", body(keys[1], foreign))
	take("1", body(keys[0]))
	if alice.effect("m.room_key one") != 1 || alice.effect("m.room_key two") != 1 || alice.effect("m.room_key other") != 0 {
		t.Error("the keys were not taken")
	}
	if out := take("1", body(keys[0])); out.Duplicates != 0 || len(out.RoomKeys) != 0 {
		t.Errorf("the same again: %+v", out)
	}
	if out := take("1", body(keys...)); out.Duplicates != 2 {
		t.Errorf("another one with its id: %+v", out)
	}
	first := take("3", body(call, keys[0]))
	if again := take("3", body(call, keys[0])); len(first.Events) != 1 || len(again.Events) != 1 || !again.Events[0].Duplicate {
		t.Errorf("its event is lost to who died with it: %+v, %+v", first, again)
	}
	for n := range 2 * records.MaxTransactions {
		take(fmt.Sprint("for others ", n), body(foreign))
	}
	if n := len(alice.state().Transactions); n != 4 {
		t.Errorf("%d are remembered, of which 4 were for this device", n)
	}
	changed := []byte(`{"org.matrix.msc3202.device_lists":{"changed":["@bob:example.org"]}}`)
	for n := range records.MaxTransactions {
		take(fmt.Sprint("x", n), changed)
	}
	if n := len(alice.state().Transactions); n != records.MaxTransactions || alice.state().Since != "" {
		t.Errorf("%d are remembered", n)
	}
	if out := take("1", body(keys[0])); out.Duplicates != 1 {
		t.Errorf("one that was forgotten: %+v", out)
	}
	alice.intact()
}

// TestRoomsOfOverlappingResponses: two responses to one token, an older and a newer
// one, each in several commits, of which one comes between any two of the other's and
// either may die there. Where a token is stored, the rooms are as its response says.
func TestRoomsOfOverlappingResponses(t *testing.T) {
	const rooms = 12
	body := func(value int) []byte {
		join := map[string]any{}
		for n := range rooms {
			join[fmt.Sprintf("!%d:example.org", n)] = map[string]any{"state": map[string]any{"events": []any{
				map[string]any{"type": "m.room.history_visibility", "state_key": "", "content": map[string]any{"value": value}},
			}}}
		}
		return encode(t, map[string]any{"next_batch": fmt.Sprint("T", value), "rooms": map[string]any{"join": join}})
	}
	for outer := 1; outer <= 2; outer++ {
		for at := range 8 {
			for _, inner := range []int{0, 1, 2, never} { // commits of it
				for _, fresh := range []bool{false, true} { // its ticket
					for _, dies := range []bool{false, true} {
						testOverlap(t, body, outer, at, inner, fresh, dies, rooms)
					}
				}
			}
		}
	}
}

func testOverlap(t *testing.T, body func(int) []byte, outer, at, inner int, fresh, dies bool, rooms int) {
	t.Helper()
	store := memkv.New(memkv.WithLimits(kv.Floor()))
	alice := newPhone(t, store)
	set := func(p *phone) *phone {
		p.others.RoomCost = alice.slowRoom()
		p.others.Room = func(tx *txn.Tx, _ account.Account, r syncresponse.Room, response []byte) error {
			var c struct{ Value int }
			if err := json.Unmarshal(r.Events[0].Content.Of(response), &c); err != nil {
				return err
			}
			return effects.Put(tx, effect{string(r.ID), c.Value})
		}
		return p
	}
	ticket := alice.ticket()
	n := 0
	other := set(alice.on(dying(store, inner)))
	process := set(alice.on(faulty.Wrap(store, faulty.Hooks{Before: func(_ context.Context, call faulty.Call) error {
		if call.Op != faulty.Commit || len(call.Batch.Writes) == 0 {
			return nil
		}
		if n++; n != at+1 {
			return nil
		}
		between := ticket
		if fresh {
			between = other.ticket()
		}
		if _, err := other.Sync(context.Background(), between, body(3-outer)); err != nil && !errors.Is(err, kv.ErrDiskFull) {
			return err
		}
		if dies {
			return kv.ErrDiskFull
		}
		return nil
	}})))
	_, err := process.Sync(t.Context(), ticket, body(outer))
	if err != nil && !errors.Is(err, kv.ErrDiskFull) {
		t.Fatal(err)
	}
	check := func(when string) {
		t.Helper()
		token := alice.state().Since
		for r := range rooms {
			if got := alice.effect(fmt.Sprintf("!%d:example.org", r)); token != "" && token != fmt.Sprint("T", got) {
				t.Fatalf("%s, response %d, other after %d commits for %d, fresh %t, dies %t: the token is %s, room %d of %d", when, outer, at, inner, fresh, dies, token, r, got)
			}
		}
	}
	check("at once")
	if alice.state().Since == "" { // both have died, or gave way to one that did
		out, err := set(alice).Sync(t.Context(), alice.ticket(), body(2))
		if err != nil || !out.Advanced {
			t.Fatalf("%+v, %v", out, err)
		}
		check("afterwards")
	}
}
