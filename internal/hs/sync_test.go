package hs

import (
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pawlkv/pawl/matrix"
)

func (c *client) toDevice(txn string, to *client, text string) (int, object) {
	c.t.Helper()
	return c.ask("PUT", base+"sendToDevice/com.example.note/"+txn, object{"messages": object{string(to.user): object{string(to.device): object{"body": text}}}})
}

func bodies(o object) []string {
	var all []string
	for _, e := range list(o, "to_device", "events") {
		all = append(all, at(e, "content", "body").(string))
	}
	return all
}

// TestToDeviceUntilNewerToken: events come again until a sync with a newer token,
// a hundred at a time, and a transaction id is known for half an hour.
func TestToDeviceUntilNewerToken(t *testing.T) {
	s := started(t, alice, bob)
	now := time.Now()
	s.SetClock(func() time.Time { return now })
	a, b := s.client(t, alice, "A"), s.client(t, bob, "B")
	var want []string
	for i := range perSync + 20 {
		want = append(want, fmt.Sprint(i))
		a.toDevice(fmt.Sprint("t", i), b, want[i])
		a.toDevice(fmt.Sprint("t", i), b, want[i]) // known: once
	}
	first := b.sync("")
	for range 2 {
		if diff := cmp.Diff(want[:perSync], bodies(b.sync(""))); diff != "" {
			t.Error(diff)
		}
	}
	second := b.sync(next(first))
	if diff := cmp.Diff(want[perSync:], bodies(second)); diff != "" {
		t.Error(diff)
	}
	if left := len(s.Inbox(bob, "B")); left != 20 {
		t.Errorf("%d are left, want the 20 that no newer token covers", left)
	}
	if got := bodies(b.sync(next(second))); got != nil {
		t.Errorf("after the newer token there are %v", got)
	}
	now = now.Add(transactionMemory)
	a.toDevice("t0", b, "0")
	s.ForgetTransactions()
	a.toDevice("t0", b, "0")
	if got := bodies(b.sync(next(second))); !slices.Equal(got, []string{"0", "0"}) {
		t.Errorf("an id that was forgotten twice: %v", got)
	}
}

// TestLists: who shares a room is told of devices, of those who come, and of those
// who go.
func TestLists(t *testing.T) {
	s := started(t, alice, bob)
	a, b := s.client(t, alice, "A"), s.client(t, bob, "B")
	since := next(a.sync(""))
	step := func(what string, changed, left []any) {
		t.Helper()
		o := a.sync(since)
		if diff := cmp.Diff(object{"changed": changed, "left": left}, at(o, "device_lists")); diff != "" {
			t.Errorf("%s: %s", what, diff)
		}
		since = next(o)
	}
	none, him := []any{}, []any{string(bob)}
	b.must("POST", base+"keys/upload", b.deviceKeys("unknown"))
	step("a stranger's keys", none, none)
	room := a.room(b)
	step("he joins", him, none)
	b.must("POST", base+"keys/upload", b.deviceKeys("new"))
	step("his keys", him, none)
	b.must("POST", base+"keys/upload", b.deviceKeys("new"))
	step("the same keys", none, none)
	other := a.room(b)
	step("he joins another", none, none)
	b.must("POST", base+"rooms/"+room+"/leave", nil)
	step("he leaves one", none, none)
	a.must("POST", base+"rooms/"+other+"/kick", object{"user_id": bob})
	step("he is gone", none, him)
	b.must("POST", base+"keys/upload", b.deviceKeys("newer"))
	step("a stranger's keys again", none, none)
}

// TestTimelines: what a limited sync leaves out of the timeline is in the state, if
// it is state.
func TestTimelines(t *testing.T) {
	s := started(t, alice, bob)
	a, b := s.client(t, alice, "A"), s.client(t, bob, "B")
	room := a.room(b)
	since := next(a.sync(""))
	b.must("PUT", base+"rooms/"+room+"/state/m.room.encryption", object{"algorithm": "m.megolm.v1.aes-sha2"})
	b.must("POST", base+"rooms/"+room+"/leave", nil)
	for i := range perTimeline + 5 {
		a.must("PUT", base+"rooms/"+room+"/send/m.room.message/"+fmt.Sprint(i), object{"body": fmt.Sprint(i)})
	}
	part := at(a.sync(since), "rooms", "join", room)
	if at(part, "timeline", "limited") != true || len(list(part, "timeline", "events")) != perTimeline {
		t.Errorf("the timeline is %v", at(part, "timeline"))
	}
	var state []string
	for _, e := range list(part, "state", "events") {
		state = append(state, fmt.Sprint(at(e, "type")))
	}
	if diff := cmp.Diff([]string{"m.room.encryption", "m.room.member"}, state); diff != "" {
		t.Error(diff)
	}
	own := list(part, "timeline", "events")[0]
	if at(own, "unsigned", "transaction_id") != "5" {
		t.Errorf("the sender's event is %v", own)
	}
	if gone := at(b.sync(since), "rooms", "leave", room, "timeline"); len(list(gone, "events")) != 2 {
		t.Errorf("who left sees %v, want the encryption and the leave", gone)
	}
	o := a.must("GET", base+"rooms/"+room+"/messages?dir=b&limit=3&from="+at(part, "timeline", "prev_batch").(string), nil)
	if got := at(list(o, "chunk")[0], "content", "body"); len(list(o, "chunk")) != 3 || got != "4" {
		t.Errorf("before the timeline there is %v", o)
	}
}

// TestHistoryVisibility: who comes later sees what the visibility allows.
func TestHistoryVisibility(t *testing.T) {
	for visibility, want := range map[string][]string{
		"shared": {"before", "invited", "joined"}, "invited": {"invited", "joined"}, "joined": {"joined"},
	} {
		s := started(t, alice, bob)
		a, b := s.client(t, alice, "A"), s.client(t, bob, "B")
		room := a.must("POST", base+"createRoom", object{"initial_state": []any{
			object{"type": "m.room.history_visibility", "state_key": "", "content": object{"history_visibility": visibility}}}})["room_id"].(string)
		say := func(text string) {
			a.must("PUT", base+"rooms/"+room+"/send/m.room.message/"+text, object{"body": text})
		}
		b.expect(403, "M_FORBIDDEN", "POST", base+"join/"+room, nil)
		say("before")
		a.must("POST", base+"rooms/"+room+"/invite", object{"user_id": bob})
		if at(b.sync(""), "rooms", "invite", room) == nil {
			t.Errorf("%s: no invitation", visibility)
		}
		say("invited")
		b.must("POST", base+"join/"+room, nil)
		say("joined")
		var got []string
		for _, e := range list(b.must("GET", base+"sync?filter="+`{"room":{"timeline":{"limit":50}}}`, nil), "rooms", "join", room, "timeline", "events") {
			if at(e, "type") == "m.room.message" {
				got = append(got, at(e, "content", "body").(string))
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", visibility, diff)
		}
	}
}

// TestWaiting: a sync waits for news, and ends at once when its device is logged
// out or the server stops.
func TestWaiting(t *testing.T) {
	s := started(t, alice, bob)
	a, b := s.client(t, alice, "A"), s.client(t, bob, "B")
	type answer struct {
		status int
		o      object
	}
	waiting := func() <-chan answer {
		c := make(chan answer, 1)
		since := next(b.sync(""))
		go func() {
			status, o := b.ask("GET", base+"sync?timeout=600000&since="+since, nil)
			c <- answer{status, o}
		}()
		if err := s.Settle(t.Context(), map[matrix.UserID]matrix.DeviceID{bob: "B", "@nobody:example.org": "N"}); err != nil {
			t.Error(err)
		}
		return c
	}
	news := waiting()
	a.toDevice("t", b, "hello")
	if got := <-news; !slices.Equal(bodies(got.o), []string{"hello"}) {
		t.Errorf("the news are %v", got)
	}
	b.sync(next(b.sync(""))) // it has arrived
	end := waiting()
	if err := s.Restart(); err != nil {
		t.Fatal(err)
	}
	if got := <-end; got.status == http.StatusOK {
		t.Errorf("while the server restarts: %v", got)
	}
	out := waiting()
	s.Logout(bob, "B")
	if got := <-out; got.status != http.StatusUnauthorized {
		t.Errorf("logged out: %v", got)
	}
}
