package calls

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/memkv"
)

func library() *Library {
	return New(slog.New(slog.DiscardHandler), map[string]Engine{
		"memory": func(context.Context, string, *slog.Logger) (kv.Store, error) { return memkv.New(), nil },
	})
}

// result is a result or an error as a program sees it.
type result map[string]any

func parsed(t *testing.T, b []byte) result {
	t.Helper()
	var r result
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	if err := d.Decode(&r); err != nil {
		t.Fatalf("%s: %v", b, err)
	}
	if r["v"] != json.Number("1") {
		t.Fatalf("%s is not of version 1", b)
	}
	return r
}

func (r result) handle(t *testing.T, name string) Handle {
	t.Helper()
	n, err := r[name].(json.Number).Int64()
	if err != nil {
		t.Fatal(err)
	}
	return Handle(n)
}

// kit makes calls and expects them to succeed.
type kit struct {
	t *testing.T
	*Library
}

func (k kit) must(on Handle, name, params, body string) result {
	k.t.Helper()
	b, err := k.Call(k.t.Context(), on, name, []byte(params), []byte(body))
	if err != nil {
		k.t.Fatalf("%s: %v", name, err)
	}
	return parsed(k.t, b)
}

func (k kit) fails(want pawl.Code, on Handle, name, params, body string) error {
	k.t.Helper()
	b, err := k.Call(k.t.Context(), on, name, []byte(params), []byte(body))
	if got := CodeOf(err); got != want {
		k.t.Fatalf("%s %.80s: %s, %v (code %q), want %q", name, params, b, err, got, want)
	}
	return err
}

func (k kit) store() Handle {
	k.t.Helper()
	b, err := k.Open(k.t.Context(), []byte(`{"v":1,"engine":"memory","secret":"key"}`), make([]byte, 32))
	if err != nil {
		k.t.Fatal(err)
	}
	return parsed(k.t, b).handle(k.t, "store")
}

func (k kit) machine(store Handle, user string) Handle {
	k.t.Helper()
	return k.must(store, "open_or_create", fmt.Sprintf(`{"v":1,"user":%q,"device":"PHONE"}`, user), "").handle(k.t, "machine")
}

func newKit(t *testing.T) kit { return kit{t, library()} }

// TestOlm: two devices write to each other, and all that goes between them is what
// programs of other languages see.
func TestOlm(t *testing.T) {
	k := newKit(t)
	store := k.store()
	alice, bob := k.machine(store, "@alice:example.org"), k.machine(store, "@bob:example.org")
	upload := k.must(bob, "keys_for_upload", `{"v":1,"count":1}`, "")
	var body struct {
		OneTimeKeys map[string]struct{ Key string } `json:"one_time_keys"`
	}
	if err := json.Unmarshal([]byte(upload["body"].(string)), &body); err != nil {
		t.Fatal(err)
	}
	var key string
	for _, k := range body.OneTimeKeys {
		key = k.Key
	}
	ids, _ := json.Marshal(upload["one_time_keys"])
	k.must(bob, "mark_published", fmt.Sprintf(`{"v":1,"one_time_keys":%s,"fallback":%q}`, ids, upload["fallback"]), "")
	a, b := k.must(alice, "identity", "", ""), k.must(bob, "identity", "", "")

	said := k.must(alice, "encrypt", fmt.Sprintf(`{"v":1,"peer":%q,"one_time_key":%q}`, b["curve25519"], key), "hello\x00\xff")
	message, _ := json.Marshal(said["message"])
	params := fmt.Sprintf(`{"v":1,"sender":%q,"message":%s}`, a["curve25519"], message)
	read := k.must(bob, "decrypt", params, "")
	if read["plaintext"] != "aGVsbG8A/w" || read["duplicate"] != false {
		t.Errorf("Bob reads %v", read)
	}
	if again := k.must(bob, "decrypt", params, ""); again["duplicate"] != true {
		t.Errorf("Bob reads it again: %v", again)
	}
	receipt := fmt.Sprintf(`{"v":1,"receipts":[%q]}`, read["receipt"])
	if n := k.must(bob, "acknowledge_known", receipt, "")["known"]; n != json.Number("1") {
		t.Errorf("%v receipts are known", n)
	}
	k.fails("already_processed", bob, "decrypt", params, "")
	batch := k.must(bob, "decrypt_batch", fmt.Sprintf(`{"v":1,"messages":[{"sender":%q,"message":%s}]}`, a["curve25519"], message), "")
	err := batch["results"].([]any)[0].(map[string]any)["err"].(map[string]any)
	if err["code"] != "already_processed" || err["remedy"] != "none" || err["number"] == json.Number("0") {
		t.Errorf("in a batch: %v", err)
	}
}

// TestRoom: a key is shared, an event is written and read, keys go out and in.
func TestRoom(t *testing.T) {
	k := newKit(t)
	alice := k.machine(k.store(), "@alice:example.org")
	err := k.fails("not_shared", alice, "encrypt_room_event", `{"v":1,"room":"!r:example.org","type":"m.room.message"}`, `{}`)
	if f := parsed(t, Failure(err)); f["code"] != "not_shared" || f["remedy"] != "call" {
		t.Errorf("the error is %v", f)
	}
	answered := 0
	for done := false; !done; {
		sharing := k.must(alice, "share_room_key", `{"v":1,"room":"!r:example.org","members":["@alice:example.org"],"age":3600000}`, "")
		done = sharing["done"].(bool)
		for _, r := range sharing["requests"].([]any) {
			r := r.(map[string]any)
			if r["kind"] != "keys_query" || r["path"] != "/_matrix/client/v3/keys/query" || !json.Valid([]byte(r["body"].(string))) {
				t.Errorf("it is to be sent: %v", r)
			}
			k.must(alice, "mark_sent", fmt.Sprintf(`{"v":1,"request":%q}`, r["id"]), `{"device_keys":{"@alice:example.org":{}}}`)
			answered++
		}
	}
	if answered != 1 {
		t.Errorf("%d requests were answered", answered)
	}
	event := k.must(alice, "encrypt_room_event", `{"v":1,"room":"!r:example.org","type":"m.room.message"}`, `{"body":"hi"}`)
	params := `{"v":1,"room":"!r:example.org","id":"$1","sender":"@alice:example.org"}`
	read := k.must(alice, "decrypt_room_event", params, event["content"].(string))
	if read["type"] != "m.room.message" || read["content"] != `{"body":"hi"}` || read["state_key"] != nil || read["provenance"] != "direct" {
		t.Errorf("it is read as %v", read)
	}
	k.fails("replay", alice, "decrypt_room_event", strings.Replace(params, "$1", "$2", 1), event["content"].(string))

	file := k.must(alice, "export_room_key_file", `{"v":1,"passphrase":"secret"}`, "")
	other := k.machine(k.store(), "@alice:example.org")
	k.fails("no_room_key", other, "decrypt_room_event", params, event["content"].(string))
	k.fails("passphrase", other, "import_room_key_file", `{"v":1,"passphrase":"Secret"}`, file["file"].(string))
	if n := k.must(other, "import_room_key_file", `{"v":1,"passphrase":"secret"}`, file["file"].(string))["new"]; n != json.Number("1") {
		t.Errorf("%v keys are new", n)
	}
	if read := k.must(other, "decrypt_room_event", params, event["content"].(string)); read["provenance"] != "file" {
		t.Errorf("with the key of the file it is read as %v", read)
	}
}

// TestStreams: an item that somebody gave up on is the next one's, and closing ends.
func TestStreams(t *testing.T) {
	k := newKit(t)
	store := k.store()
	alice := k.machine(store, "@alice:example.org")
	begin := func(name string) Handle {
		b, err := k.Stream(alice, name, nil)
		if err != nil {
			t.Fatal(err)
		}
		return parsed(t, b).handle(t, "stream")
	}
	keys := begin("export_room_keys")
	for range 2 {
		if _, err := k.Next(t.Context(), keys); !errors.Is(err, ErrEnd) {
			t.Errorf("without keys: %v", err)
		}
	}
	events := begin("events")
	first, err := k.Next(t.Context(), events)
	if err != nil || parsed(t, first)["kind"] != "resync" {
		t.Fatalf("the first event is %s, %v", first, err)
	}
	late, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, err := k.Next(late, events); CodeOf(err) != "deadline" {
		t.Errorf("with nothing to tell: %v", err)
	}
	if err := k.Close(store); err != nil {
		t.Fatal(err)
	}
	for _, n := range []Handle{store, alice, keys, events} {
		if err := k.Close(n); !errors.Is(err, ErrHandle) {
			t.Errorf("closing %d after its store: %v", n, err)
		}
	}
}

// TestOpenedWhileClosed: what a call opens while another closes its store is closed.
func TestOpenedWhileClosed(t *testing.T) {
	k := newKit(t)
	store := k.store()
	of, err := find[*opened](k.open, store)
	if err != nil {
		t.Fatal(err)
	}
	if err := k.Close(store); err != nil {
		t.Fatal(err)
	}
	late, err := k.hold(of, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	k.fails("handle", late.Machine, "identity", "", "")
	if len(k.open.open) != 0 {
		t.Errorf("%d handles are open", len(k.open.open))
	}
}

// TestCalledWrongly: whatever is wrong, the error says what, and nothing that was given.
func TestCalledWrongly(t *testing.T) {
	k := newKit(t)
	store := k.store()
	alice := k.machine(store, "@alice:example.org")
	token := k.Token()
	for _, c := range []struct {
		code             pawl.Code
		on               Handle
		call, params, in string
		says             string
	}{
		{"handle", 0, "check", "", "", "handle"},
		{"handle", 1 << 60, "check", "", "", "handle"},
		{"handle", token, "check", "", "", "handle"},
		{"no_call", store, "check", "", "", "on a store"},
		{"no_call", alice, "repair", "", "", "on a machine"},
		{"params", alice, "check", "secret", "", "an object of JSON"},
		{"params", alice, "check", "[]", "", "an object of JSON"},
		{"params", alice, "check", "null", "", "an object of JSON"},
		{"params", alice, "check", "{}", "", `v is missing: say "v": 1`},
		{"params", alice, "check", `{"v":2}`, "", "v is not 1"},
		{"params", alice, "check", `{"v":"1"}`, "", "v is not 1"},
		{"params", alice, "check", `{"v":1,"more":2}`, "", `no member "more"`},
		{"params", alice, "check", "{\"v\":1,\"\xff\":2}", "", "UTF-8"},
		{"params", alice, "check", "", "secret", "takes none"},
		{"params", alice, "encrypt", `{"v":1,"peer":"secret"}`, "", "peer must be a Curve25519 key"},
		{"params", alice, "encrypt", `{"v":1,"peer":17}`, "", "peer must be a string"},
		{"params", alice, "encrypt", `{"v":1,"peer":"\ud800"}`, "", "peer has half of a pair of surrogates"},
		{"params", alice, "decrypt", `{"v":1,"message":"secret"}`, "", "message must be an object"},
		{"params", alice, "decrypt", `{"v":1,"message":{"type":"secret"}}`, "", "message.type must be a whole number"},
		{"params", alice, "decrypt", `{"v":1,"message":{"body":"secret!"}}`, "", "message.body must be base64"},
		{"params", alice, "acknowledge", `{"v":1,"receipts":["00","secret"]}`, "", "receipts[0] must be the id of a receipt"},
		{"params", alice, "acknowledge", `{"v":1,"receipts":"secret"}`, "", "receipts must be an array"},
		{"params", alice, "sweep", `{"v":1,"now":1.5}`, "", "now must be a whole number"},
		{"params", alice, "share_room_key", `{"v":1,"age":-1}`, "", "age is no time"},
		{"params", alice, "share_room_key", `{"v":1,"strategy":"secret"}`, "", "strategy must be one of"},
		{"params", alice, "mark_failed", `{"v":1,"why":"secret"}`, "", "why must be"},
		{"params", alice, "receive_sync", `{"v":1,"ticket":7}`, "{}", "ticket is not one of the newest"},
		{"params", alice, "store_token", `{"v":1,"held":1}`, "", "held is not one of the newest"},
		{"params", alice, "receive_sync", `{"v":1,"hold_token":1}`, "{}", "must be true or false"},
		{"params", alice, "encrypt_room_event", `{"v":1}`, "secret", "not JSON"},
		{"params", store, "change_key", "", "secret", "32 bytes"},
		{"room_id", alice, "room", `{"v":1}`, "", "room id"},
		{"no_session", alice, "encrypt", `{"v":1,"peer":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE"}`, "secret", "session"},
		{"no_account", store, "machine", `{"v":1,"user":"@nobody:example.org","device":"PHONE"}`, "", "account"},
		{"json", alice, "sign", "", "secret", "canonicaljson"},
		{"malformed", alice, "import_room_keys", `{"v":1,"keys":[{"session_key":"AXNlY3JldA"}]}`, "", "malformed"},
		{"version", alice, "import_room_keys", `{"v":1,"keys":[{"session_key":"c2VjcmV0"}]}`, "", "version"},
	} {
		err := k.fails(c.code, c.on, c.call, c.params, c.in)
		if !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s %s: %v, want %q and nothing that was given", c.call, c.params, err, c.says)
		}
	}
	for params, says := range map[string]string{
		``:                        "engine is none",
		`{"v":1,"engine":"none"}`: "engine is none",
		`{"v":1,"engine":"memory","secret":"none"}`: `secret must be "key" or "passphrase"`,
		`{"v":1,"engine":"memory","secret":"key"}`:  "32 bytes",
	} {
		if _, err := k.Open(t.Context(), []byte(params), []byte("secret")); CodeOf(err) != "params" || !strings.Contains(err.Error(), says) {
			t.Errorf("open %s: %v, want %q", params, err, says)
		}
	}
}

// TestWithin: a deadline and a token end calls, and are told apart.
func TestWithin(t *testing.T) {
	k := newKit(t)
	alice := k.machine(k.store(), "@alice:example.org")
	wait := `{"v":1,"room":"!r:example.org","session":"` + strings.Repeat("A", 43) + `"}`
	token := k.Token()
	ends := func(milliseconds int64, want pawl.Code) {
		t.Helper()
		ctx, end, err := k.Within(milliseconds, token)
		if err != nil {
			t.Fatal(err)
		}
		defer end()
		if want == "canceled" {
			if err := k.Cancel(token); err != nil {
				t.Error(err)
			}
		}
		if _, err := k.Call(ctx, alice, "wait_for_room_key", []byte(wait), nil); CodeOf(err) != want {
			t.Errorf("waiting ends with %v, want %s", err, want)
		}
	}
	ends(1, "deadline")
	ends(0, "deadline")
	ends(-1, "canceled")
	ends(1<<62, "canceled") // a token stays canceled
	if _, _, err := k.Within(-1, alice); !errors.Is(err, ErrHandle) {
		t.Errorf("a machine as a token: %v", err)
	}
	if err := k.Cancel(alice); !errors.Is(err, ErrHandle) {
		t.Errorf("a machine as a token to cancel: %v", err)
	}
}

// TestExtraIsCompared: a record is changed only from what the program knows it to be.
func TestExtraIsCompared(t *testing.T) {
	k := newKit(t)
	alice := k.machine(k.store(), "@alice:example.org")
	for i, step := range []struct {
		params  string
		changed bool
		value   any
	}{
		{`"new":"b25l"`, true, "b25l"},
		{`"new":"dHdv"`, false, "b25l"},
		{`"old":"b25l","new":"dHdv"`, true, "dHdv"},
		{`"old":"b25l","new":null`, false, "dHdv"},
		{`"old":"dHdv","new":null`, true, nil},
	} {
		r := k.must(alice, "change_extra", `{"v":1,"space":"s","name":"n",`+step.params+`}`, "")
		is := k.must(alice, "extra", `{"v":1,"space":"s","name":"n"}`, "")["value"]
		if r["changed"] != step.changed || r["value"] != step.value || is != step.value {
			t.Errorf("step %d: %v, and it is %v", i, r, is)
		}
	}
}

// failing panics with a key among what it was given.
//
//go:noinline
func failing(key [4]uint64) { panic(fmt.Sprint("a secret", key[0])) }

// TestPanicIsAnError: and neither what it was about is told, nor what functions were
// given.
func TestPanicIsAnError(t *testing.T) {
	var log bytes.Buffer
	l := New(slog.New(slog.NewTextHandler(&log, nil)), map[string]Engine{
		"panics": func(context.Context, string, *slog.Logger) (kv.Store, error) {
			failing([4]uint64{0x5ec2e7, 0x5ec2e7, 0x5ec2e7, 0x5ec2e7})
			return nil, nil
		},
	})
	_, err := l.Open(t.Context(), []byte(`{"v":1,"engine":"panics","secret":"key"}`), make([]byte, 32))
	if !errors.Is(err, ErrFailed) || CodeOf(err) != "failed" {
		t.Errorf("it ends with %v", err)
	}
	says := log.String()
	if strings.Contains(says, "a secret") || strings.Contains(says, "5ec2e7") || !strings.Contains(says, "calls_test.go") {
		t.Errorf("the log says %s", &log)
	}
}

// TestPartIsTold: what was done before an error is beside it.
func TestPartIsTold(t *testing.T) {
	_, err := partly(knownResult{3}, kv.ErrUnavailable)
	f := parsed(t, Failure(err))
	if f["code"] != "unavailable" || f["result"].(map[string]any)["known"] != json.Number("3") {
		t.Errorf("it is told as %v", f)
	}
}

// TestHalfSurrogates: what no text has is refused, and what looks like it is not.
func TestHalfSurrogates(t *testing.T) {
	for raw, want := range map[string]bool{
		`"\ud83d\ude00"`: false, `"\uD83D\uDE00x"`: false, `"\\ud800"`: false, `"\u00e9\n"`: false, `"\ufffd"`: false, `""`: false,
		`"\ud800"`: true, `"\udc00"`: true, `"\udc00\ud800"`: true, `"\ud800\ud800\udc00"`: true, `"\\\ud800"`: true, `"x\ud800\n"`: true,
	} {
		if got := halved([]byte(raw)); got != want {
			t.Errorf("halved(%s) = %v", raw, got)
		}
	}
}

// TestPolled: an item that is there is had by who does not wait for one, and so is the end.
func TestPolled(t *testing.T) {
	late, cancel := context.WithCancel(t.Context())
	cancel()
	s := &stream{items: make(chan []byte, 100), over: make(chan struct{}), err: ErrEnd}
	for range 100 {
		s.items <- []byte("item")
	}
	for i := range 100 {
		if item, err := s.next(late); string(item) != "item" || err != nil {
			t.Fatalf("item %d: %q, %v", i, item, err)
		}
	}
	if _, err := s.next(late); !errors.Is(err, context.Canceled) {
		t.Errorf("no item: %v", err)
	}
	close(s.over)
	for range 100 {
		if _, err := s.next(late); !errors.Is(err, ErrEnd) {
			t.Fatalf("the end: %v", err)
		}
	}
}
