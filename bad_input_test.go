package pawl_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/roomkeyfile"
)

// badInput is something that others send, what is said of it, and of which kinds there
// are other records then: nothing else has changed, byte for byte.
type badInput struct {
	call    func(ctx context.Context, w *clientWard) error
	want    error  // nil: it is passed over
	changes string // kinds
}

// syncs is a sync whose response is this, whatever it is.
func syncs(response string, want error) badInput {
	return badInput{func(ctx context.Context, w *clientWard) error {
		ticket := w.phone.nextSync()
		got, err := w.phone.ReceiveSync(ctx, ticket, []byte(response))
		if got.Advanced || len(got.Events)+len(got.Refused)+len(got.RoomKeys) > 0 {
			w.t.Errorf("something was taken: %+v", got)
		}
		return err
	}, want, ""}
}

// comes is an event that is not taken, between two that are.
func comes(event func(w *clientWard) object, want error, changes string) badInput {
	return badInput{func(ctx context.Context, w *clientWard) error {
		plain := object{"type": "m.plain", "sender": w.bob.id.UserID, "content": object{}}
		ticket := w.phone.nextSync()
		got, err := w.phone.ReceiveSync(ctx, ticket, syncOf(w.t, "next", nil, plain, event(w), plain))
		if err != nil || !got.Advanced || len(got.Events) != 2 || len(got.Refused) != 1 || got.Refused[0].Index != 1 || got.Refused[0].Kept {
			w.t.Errorf("%+v, %v", got, err)
			return err
		}
		return got.Refused[0].Err
	}, want, changes}
}

// answered hands in an answer to a request of the ward.
func answered(which string, response func(w *clientWard) []byte, want error, changes string) badInput {
	return badInput{func(ctx context.Context, w *clientWard) error {
		return w.phone.MarkSent(ctx, w.requests[which].ID, response(w))
	}, want, changes}
}

func bodyOf(v any) []byte {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return raw
}

// badClaims answers the claim with something for each device that it asks for.
func badClaims(change func(w *clientWard, key object) (id string, _ object)) func(w *clientWard) []byte {
	return func(w *clientWard) []byte {
		var asked struct {
			Keys map[string]map[string]string `json:"one_time_keys"`
		}
		w.must(json.Unmarshal(w.requests["keys/claim"].Body, &asked))
		all := object{}
		for user, devices := range asked.Keys {
			of := object{}
			for device := range devices {
				var whole map[string]object
				w.must(json.Unmarshal(w.bob.signedKey(), &whole))
				for _, key := range whole {
					id, key := change(w, key)
					of[device] = object{id: key}
				}
			}
			all[user] = of
		}
		return bodyOf(object{"one_time_keys": all})
	}
}

// imports imports a room key file that was changed.
func imports(passphrase string, change func([]byte) []byte, want error) badInput {
	return badInput{func(ctx context.Context, w *clientWard) error {
		var file bytes.Buffer
		w.bob.exportTo(&file)
		r, err := roomkeyfile.NewReader(bytes.NewReader(change(file.Bytes())))
		if err == nil {
			err = r.Unlock(ctx, []byte(passphrase))
		}
		if err == nil {
			_, err = w.phone.ImportRoomKeysFrom(ctx, r.Keys(), pawl.RoomKeyImport{})
		}
		return err
	}, want, ""}
}

// ofRounds says another number of rounds in a room key file.
func ofRounds(n uint32) func([]byte) []byte {
	return func(file []byte) []byte {
		lines := strings.Split(strings.TrimSpace(string(file)), "\n")
		raw, err := base64.StdEncoding.DecodeString(strings.Join(lines[1:len(lines)-1], ""))
		if err != nil {
			panic(err)
		}
		binary.BigEndian.PutUint32(raw[33:], n)
		return []byte(lines[0] + "\n" + base64.StdEncoding.EncodeToString(raw) + "\n" + lines[len(lines)-1] + "\n")
	}
}

// badInputs are those that the whole client is given, by what is wrong.
func badInputs() map[string]badInput {
	const refused, read = "refused refused-list sync", "receipt refused refused-list session sync"
	key := func(change func(w *clientWard, content object)) func(w *clientWard) object {
		return func(w *clientWard) object {
			content := roomKeyOf(w.t, newRoomSender(w.t))
			change(w, content)
			return w.bob.letter(w.phone, "m.room_key", content)
		}
	}
	letter := func(change func(content object)) func(w *clientWard) object {
		return func(w *clientWard) object {
			l := w.bob.letter(w.phone, "m.custom", object{})
			change(l["content"].(object))
			return l
		}
	}
	whole := func(file []byte) []byte { return file }
	all := map[string]badInput{
		"an event above 1 MiB": comes(func(w *clientWard) object {
			return object{"type": "m.x", "sender": w.bob.id.UserID, "content": object{"n": strings.Repeat("x", 1<<20)}}
		}, pawl.ErrEventSize, refused),
		"ciphertext not for us": comes(letter(func(c object) {
			c["ciphertext"] = object{strings.Repeat("A", 43): object{"type": 0, "body": "AAAA"}}
		}), pawl.ErrNotForUs, refused),
		"sender_key in the wrong base64": comes(letter(func(c object) {
			c["sender_key"] = strings.Repeat("-", 43)
		}), ratchet.ErrMalformed, refused),
		"a room key with a wrong session id": comes(key(func(w *clientWard, c object) {
			c["session_id"] = newRoomSender(w.t).ID().String()
		}), pawl.ErrSessionID, read),
		"a room key of another room's session": comes(func(w *clientWard) object {
			content := roomKeyOf(w.t, w.ofBob)
			content["room_id"] = "!other:example.org"
			return w.bob.letter(w.phone, "m.room_key", content)
		}, pawl.ErrOtherRoom, read),
		"a claim's answer with a bad signature": answered("keys/claim", badClaims(func(_ *clientWard, k object) (string, object) {
			return "signed_curve25519:AAAAAA", k // Bob's, for all of them
		}), nil, "reach request request-body"),
		"a claim's answer of another algorithm": answered("keys/claim", badClaims(func(_ *clientWard, k object) (string, object) {
			return "curve25519:AAAAAA", k
		}), nil, "reach request request-body"),
		"a claim's answer of an all-zero key": answered("keys/claim", badClaims(func(_ *clientWard, k object) (string, object) {
			k["key"] = base64.RawStdEncoding.EncodeToString(make([]byte, 32))
			return "signed_curve25519:AAAAAA", k
		}), nil, "reach request request-body"),
		"a claim's answer for a device never asked": answered("keys/claim", func(w *clientWard) []byte {
			return bodyOf(object{"one_time_keys": object{"@eve:example.org": object{"EVIL": w.bob.signedKey()}}})
		}, nil, "reach request request-body"),
		"a query's answer for somebody else": answered("keys/query", func(w *clientWard) []byte {
			return bodyOf(object{"device_keys": object{"@eve:example.org": object{"EVIL": w.bob.deviceKeys()}}})
		}, pawl.ErrAnswer, ""),
		"a query's answer to a claim":   answered("keys/claim", func(*clientWard) []byte { return bodyOf(object{"device_keys": object{}}) }, pawl.ErrAnswer, ""),
		"a claim's answer to a query":   answered("keys/query", func(*clientWard) []byte { return bodyOf(object{"one_time_keys": object{}}) }, pawl.ErrAnswer, ""),
		"a query's answer to a message": answered("sendToDevice m.room_key_request", func(*clientWard) []byte { return bodyOf(object{"device_keys": object{}}) }, pawl.ErrAnswer, ""),
		"an answer to no request":       answered("nothing", func(*clientWard) []byte { return []byte("{}") }, pawl.ErrNoRequest, ""),
		"an answer that is not JSON":    answered("keys/query", func(*clientWard) []byte { return []byte("<html>") }, pawl.ErrAnswer, ""),
		"a key file that is cut off":    imports("correct horse", func(f []byte) []byte { return f[:len(f)-40] }, roomkeyfile.ErrCut),
		"a key file's wrong passphrase": imports("battery", whole, roomkeyfile.ErrPassphrase),
		"a key file of 0 rounds":        imports("correct horse", ofRounds(0), roomkeyfile.ErrRounds),
		"a key file of 2^32-1 rounds":   imports("correct horse", ofRounds(math.MaxUint32), roomkeyfile.ErrRounds),
		"an unknown type is no bad event": {func(ctx context.Context, w *clientWard) error {
			ticket := w.phone.nextSync()
			got, err := w.phone.ReceiveSync(ctx, ticket, syncOf(w.t, "next", nil, object{"type": "m.unheard_of", "sender": w.bob.id.UserID, "content": object{}}))
			if len(got.Events) != 1 || got.Events[0].Type != "m.unheard_of" || len(got.Refused) > 0 {
				w.t.Errorf("%+v", got)
			}
			return err
		}, nil, "sync"},
		"an answer to a request that is done": {func(ctx context.Context, w *clientWard) error {
			r := w.requests["sendToDevice m.room_key_request"]
			w.must(w.phone.MarkSent(ctx, r.ID, []byte("{}")))
			before := dump(w.t, w.phone.kv)
			err := w.phone.MarkSent(ctx, r.ID, []byte("{}"))
			if !maps.Equal(before, dump(w.t, w.phone.kv)) {
				w.t.Error("the second answer changes something")
			}
			return err
		}, pawl.ErrNoRequest, "request request-body"},
		"a room key below the floor": {func(ctx context.Context, w *clientWard) error {
			// What was forgotten has to be before: it is not of the input.
			ticket := w.phone.nextSync()
			got, err := w.phone.ReceiveSync(ctx, ticket, syncOf(w.t, "next", nil, w.bob.letter(w.phone, "m.room_key", roomKeyOf(w.t, w.ofBob))))
			if err != nil || len(got.Refused) != 1 {
				w.t.Errorf("%+v, %v", got, err)
				return err
			}
			if _, err := w.phone.DecryptRoomEvent(ctx, w.next); !errors.Is(err, group.ErrForgotten) && !errors.Is(err, group.ErrNoKey) {
				w.t.Errorf("what was forgotten: %v", err)
			}
			return got.Refused[0].Err
		}, group.ErrForgotten, read},
	}
	for _, response := range []string{
		``, `{`, `<html>`, `[]`, `null`, `7`, `{}`, `{"next_batch":7}`, `{"next_batch":""}`,
	} {
		all["a response that is "+response] = syncs(response, pawl.ErrResponse)
	}
	for _, part := range []string{
		`"to_device":[]`, `"to_device":{"events":{}}`, `"device_lists":"x"`, `"device_lists":{"changed":"x"}`, `"device_lists":{"left":[7]}`,
		`"rooms":[]`, `"rooms":{"join":[]}`, `"rooms":{"join":{"!a:b":7}}`, `"rooms":{"join":{"!a:b":{"timeline":[]}}}`, `"rooms":{"join":{"!a:b":{"state_after":7}}}`,
		`"rooms":{"invite":7}`, `"device_one_time_keys_count":[]`, `"device_one_time_keys_count":{"signed_curve25519":"x"}`, `"device_unused_fallback_key_types":{}`,
	} {
		all["a response with "+part] = syncs(`{"next_batch":"next",`+part+`}`, pawl.ErrResponse)
	}
	return all
}

// TestBadInput: whatever others send, of all that section 9 of the issue of clients names,
// is one error, of the call or of the event, and changes no record but those that say so;
// what comes after it is taken as if nothing had come.
func TestBadInput(t *testing.T) {
	w := newClientWard(t)
	forgotten := w.open(t)
	if _, err := forgotten.phone.ForgetRoomKeys(t.Context(), pawl.Forgetting{Session: w.ofBob.ID()}); err != nil {
		t.Fatal(err)
	}
	forgotten.whole = back(t, forgotten.phone.kv)
	for name, c := range badInputs() {
		t.Run(name, func(t *testing.T) {
			of := w
			if name == "a room key below the floor" {
				of = forgotten
			}
			client := of.open(t)
			before := dump(t, client.phone.kv)
			if err := c.call(t.Context(), client); !errors.Is(err, c.want) || (c.want == nil) != (err == nil) {
				t.Errorf("%v, want %v", err, c.want)
			}
			if got := changedKinds(before, dump(t, client.phone.kv)); got != c.changes {
				t.Errorf("records of these kinds changed: %q, want %q", got, c.changes)
			}
			if client.phone.intact(); name == "a room key below the floor" {
				return
			}
			// Nothing is lost: what else comes is taken in.
			for _, say := range []string{"sync", "transaction"} {
				if got, want := clientCalls[say](t.Context(), client), clientCalls[say](t.Context(), of.open(t)); got != want {
					t.Errorf("then %s says %s, want %s", say, got, want)
				}
			}
		})
	}
}

// changedKinds are the kinds of the records that came, went or changed.
func changedKinds(before, after map[string]string) string {
	kinds := map[string]bool{}
	for key := range maps.Keys(before) {
		if after[key] != before[key] {
			kinds[strings.Split(key, "/")[1]] = true
		}
	}
	for key := range after {
		if _, was := before[key]; !was {
			kinds[strings.Split(key, "/")[1]] = true
		}
	}
	return strings.Join(slices.Sorted(maps.Keys(kinds)), " ")
}

// TestRotationSettings: whatever a caller or the state of a room says of rotation is
// within 1 to 10,000 messages and an hour to a year.
func TestRotationSettings(t *testing.T) {
	const hour, year = time.Hour, 365 * 24 * time.Hour
	for _, c := range []struct {
		messages, age string // of the state
		asked         pawl.RoomSettings
		want          group.Settings
	}{
		{"", "", pawl.RoomSettings{}, group.Settings{Messages: 100, Age: 7 * 24 * hour}},
		{"0", "0", pawl.RoomSettings{}, group.Settings{Messages: 1, Age: hour}},
		{"-1", "-1", pawl.RoomSettings{}, group.Settings{Messages: 1, Age: hour}},
		{"1e999", "1e999", pawl.RoomSettings{}, group.Settings{Messages: 10_000, Age: year}},
		{"-1e999", "-1e999", pawl.RoomSettings{}, group.Settings{Messages: 1, Age: hour}},
		{"9223372036854775808", "9223372036854775808", pawl.RoomSettings{}, group.Settings{Messages: 10_000, Age: year}},
		{"", "", pawl.RoomSettings{Messages: -1, Age: -1}, group.Settings{Messages: 1, Age: hour}},
		{"", "", pawl.RoomSettings{Messages: math.MaxInt32, Age: math.MaxInt64}, group.Settings{Messages: 10_000, Age: year}},
	} {
		alice := newDevice(t, newMemory(), "@alice:example.org")
		content := object{"algorithm": "m.megolm.v1.aes-sha2"}
		if c.messages != "" {
			content["rotation_period_msgs"], content["rotation_period_ms"] = json.RawMessage(c.messages), json.RawMessage(c.age)
		}
		alice.synced(happens(object{"type": "m.room.encryption", "state_key": "", "sender": alice.id.UserID, "content": content}))
		if _, err := alice.ShareRoomKey(t.Context(), testRoom, []matrix.UserID{alice.id.UserID}, c.asked); err != nil {
			t.Fatal(err)
		}
		info, err := alice.Room(t.Context(), testRoom)
		if err != nil || info.Settings.Messages != c.want.Messages || info.Settings.Age != c.want.Age {
			t.Errorf("%s: %+v, %v; want %+v", fmt.Sprint(c), info.Settings, err, c.want)
		}
	}
}
