package roomkeys_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/machine/roomkeys"
	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/matrix"
)

// made is a message of a session, and whether it was read already.
type made struct {
	event roomkeys.Event
	by    group.Provenance // of the best copy that has read it, 0: none has
}

// TestForgedCopies: whatever is made up between honest copies, a message that was read
// once is read ever after, and no worse copy takes the place of the one that read it.
func TestForgedCopies(t *testing.T) {
	s := newSender(t, bob)
	whole := s.session.Key()
	share := s.roomKey(room)
	var messages []roomkeys.Event
	for i := range 600 {
		e := s.encrypt(room, matrix.EventID(fmt.Sprintf("$%d", i)), text(room, "text"))
		if i%50 == 5 || i == 255 || i == 256 || i == 511 || i == 512 {
			messages = append(messages, e)
		}
	}
	rapid.Check(t, func(r *rapid.T) {
		h := newHome(t, memkv.New())
		processes := []*home{h, h.beside()}
		all := make([]made, len(messages))
		for i := range all {
			all[i].event = messages[i]
		}
		for i := range rapid.IntRange(1, 8).Draw(r, "steps") {
			process := processes[rapid.IntRange(0, 1).Draw(r, "process")]
			key := exported(t, whole, rapid.Uint32Range(0, 599).Draw(r, "index"))
			p := group.Provenance(rapid.IntRange(1, 3).Draw(r, "provenance"))
			source := group.Source{Provenance: p, Sender: s.curve, Claimed: s.ed}
			switch rapid.IntRange(0, 3).Draw(r, "what") {
			case 0: // of another ratchet, from the beginning to the end
				key = madeUp(t, key, 4)
			case 1: // that leads to the true one at the next multiple of 256
				key = madeUp(t, key, 4+3*32)
			case 2:
				if rapid.Bool().Draw(r, "from the sender") {
					must(t, second(process.receive(s.from(true), roomkeys.RoomKey, share)))
					continue
				}
			}
			must(t, second(process.keys.Import(t.Context(), []roomkeys.Import{{Room: room, Key: key, Source: source}})))
			for j := range all {
				got, err := process.keys.Decrypt(t.Context(), all[j].event)
				if was := all[j].by; was != 0 && (err != nil || got.Provenance < was) {
					r.Fatalf("after step %d message %d, which a copy by %v read, is read by %v, %v", i, j, was, got.Provenance, err)
				}
				if err == nil {
					all[j].by = got.Provenance
				}
			}
		}
	})
}

// madeUp is a key with another byte in its ratchet.
func madeUp(t testing.TB, k group.Key, at int) group.Key {
	b, err := k.Export(nil)
	must(t, err)
	b[1+at] ^= 1
	k, err = group.ParseExportedKey(b)
	must(t, err)
	return k
}

// FuzzReceive: whatever an event says, what is refused has written nothing.
func FuzzReceive(f *testing.F) {
	s := newSender(f, bob)
	for _, content := range []any{s.roomKey(room), s.forwarded(room, s.session.Key()), s.notice(room, group.NoOlm), s.notice(room, group.Unverified), []int{}} {
		for kind := range byte(3) {
			f.Add(kind, raw(f, content))
		}
	}
	home := newHome(f, memkv.New())
	f.Fuzz(func(t *testing.T, kind byte, content []byte) {
		h := *home
		h.TB = t
		types := []string{roomkeys.RoomKey, roomkeys.ForwardedRoomKey, roomkeys.Withheld}
		before := h.size()
		out, err := h.receive(s.from(kind&4 == 0), types[kind%3], json.RawMessage(content))
		if now := h.size(); err != nil && now != before || now > before+3 {
			t.Errorf("%+v, %v: %d records, and %d before", out, err, now, before)
		}
	})
}
