package rooms_test

import (
	"encoding/json"
	"errors"
	"fmt"
	gosync "sync"
	"testing"

	"github.com/pawlkv/pawl/internal/machine/roomkeys"
	"github.com/pawlkv/pawl/internal/machine/rooms"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/matrix"
)

// TestEncryptWrites: a message to ten thousand devices writes one record of less than a
// kilobyte, and checks four.
func TestEncryptWrites(t *testing.T) {
	n := 10_000
	if testing.Short() || raceEnabled {
		n = 260
	}
	w := crowd(t, n).world
	w.handle().shareAll(bob)
	var last kv.Batch
	h := w.watched(func(b *kv.Batch) { last = *b })
	h.mustEncrypt("text")
	size := 0
	for _, write := range last.Writes {
		size += len(write.Key) + len(write.Value)
	}
	if len(last.Writes) != 1 || size > 1<<10 || len(last.Reads)+len(last.Scans) > 4 {
		t.Errorf("%d writes of %d bytes, %d checks", len(last.Writes), size, len(last.Reads)+len(last.Scans))
	}
}

// TestIndexOnce: however many handles encrypt, each index is used once.
func TestIndexOnce(t *testing.T) {
	w := newWorld(t)
	w.add(bob, "B1")
	defer func(s rooms.Settings) { settings = s }(settings)
	w.handle().shareAll(bob)
	const each = 10
	used := make([][]sentEvent, 8)
	var done gosync.WaitGroup
	for i := range used {
		h := w.handle()
		done.Go(func() {
			for range each {
				e, err := h.encrypt("text")
				if err != nil {
					t.Error(err)
					return
				}
				used[i] = append(used[i], e)
			}
		})
	}
	done.Wait()
	seen := map[uint32]bool{}
	for _, events := range used {
		for _, e := range events {
			if seen[e.message.Index] {
				t.Errorf("index %d was used twice", e.message.Index)
			}
			seen[e.message.Index] = true
		}
	}
	if len(seen) != each*len(used) {
		t.Errorf("%d indices of %d messages", len(seen), each*len(used))
	}
}

// TestContent: what stays outside, and what is no content.
func TestContent(t *testing.T) {
	w := newWorld(t)
	b := w.add(bob, "B1")
	h := w.handle()
	h.shareAll(bob)
	raw, err := h.rooms.Encrypt(t.Context(), room, "m.room.message", []byte(`{"body":"hi <b>","n":12345678901234567890,"m.relates_to":{"event_id":"$a"}}`), rooms.Form{})
	must(t, err)
	var outer map[string]any
	must(t, json.Unmarshal(raw, &outer))
	if fmt.Sprint(outer["m.relates_to"]) != "map[event_id:$a]" || outer["algorithm"] != "m.megolm.v1.aes-sha2" ||
		outer["device_id"] != "PHONE" || outer["sender_key"] != w.own.Identity().String() {
		t.Errorf("the event is %s", raw)
	}
	e := h.parse(raw)
	text, err := b.keys[e.session].Decrypt(e.message)
	var inner struct {
		Type    string
		Room    matrix.RoomID `json:"room_id"`
		Content map[string]json.RawMessage
	}
	must(t, err)
	must(t, json.Unmarshal(text, &inner))
	if inner.Type != "m.room.message" || inner.Room != room || string(inner.Content["n"]) != "12345678901234567890" || len(inner.Content) != 2 {
		t.Errorf("the payload is %s", text)
	}
	for _, content := range []string{"", "null", "7", "[]", `"a"`, "{", "{} {}"} {
		if _, err := h.rooms.Encrypt(t.Context(), room, "m.room.message", []byte(content), rooms.Form{}); !errors.Is(err, roomkeys.ErrContent) {
			t.Errorf("%q: %v", content, err)
		}
	}
	if _, err := h.rooms.Encrypt(t.Context(), room, "", []byte("{}"), rooms.Form{}); !errors.Is(err, roomkeys.ErrContent) {
		t.Errorf("no type: %v", err)
	}
}
