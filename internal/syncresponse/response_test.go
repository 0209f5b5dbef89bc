package syncresponse

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pawlkv/pawl/matrix"
)

var phone = Own{"@alice:example.org", "PHONE"}

// texts are the values at some places.
func texts(response string, spans []Span) []string {
	var all []string
	for _, s := range spans {
		all = append(all, string(s.Of([]byte(response))))
	}
	return all
}

func mustParse(t *testing.T, form Form, response string) Response {
	t.Helper()
	r, err := Parse(form, phone, []byte(response))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// events leaves the places out, which are looked at by themselves.
func events(rooms []Room) []Room {
	for i := range rooms {
		for j := range rooms[i].Events {
			rooms[i].Events[j].Content = Span{}
		}
	}
	return rooms
}

const syncText = `{
  "presence": {"events": [{"deep": [[[{"to_device": 7}]]]}]},
  "to_device": {"events": [ {"type":"m.room.encrypted","content":{"a":[1,2]}} , {"type":"m.dummy"}, 7, "x" ]},
  "rooms": {
    "join": {
      "!a:example.org": {
        "timeline": {"limited": true, "events": [
          {"type":"m.room.message","content":{"body":"hi"}},
          {"type":"m.room.member","state_key":"@bob:example.org","sender":"@bob:example.org","content":{"membership":"leave"}},
          {"type":"m.room.member","sender":"@bob:example.org","content":{}}, 7, ["m.room.member"],
          {"type":7,"state_key":[]}
        ]},
        "state": {"events": [{"type":"m.room.encryption","state_key":"","sender":"@alice:example.org","content":{"algorithm":"m.megolm.v1.aes-sha2"}}]}
      },
      "!quiet:example.org": {"timeline": {"events": [{"type":"m.room.message","content":{}}]}}
    },
    "leave": {"!b:example.org": {}},
    "knock": {"!d:example.org": {"knock_state": {"events": [{"type":"m.room.encryption","state_key":"","content":{}}]}}},
    "invite": {"!c:example.org": {"invite_state": {"events": []}}, "!e:example.org": null}
  },
  "device_lists": {"changed": ["@bob:example.org"], "left": ["@carol:example.org"]},
  "device_one_time_keys_count": {"signed_curve25519": 12},
  "device_unused_fallback_key_types": [],
  "next_batch": "s1"
}`

// TestSync: what is needed is found wherever it stands, and nothing else is.
func TestSync(t *testing.T) {
	r := mustParse(t, Sync, syncText)
	if diff := cmp.Diff([]string{`{"type":"m.room.encrypted","content":{"a":[1,2]}}`, `{"type":"m.dummy"}`, "", ""}, texts(syncText, r.ToDevice)); diff != "" {
		t.Error(diff)
	}
	if got := texts(syncText, []Span{r.Rooms[0].Events[0].Content, r.Rooms[0].Events[1].Content}); got[0] != `{"algorithm":"m.megolm.v1.aes-sha2"}` || got[1] != `{"membership":"leave"}` {
		t.Errorf("the contents are %q", got)
	}
	r.ToDevice = nil
	want := Response{
		Next: "s1", Counts: map[string]int{"signed_curve25519": 12}, Unused: []string{},
		Changed: []matrix.UserID{"@bob:example.org"}, Left: []matrix.UserID{"@carol:example.org"},
		Rooms: []Room{
			{ID: "!a:example.org", Limited: true, Events: []RoomEvent{
				{Kind: Encryption, Sender: "@alice:example.org"}, {Kind: Member, StateKey: "@bob:example.org", Sender: "@bob:example.org"},
			}},
			{ID: "!b:example.org", Gone: true}, {ID: "!d:example.org", Gone: true}, {ID: "!c:example.org", Gone: true}, {ID: "!e:example.org", Gone: true},
		},
	}
	r.Rooms = events(r.Rooms)
	if diff := cmp.Diff(want, r); diff != "" {
		t.Error(diff)
	}
}

// TestStateAfter: the state after the timeline comes after it, wherever it stands, and
// what is in the timeline has passed; unless it is null.
func TestStateAfter(t *testing.T) {
	const was, passed, is = `{"type":"m.room.member","state_key":"was","content":{}}`, `{"type":"m.room.member","state_key":"passed","content":{}}`, `{"type":"m.room.member","state_key":"is","content":{}}`
	for name, c := range map[string]struct {
		text string
		want string
	}{
		"stable":    {`"state_after":{"events":[` + is + `]},"timeline":{"events":[` + passed + `]}`, "passed! is"},
		"unstable":  {`"timeline":{"events":[` + passed + `]},"org.matrix.msc4222.state_after":{"events":[` + is + `]}`, "passed! is"},
		"both":      {`"state_after":{"events":[` + is + `]},"timeline":{"events":[` + passed + `]},"state":{"events":[` + was + `]}`, "was passed! is"},
		"empty":     {`"state_after":{},"timeline":{"events":[` + passed + `]}`, "passed!"},
		"no events": {`"state_after":{"events":[]},"timeline":{"events":[` + passed + `]}`, "passed!"},
		"null":      {`"state_after":null,"timeline":{"events":[` + passed + `]},"state":{"events":[` + was + `]}`, "was passed"},
	} {
		for _, section := range []string{"join", "leave"} {
			r := mustParse(t, Sync, `{"next_batch":"s","rooms":{"`+section+`":{"!a:example.org":{`+c.text+`}}}}`)
			var got []string
			for _, e := range r.Rooms[0].Events {
				mark := ""
				if e.Passed {
					mark = "!"
				}
				got = append(got, e.StateKey+mark)
			}
			if strings.Join(got, " ") != c.want {
				t.Errorf("%s, %s: %q, want %q", section, name, got, c.want)
			}
		}
	}
	if _, err := Parse(Sync, phone, []byte(`{"next_batch":"s","rooms":{"join":{"!a:b":{"state_after":[]}}}}`)); !errors.Is(err, ErrForm) {
		t.Errorf("a list: %v, want ErrForm", err)
	}
}

// TestMissing: in /sync a count that is missing is zero; elsewhere it has not
// changed. A member that is null is missing.
func TestMissing(t *testing.T) {
	if r := mustParse(t, Sync, `{"next_batch":"s1","to_device":null,"device_lists":{"changed":null}}`); r.Counts == nil || len(r.Counts) > 0 || r.Unused != nil {
		t.Errorf("/sync: %+v", r)
	}
	if r := mustParse(t, Sliding, `{"pos":"1","extensions":{"e2ee":{"device_one_time_keys_count":null}}}`); r.Counts != nil || r.Unused != nil {
		t.Errorf("sliding: %+v", r)
	}
	if r := mustParse(t, Service, `{}`); r.Counts != nil || r.Unused != nil || r.Next != "" {
		t.Errorf("a transaction: %+v", r)
	}
}

// TestSliding: its two tokens, rooms and extensions.
func TestSliding(t *testing.T) {
	const text = `{"pos":"7","lists":{"all":{"count":1}},"rooms":{
	  "!a:example.org":{"initial":true,"required_state":[{"type":"m.room.history_visibility","state_key":"","sender":"@bob:example.org","content":{}}],
	    "timeline":[{"type":"m.room.encryption","state_key":"","content":{}}],"limited":true},
	  "!b:example.org":{"membership":"leave"},"!c:example.org":{"membership":"join"},"!d:example.org":{"membership":"knock"},
	  "!e:example.org":{"invite_state":[{"type":"m.room.name"}]},"!f:example.org":{"stripped_state":[]},"!g:example.org":{"invite_state":null}},
	  "extensions":{"to_device":{"next_batch":"9","events":[{"type":"m.dummy"}]},"e2ee":{"device_one_time_keys_count":{"signed_curve25519":3},
	    "device_unused_fallback_key_types":["signed_curve25519"],"device_lists":{"changed":["@bob:example.org"]}}}}`
	r := mustParse(t, Sliding, text)
	if got := texts(text, r.ToDevice); len(got) != 1 || got[0] != `{"type":"m.dummy"}` {
		t.Errorf("the events are %q", got)
	}
	r.ToDevice = nil
	want := Response{
		Next: "7", NextToDevice: "9", Counts: map[string]int{"signed_curve25519": 3}, Unused: []string{"signed_curve25519"},
		Changed: []matrix.UserID{"@bob:example.org"},
		Rooms: []Room{
			{ID: "!a:example.org", Limited: true, Events: []RoomEvent{{Kind: Encryption}, {Kind: HistoryVisibility, Sender: "@bob:example.org"}}},
			{ID: "!b:example.org", Gone: true}, {ID: "!d:example.org", Gone: true}, {ID: "!e:example.org", Gone: true}, {ID: "!f:example.org", Gone: true},
		},
	}
	r.Rooms = events(r.Rooms)
	if diff := cmp.Diff(want, r); diff != "" {
		t.Error(diff)
	}
}

// TestService: of a transaction of many devices only what is ours.
func TestService(t *testing.T) {
	const text = `{"events":[{"type":"m.room.member","room_id":"!a:example.org","state_key":"@bob:example.org","content":{}},
	    {"type":"m.room.member","room_id":"!a:example.org","state_key":"@eve:example.org","content":{}},
	    {"type":"m.room.message","room_id":"!b:example.org"},{"type":"m.room.encryption","room_id":"!b:example.org","state_key":"","content":{}}],
	  "de.sorunome.msc2409.to_device":[{"type":"a","to_user_id":"@alice:example.org","to_device_id":"LAPTOP"},
	    {"to_user_id":"@alice:example.org","to_device_id":"PHONE","type":"b"} , 3, {"to_user_id":"@eve:example.org","to_device_id":"PHONE"}],
	  "org.matrix.msc3202.device_lists":{"changed":["@bob:example.org"]},
	  "org.matrix.msc3202.device_one_time_keys_count":{"@eve:example.org":{"PHONE":{"signed_curve25519":1}},"@alice:example.org":{"LAPTOP":{"signed_curve25519":2},"PHONE":{"signed_curve25519":3}}},
	  "org.matrix.msc3202.device_unused_fallback_key_types":{"@alice:example.org":{"PHONE":["signed_curve25519"]}}}`
	r := mustParse(t, Service, text)
	if got := texts(text, r.ToDevice); len(got) != 1 || got[0] != `{"to_user_id":"@alice:example.org","to_device_id":"PHONE","type":"b"}` {
		t.Errorf("the events are %q", got)
	}
	r.ToDevice = nil
	want := Response{
		Counts: map[string]int{"signed_curve25519": 3}, Unused: []string{"signed_curve25519"}, Changed: []matrix.UserID{"@bob:example.org"},
		Rooms: []Room{
			{ID: "!a:example.org", Events: []RoomEvent{{Kind: Member, StateKey: "@bob:example.org"}, {Kind: Member, StateKey: "@eve:example.org"}}},
			{ID: "!b:example.org", Events: []RoomEvent{{Kind: Encryption}}},
		},
	}
	r.Rooms = events(r.Rooms)
	if diff := cmp.Diff(want, r); diff != "" {
		t.Error(diff)
	}
}

// TestMalformed: what is needed has another type, and the error says where.
func TestMalformed(t *testing.T) {
	for response, where := range map[string]string{
		``: "", `[]`: "response", `7`: "response", `{`: "response", `{"next_batch":"s1"} {}`: "follows", `{"next_batch":""}`: "token",
		"{\"next_batch\":\"\xff\"}": "token", `{"next_batch":"\ud800"}`: "token", `{"next_batch":"s1","device_one_time_keys_count":{"a":-1}}`: "-1 keys",
		`{"next_batch":7}`: "next_batch", `{"next_batch":"s1","to_device":[]}`: "to_device", `{"next_batch":"s1","to_device":{"events":{}}}`: "events",
		`{"next_batch":"s1","device_lists":{"changed":[7]}}`: "changed", `{"next_batch":"s1","device_one_time_keys_count":{"a":"b"}}`: "device_one_time_keys_count",
		`{"next_batch":"s1","device_one_time_keys_count":{"a":1e99}}`: "device_one_time_keys_count", `{"next_batch":"s1","rooms":{"join":{"!a:b":[]}}}`: "!a:b",
		`{"next_batch":"s1","presence":{"a":[truth]}}`: "byte", `{"next_batch":"s1","a":"\x"}`: "byte", `{"next_batch":"s1",}`: "response",
		`{"next_batch":"s1","to_device":{"events":[{"a":]}}`: "events", `{"next_batch":"s1","to_device":{"events":[{"a":1}`: "events",
	} {
		r, err := Parse(Sync, phone, []byte(response))
		if !errors.Is(err, ErrForm) || !strings.Contains(err.Error(), where) || r.Next != "" {
			t.Errorf("%s: %+v, %v, want an error at %q", response, r, err, where)
		}
	}
	if _, err := Parse(Sliding, phone, []byte(`{"next_batch":"s1"}`)); !errors.Is(err, ErrForm) {
		t.Errorf("/sync taken for a sliding one: %v", err)
	}
}

// TestDeep: an event that is nested deeper than package json reads is one of the events,
// which are validated one by one then; the response is validated all the same.
func TestDeep(t *testing.T) {
	deep := `{"type":"deep","content":` + strings.Repeat(`{"a":`, 10_001) + `1` + strings.Repeat(`}`, 10_001) + `}`
	text := `{"next_batch":"s1","to_device":{"events":[` + deep + `,{"type":"m.dummy"}]},"other":[1,true]}`
	r := mustParse(t, Sync, text)
	if got := texts(text, r.ToDevice); len(got) != 2 || got[0] != deep || got[1] != `{"type":"m.dummy"}` || !r.Deep {
		t.Errorf("%d events, deep %t", len(got), r.Deep)
	}
	if r := mustParse(t, Sync, syncText); r.Deep {
		t.Error("a flat response is called deep")
	}
	for _, broken := range []string{strings.Replace(text, "true", "truth", 1), text[:len(text)-1]} {
		if _, err := Parse(Sync, phone, []byte(broken)); !errors.Is(err, ErrForm) {
			t.Errorf("a deep response that is no JSON: %v, want ErrForm", err)
		}
	}
}

// large is a response of many megabytes in which little matters.
func large() []byte {
	var b strings.Builder
	b.WriteString(`{"rooms":{"join":{"!a:example.org":{"timeline":{"events":[`)
	for i := range 20_000 {
		fmt.Fprintf(&b, `{"type":"m.room.message","content":{"body":%q}},`, strings.Repeat("x", 1000+i%7))
	}
	b.WriteString(`{}]}}}},"to_device":{"events":[{}]},"next_batch":"s1"}`)
	return []byte(b.String())
}

// TestLargeResponse: of many megabytes what matters is found, and nothing else.
func TestLargeResponse(t *testing.T) {
	response := large()
	r, err := Parse(Sync, phone, response)
	if err != nil || len(r.ToDevice) != 1 || len(r.Rooms) != 0 || r.Next != "s1" || string(r.ToDevice[0].Of(response)) != "{}" {
		t.Fatalf("%+v, %v", r, err)
	}
}

// BenchmarkParse also shows what reading takes of memory, all in all.
func BenchmarkParse(b *testing.B) {
	response := large()
	b.SetBytes(int64(len(response)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(Sync, phone, response); err != nil {
			b.Fatal(err)
		}
	}
}

// validated fails where something was taken that is no JSON, as a whole or as an event.
func validated(t interface{ Errorf(string, ...any) }, r Response, response []byte) {
	if !r.Deep && !json.Valid(response) {
		t.Errorf("%q is no JSON, and was taken", response)
	}
	for _, s := range r.ToDevice {
		if event := s.Of(response); !r.Deep && len(event) > 0 && !json.Valid(event) {
			t.Errorf("%q is no JSON, and was taken for an event", event)
		}
	}
}

// TestValidated: a byte that is changed, left out or put in, at every place of a response of
// each form, does not let pass what package json refuses.
func TestValidated(t *testing.T) {
	service := `{"events":[{"type":"m.room.member","room_id":"!a:b","state_key":"","content":{}}],"x":{"y":[{"z":[1]}]},
		"to_device":[{"to_user_id":"` + string(phone.User) + `","to_device_id":"` + string(phone.Device) + `","n":[-1.5e3,true]}]}`
	sliding := `{"pos":"1","rooms":{"!a:b":{"required_state":[{"type":null}],"limited":false}},"extensions":{"to_device":{"events":[{}]}}}`
	taken := 0
	for form, text := range map[Form]string{Sync: syncText, Sliding: sliding, Service: service} {
		mustParse(t, form, text)
		for at := range len(text) {
			for _, b := range []string{"", "}", ",", `"`, "t", "["} {
				for _, end := range []int{at, at + 1} {
					damaged := []byte(text[:at] + b + text[end:])
					if r, err := Parse(form, phone, damaged); err == nil {
						taken++
						validated(t, r, damaged)
					}
				}
			}
		}
	}
	if taken < 1000 {
		t.Errorf("only %d texts were taken", taken)
	}
}

// TestDeepEvent: an event of a transaction may be a level too deep whose parts are not.
func TestDeepEvent(t *testing.T) {
	text := `{"to_device":[{"to_user_id":"` + string(phone.User) + `","to_device_id":"` + string(phone.Device) + `","n":` + strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000) + `}]}`
	if r := mustParse(t, Service, text); len(r.ToDevice) != 1 || !r.Deep {
		t.Errorf("%d events, deep %t", len(r.ToDevice), r.Deep)
	}
}

// FuzzParse: no response makes it panic, and every place is one of the response.
func FuzzParse(f *testing.F) {
	f.Add(0, []byte(syncText))
	f.Add(1, []byte(`{"pos":"1","rooms":{"!a":{"required_state":[{}]}},"extensions":{"to_device":{"events":[{}]}}}`))
	f.Add(2, []byte(`{"to_device":[{"to_user_id":"@alice:example.org","to_device_id":"PHONE"}]}`))
	f.Fuzz(func(t *testing.T, form int, response []byte) {
		r, err := Parse(Form(uint(form)%3), phone, response)
		if err != nil && !errors.Is(err, ErrForm) {
			t.Errorf("%v is no ErrForm", err)
		}
		if err == nil {
			validated(t, r, response)
		}
		for _, s := range r.ToDevice {
			if text := s.Of(response); len(text) > 0 && (text[0] != '{' && text[0] != '[' || len(text) < 2) {
				t.Errorf("an event is %q", text)
			}
		}
	})
}
