package imports_test

import (
	"encoding/json"
	"errors"
	"maps"
	"strings"
	"testing"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/matrix"
)

const bob = "@bob:example.org"

// rest is what stands beside keys and sessions, and an event of bob's to try it with.
func rest(t *testing.T) (d pawl.Import, event json.RawMessage) {
	t.Helper()
	d = lives(t)[0].device(t)
	d.Retired = true
	m, err := open(t, smallest()).OpenOrCreate(t.Context(), bob, "LAPTOP")
	if err != nil {
		t.Fatal(err)
	}
	for {
		s, err := m.ShareRoomKey(t.Context(), room, nil, pawl.RoomSettings{})
		if err != nil {
			t.Fatal(err)
		}
		if s.Done {
			break
		}
		for _, r := range s.Requests {
			if err := m.MarkSent(t.Context(), r.ID, []byte(`{"device_keys":{"@bob:example.org":{}}}`)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if event, err = m.EncryptRoomEvent(t.Context(), room, "m.room.message", json.RawMessage(`{"body":"hi"}`)); err != nil {
		t.Fatal(err)
	}
	for key, err := range m.ExportRoomKeys(t.Context(), pawl.RoomKeyExport{}) {
		if err != nil {
			t.Fatal(err)
		}
		d.RoomKeys = append(d.RoomKeys, key)
		d.Messages = []pawl.ImportMessage{{Session: key.Key.ID(), Index: 0, Event: "$first"}, {Session: group.SessionID{1}, Index: 0, Event: "$nobodys"}}
	}
	d.Since = "s42"
	d.Users = []matrix.UserID{bob, "@carol:example.org"}
	d.Identities = []pawl.ImportIdentity{{User: bob, Master: account.VerifyKey{2}, First: account.VerifyKey{1}}}
	d.Rooms = []pawl.ImportRoom{
		{Room: "!known:example.org", Encryption: `{"algorithm":"m.megolm.v1.aes-sha2","rotation_period_msgs":7}`}, {Room: "!unknown:example.org"},
	}
	d.Withheld = []group.Withheld{{Room: room, Session: group.SessionID{3}, From: bob, Code: group.Blacklisted, At: noon}}
	d.Extras = []pawl.ImportExtra{{Space: "test", Name: "a", Value: []byte("small")}, {Space: "test", Name: "b", Value: make([]byte, pawl.MaxExtraValue)}}
	return d, event
}

// TestTheRestIsThere: whatever stands beside keys and sessions has its effect.
func TestTheRestIsThere(t *testing.T) {
	d, event := rest(t)
	store := open(t, smallest())
	if _, err := store.Import(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	checkRest(t, machineOf(t, store), event)
}

func checkRest(t *testing.T, m *pawl.Machine, event json.RawMessage) {
	t.Helper()
	ctx := t.Context()
	if ticket, err := m.NextSync(ctx); err != nil || ticket.Since != "s42" {
		t.Errorf("syncs go on from %q, %v", ticket.Since, err)
	}
	for _, name := range []matrix.RoomID{"!known:example.org", "!unknown:example.org"} {
		if r, err := m.Room(ctx, name); err != nil || !r.Encrypted {
			t.Errorf("%s is %+v, %v", name, r, err)
		}
	}
	if r, err := m.Room(ctx, "!known:example.org"); err != nil || r.Settings.Messages != 7 {
		t.Errorf("the room's settings are %+v, %v", r.Settings, err)
	}
	u, err := m.Devices(ctx, bob)
	if err != nil || u.Identity.Master != (account.VerifyKey{2}) || !u.Changed {
		t.Errorf("bob is %+v, %v", u, err)
	}
	e := pawl.RoomEvent{Room: room, Sender: bob, Content: event}
	for id, want := range map[matrix.EventID]error{"$other": pawl.ErrReplay, "$first": nil} {
		e.ID = id
		if _, err := m.DecryptRoomEvent(ctx, e); !errors.Is(err, want) || (err == nil) != (want == nil) {
			t.Errorf("event %s: %v, want %v", id, err, want)
		}
	}
	if a, err := m.Extra(ctx, "test", "a"); err != nil || string(a) != "small" {
		t.Errorf("extra a is %q, %v", a, err)
	}
	if b, err := m.Extra(ctx, "test", "b"); err != nil || len(b) != pawl.MaxExtraValue {
		t.Errorf("extra b has %d bytes, %v", len(b), err)
	}
	var lost map[string]any
	if err := json.Unmarshal(event, &lost); err != nil {
		t.Fatal(err)
	}
	lost["session_id"] = group.SessionID{3}.String()
	if e.Content, err = json.Marshal(lost); err != nil {
		t.Fatal(err)
	}
	var withheld *group.WithheldError
	if _, err := m.DecryptRoomEvent(ctx, e); !errors.As(err, &withheld) || withheld.Code != group.Blacklisted {
		t.Errorf("of a key that was withheld: %v", err)
	}
	asked := ""
	requests, err := m.OutgoingRequests(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range requests {
		asked += string(r.Body)
	}
	if !strings.Contains(asked, bob) || !strings.Contains(asked, "@carol:example.org") {
		t.Errorf("asked is for %s", asked)
	}
	whole(t, m)
}

// TestTheRestIsPutOnce: interrupted at any commit it goes on, and later it is not put
// again, whatever became of it.
func TestTheRestIsPutOnce(t *testing.T) {
	d, event := rest(t)
	for n := 0; ; n++ {
		engine := smallest()
		err := importUntil(t, engine, n, d)
		if err != nil && !errors.Is(err, kv.ErrUnavailable) {
			t.Fatalf("interrupted at commit %d: %v", n, err)
		}
		store := open(t, engine)
		if m, missing := store.Machine(t.Context(), user, name); err != nil && missing == nil {
			if ticket, err := m.NextSync(t.Context()); err != nil || ticket.Since != "" {
				t.Fatalf("at commit %d syncs go on from %q, %v", n, ticket.Since, err)
			}
		}
		if _, err := store.Import(t.Context(), d); err != nil {
			t.Fatalf("going on from commit %d: %v", n, err)
		}
		m := machineOf(t, store)
		checkRest(t, m, event)
		if err := m.ChangeExtra(t.Context(), "test", "a", func([]byte) ([]byte, error) { return nil, nil }); err != nil {
			t.Fatal(err)
		}
		before := entries(t, engine)
		if done, err := store.Import(t.Context(), d); err != nil || !done.Before || !maps.Equal(before, entries(t, engine)) {
			t.Fatalf("importing again: %+v, %v; or it changed the store", done, err)
		}
		if err == nil {
			if n < 10 {
				t.Fatalf("only %d commits", n)
			}
			return
		}
	}
}

// TestRestRefusals: what cannot be kept is refused before anything is written.
func TestRestRefusals(t *testing.T) {
	for what, change := range map[string]func(*pawl.Import){
		"token":    func(d *pawl.Import) { d.Since = strings.Repeat("x", 16<<10+1) },
		"no text":  func(d *pawl.Import) { d.Since = "\xff" },
		"user":     func(d *pawl.Import) { d.Users = []matrix.UserID{"bob"} },
		"identity": func(d *pawl.Import) { d.Identities[0].First = account.VerifyKey{} },
		"room":     func(d *pawl.Import) { d.Rooms[0].Room = "room" },
		"event":    func(d *pawl.Import) { d.Messages[0].Event = "" },
		"notice":   func(d *pawl.Import) { d.Withheld[0].Code = "" },
		"extra":    func(d *pawl.Import) { d.Extras[0].Name = "" },
	} {
		d, _ := rest(t)
		change(&d)
		engine := smallest()
		store := open(t, engine)
		before := entries(t, engine)
		if _, err := store.Import(t.Context(), d); !errors.Is(err, pawl.ErrImport) || !maps.Equal(before, entries(t, engine)) {
			t.Errorf("%s: %v, want ErrImport and nothing written", what, err)
		}
	}
}
