package records

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/pawlkv/pawl/group"
	frame "github.com/pawlkv/pawl/internal/record"
	"github.com/pawlkv/pawl/matrix"
)

var (
	anyRoomID = rapid.Custom(func(t *rapid.T) matrix.RoomID {
		return matrix.RoomID("!" + rapid.StringMatching("[a-z]{1,9}").Draw(t, "room"))
	})
	anyUserID = rapid.Custom(func(t *rapid.T) matrix.UserID {
		return matrix.UserID("@" + rapid.StringMatching("[a-z]{1,9}").Draw(t, "user") + ":b")
	})
	anyRules = rapid.Custom(func(t *rapid.T) RoomRules {
		r := RoomRules{Messages: rapid.IntRange(0, group.MaxMessages).Draw(t, "messages"), Visibility: group.Visibility(rapid.IntRange(0, 4).Draw(t, "visibility"))}
		if rapid.Bool().Draw(t, "aged") {
			r.Age = time.Duration(rapid.Int64Range(group.MinAge.Milliseconds(), group.MaxAge.Milliseconds()).Draw(t, "age")) * time.Millisecond
		}
		return r
	})
	anyIDs  = rapid.SliceOfN(rapid.Custom(func(t *rapid.T) RequestID { return RequestID(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "id")) }), 0, 5)
	anyRoom = rapid.Custom(func(t *rapid.T) Room {
		r := Room{
			ID: anyRoomID.Draw(t, "id"), Encrypted: rapid.Bool().Draw(t, "encrypted"), Foreign: rapid.Bool().Draw(t, "foreign"),
			State: anyRules.Draw(t, "state"), Asked: anyRules.Draw(t, "asked"), Strategy: group.Strategy(rapid.IntRange(0, 4).Draw(t, "strategy")),
			Changed: rapid.Uint64Max(1<<63).Draw(t, "changed"), Everywhere: rapid.Uint64Max(1<<63).Draw(t, "everywhere"),
			Waiting: anyIDs.Draw(t, "waiting"), Asking: anyIDs.Draw(t, "asking"),
		}
		r.Shared = rapid.Uint64Max(r.Changed).Draw(t, "shared")
		if rapid.Bool().Draw(t, "shared with anybody") {
			r.Members[7], r.Retry = 1, time.UnixMilli(1700000000000).UTC()
		}
		r.Gone = rapid.SliceOfN(anyUserID, 0, 4).Draw(t, "gone")
		return r
	})
	anyMember = rapid.Custom(func(t *rapid.T) Member {
		m := Member{User: anyUserID.Draw(t, "user"), Rooms: rapid.SliceOfN(anyRoomID, 0, maxRooms).Draw(t, "rooms")}
		m.Many = len(m.Rooms) == 0
		return m
	})
)

// TestRoomRecords: what is written is read, and nothing else is.
func TestRoomRecords(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		roundTrip(t, anyRoom.Draw(t, "room"), decodeRoom)
		roundTrip(t, anyMember.Draw(t, "member"), decodeMember)
		roundTrip(t, RoomChange{rapid.Uint64Max(1<<63).Draw(t, "count")}, decodeRoomChange)
	})
}

func roundTrip[T interface{ Encode() ([]byte, error) }](t *rapid.T, v T, decode func([]byte) (T, error)) {
	b, err := v.Encode()
	if err != nil {
		t.Fatal(err)
	}
	got, err := decode(b)
	if err != nil || fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", v) {
		t.Fatalf("%+v became %+v, %v", v, got, err)
	}
	cut := rapid.IntRange(0, len(b)-1).Draw(t, "cut")
	if _, err := decode(b[:cut]); !errors.Is(err, frame.ErrFormat) {
		t.Fatalf("the first %d of %d bytes: %v", cut, len(b), err)
	}
	if _, err := decode(append(bytes.Clone(b), 0)); !errors.Is(err, frame.ErrFormat) {
		t.Fatalf("a byte more: %v", err)
	}
	b[0]++
	if _, err := decode(b); !errors.Is(err, frame.ErrVersion) {
		t.Fatalf("of a newer version: %v", err)
	}
}

// TestRoomBounds: nothing writes a record that nothing reads.
func TestRoomBounds(t *testing.T) {
	full := Room{ID: "!a", Waiting: make([]RequestID, MaxWaiting), Asking: make([]RequestID, MaxAsking)}
	for i := range MaxGone + 3 {
		full = full.Leave(matrix.UserID(fmt.Sprintf("@%0245d:example", i)))
	}
	b, err := full.Encode()
	if err != nil || len(b) > 22<<10 || len(full.Gone) != 2048/255 {
		t.Errorf("%d bytes, %d gone, %v", len(b), len(full.Gone), err)
	}
	full.Waiting = make([]RequestID, MaxWaiting+1)
	for what, r := range map[string]interface{ Encode() ([]byte, error) }{
		"too much waits": full, "no room": Room{}, "nobody in no room": Member{}, "nobody": Member{Many: true},
		"in some rooms and in many": Member{User: "@a:b", Many: true, Rooms: []matrix.RoomID{"!a"}},
		"in too many":               Member{User: "@a:b", Rooms: make([]matrix.RoomID, maxRooms+1)},
	} {
		if b, err := r.Encode(); err == nil {
			t.Errorf("%s: %d bytes", what, len(b))
		}
	}
	long := Member{User: "@a:b", Rooms: []matrix.RoomID{matrix.RoomID("!" + strings.Repeat("x", 254))}}
	if _, err := long.Encode(); err != nil {
		t.Error(err)
	}
}

// TestGone: who left is gone until they come back, the last of them at least.
func TestGone(t *testing.T) {
	r := Room{ID: "!a"}.Leave("@a:b").Leave("@c:d").Leave("@a:b")
	if diff := cmp.Diff([]matrix.UserID{"@c:d", "@a:b"}, r.Gone); diff != "" {
		t.Error(diff)
	}
	back := r.Return("@a:b")
	if diff := cmp.Diff([]matrix.UserID{"@c:d"}, back.Gone); diff != "" || len(r.Gone) != 2 {
		t.Errorf("%s, and %v before", diff, r.Gone)
	}
}

// TestRoomSettings: the state of the room and what a caller asks for.
func TestRoomSettings(t *testing.T) {
	day := 24 * time.Hour
	for name, c := range map[string]struct {
		room Room
		want group.Settings
	}{
		"nothing is said": {Room{}, group.Settings{Messages: 100, Age: 7 * day, Visibility: group.Shared}},
		"by the state":    {Room{State: RoomRules{7, day, group.Joined}}, group.Settings{Messages: 7, Age: day, Visibility: group.Joined}},
		"by a caller":     {Room{Asked: RoomRules{7, day, group.Invited}}, group.Settings{Messages: 7, Age: day, Visibility: group.Invited}},
		"by both": {
			Room{State: RoomRules{7, 2 * day, group.WorldReadable}, Asked: RoomRules{9, day, group.Invited}, Strategy: group.Verified},
			group.Settings{Messages: 7, Age: day, Visibility: group.WorldReadable, Strategy: group.Verified},
		},
	} {
		if diff := cmp.Diff(c.want, c.room.Settings()); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func FuzzDecodeRoom(f *testing.F) {
	b, _ := Room{ID: "!a", Changed: 3, Shared: 2, Gone: []matrix.UserID{"@a:b"}, Waiting: make([]RequestID, 1)}.Encode()
	f.Add(b)
	f.Fuzz(func(t *testing.T, in []byte) { same(t, in, decodeRoom) })
}

func FuzzDecodeMember(f *testing.F) {
	b, _ := Member{User: "@a:b", Rooms: []matrix.RoomID{"!a", "!b"}}.Encode()
	f.Add(b)
	f.Fuzz(func(t *testing.T, in []byte) { same(t, in, decodeMember) })
}

// same: what is read is written as it was or not read.
func same[T interface{ Encode() ([]byte, error) }](t *testing.T, in []byte, decode func([]byte) (T, error)) {
	v, err := decode(in)
	if err != nil {
		if !errors.Is(err, frame.ErrFormat) && !errors.Is(err, frame.ErrVersion) {
			t.Fatalf("refused with %v", err)
		}
		return
	}
	b, err := v.Encode()
	if err != nil {
		t.Fatalf("%+v was read and cannot be written: %v", v, err)
	}
	again, err := decode(b)
	if err != nil || fmt.Sprintf("%+v", again) != fmt.Sprintf("%+v", v) {
		t.Fatalf("%+v became %+v, %v", v, again, err)
	}
}
