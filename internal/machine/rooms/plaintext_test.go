package rooms

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/pawlkv/pawl/internal/jsonobject"
	"github.com/pawlkv/pawl/internal/machine/roomkeys"
	"github.com/pawlkv/pawl/matrix"
)

// TestPlaintext: what is encrypted of contents, and what stays outside.
func TestPlaintext(t *testing.T) {
	empty := ""
	for content, c := range map[string]struct {
		form            Form
		inside, outside string
	}{
		`{}`:                                  {Form{}, `{"type":"m.x","content":{},"room_id":"!a:b"}`, ""},
		` { "b" : [1 , 2],"a":1} `:            {Form{}, `{"type":"m.x","content":{"a":1,"b":[1 , 2]},"room_id":"!a:b"}`, ""},
		`{"a":1,"\u0061":{"a":2,"a":3}}`:      {Form{}, `{"type":"m.x","content":{"a":{"a":2,"a":3}},"room_id":"!a:b"}`, ""},
		"{\"\\\"<\xff\":\"<\"}":               {Form{}, `{"type":"m.x","content":{"\"\u003c�":"<"},"room_id":"!a:b"}`, ""},
		`{"m.relates_to":{"a":1},"b":2}`:      {Form{}, `{"type":"m.x","content":{"b":2},"room_id":"!a:b"}`, `{"a":1}`},
		`{"m.relates_to":null}`:               {Form{}, `{"type":"m.x","content":{},"room_id":"!a:b"}`, `null`},
		`{"m.relates_to":{"a":1}, "b":2}`:     {Form{Inside: true}, `{"type":"m.x","content":{"b":2,"m.relates_to":{"a":1}},"room_id":"!a:b"}`, ""},
		`{"m.relates_to":{"a":1}, "b":"in" }`: {Form{Inside: true, RelatesTo: json.RawMessage(`[]`)}, `{"type":"m.x","content":{"b":"in","m.relates_to":{"a":1}},"room_id":"!a:b"}`, `[]`},
		`{"state":true}`:                      {Form{StateKey: &empty}, `{"type":"m.x","content":{"state":true},"room_id":"!a:b","state_key":""}`, ""},
	} {
		inside, outside, err := plaintextOf("!a:b", "m.x", []byte(content), c.form)
		if err != nil || string(inside) != c.inside || string(outside) != c.outside {
			t.Errorf("%s: %s and %q, %v, want %s and %q", content, inside, outside, err, c.inside, c.outside)
		}
	}
	for _, content := range []string{``, `null`, `[]`, `7`, `{`, `{"a":}`, `{} {}`} {
		if _, _, err := plaintextOf("!a:b", "m.x", []byte(content), Form{}); !errors.Is(err, roomkeys.ErrContent) {
			t.Errorf("%q: %v, want ErrContent", content, err)
		}
	}
	if _, _, err := plaintextOf("!a:b", "", []byte(`{}`), Form{}); !errors.Is(err, roomkeys.ErrContent) {
		t.Errorf("no type: %v, want ErrContent", err)
	}
	if _, _, err := plaintextOf("!a:b", "m.x", []byte(`{}`), Form{Inside: true, RelatesTo: json.RawMessage(`{`)}); !errors.Is(err, roomkeys.ErrContent) {
		t.Errorf("a relation that is no JSON: %v, want ErrContent", err)
	}
}

// TestPlaintextReads: whatever an event has, package json reads it in its plaintext, which
// is written where it is and nowhere else.
func TestPlaintextReads(t *testing.T) {
	type read struct {
		Type     string         `json:"type"`
		Content  map[string]any `json:"content"`
		Room     string         `json:"room_id"`
		StateKey *string        `json:"state_key"`
	}
	text := rapid.OneOf(rapid.String(), rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) }))
	rapid.Check(t, func(t *rapid.T) {
		content := map[string]any{}
		for _, name := range rapid.SliceOfN(rapid.String(), 0, 5).Draw(t, "names") {
			content[name] = rapid.OneOf(rapid.Just[any](nil), rapid.Map(rapid.String(), func(s string) any { return []any{s, map[string]any{s: s}} })).Draw(t, "value")
		}
		raw, err := json.Marshal(content)
		if err != nil {
			t.Fatal(err)
		}
		want := read{Type: "x" + text.Draw(t, "type"), Content: content, Room: text.Draw(t, "room")}
		if rapid.Bool().Draw(t, "state") {
			key := text.Draw(t, "state key")
			want.StateKey = &key
		}
		inside, _, err := plaintextOf(matrix.RoomID(want.Room), want.Type, raw, Form{Inside: true, StateKey: want.StateKey})
		var got read
		if err := errors.Join(err, json.Unmarshal(inside, &got)); err != nil {
			t.Fatalf("%q: %v", inside, err)
		}
		members, _ := jsonobject.Members(raw)
		if most := (event{want.Type, matrix.RoomID(want.Room), members, want.StateKey}).mostBytes(); len(inside) > most {
			t.Fatalf("%d bytes, at most %d", len(inside), most)
		}
		asRead := func(s string) string { return string([]rune(s)) }
		want.Type, want.Room = asRead(want.Type), asRead(want.Room)
		if want.StateKey != nil {
			key := asRead(*want.StateKey)
			want.StateKey = &key
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
	})
}
