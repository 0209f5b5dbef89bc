package roomkeys_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/internal/machine/roomkeys"
	"github.com/pawlkv/pawl/internal/machine/upkeep"
	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/txn"
)

// plain is who sent an event that came unencrypted.
func plain(user matrix.UserID) roomkeys.From { return roomkeys.From{User: user} }

// TestNotices: a notice explains a key that is missing, to those whom it concerns, and
// takes nothing away.
func TestNotices(t *testing.T) {
	h, s := newHome(t, memkv.New()), newSender(t, bob)
	e := s.encrypt(room, "$1", text(room, "one"))
	explained := func(want group.Code, is error) {
		t.Helper()
		var w *group.WithheldError
		_, err := h.keys.Decrypt(t.Context(), e)
		if !errors.Is(err, is) || errors.As(err, &w) != (want != "") || w != nil && (w.Code != want || w.Reason != "because") {
			t.Errorf("%v, want %v with %q", err, is, want)
		}
	}
	explained("", group.ErrNoKey)
	for _, c := range []struct {
		from    matrix.UserID
		kind    string
		content map[string]any
		want    roomkeys.Result
		says    group.Code
	}{
		{"@mallory:example.org", roomkeys.Withheld, s.notice(room, group.Blacklisted), roomkeys.Noted, ""},
		{bob, roomkeys.Withheld, s.notice(other, group.Blacklisted), roomkeys.Noted, ""},
		{bob, roomkeys.OldWithheld, s.notice(room, group.Unverified), roomkeys.Noted, group.Unverified},
		{bob, roomkeys.Withheld, s.notice(room, group.Unverified), roomkeys.Ignored, group.Unverified},
		{bob, roomkeys.Withheld, s.notice(room, "m.something_new"), roomkeys.Noted, "m.something_new"},
		{alice, roomkeys.Withheld, s.notice(room, group.Unavailable), roomkeys.Noted, "m.something_new"},
	} {
		out, err := h.receive(plain(c.from), c.kind, c.content)
		if err != nil || out.Result != c.want {
			t.Errorf("%+v, %v; want %v", out, err, c.want)
		}
		explained(c.says, group.ErrNoKey)
	}
	must(t, second(h.receive(s.from(true), roomkeys.RoomKey, s.roomKey(room)))) // from index 1
	explained("m.something_new", group.ErrTooEarly)
	must(t, second(h.receive(plain(bob), roomkeys.Withheld, s.notice(room, group.Blacklisted))))
	explained(group.Blacklisted, group.ErrTooEarly)
	if _, err := h.keys.Decrypt(t.Context(), s.encrypt(room, "$2", text(room, "two"))); err != nil {
		t.Errorf("a notice took a key away: %v", err)
	}
	s.rotate()
	must(t, second(h.receive(s.from(true), roomkeys.RoomKey, s.roomKey(room))))
	if out, err := h.receive(plain(bob), roomkeys.Withheld, s.notice(room, group.Blacklisted)); err != nil || out.Result != roomkeys.Ignored {
		t.Errorf("of a key that we have: %+v, %v", out, err)
	}
}

// TestBadNotices: nothing is written.
func TestBadNotices(t *testing.T) {
	h, s := newHome(t, memkv.New()), newSender(t, bob)
	before := h.size()
	for name, c := range map[string]struct {
		change func(map[string]any)
		want   error
	}{
		"no code":     {func(c map[string]any) { delete(c, "code") }, roomkeys.ErrContent},
		"empty code":  {func(c map[string]any) { c["code"] = "" }, group.ErrNotice},
		"long code":   {func(c map[string]any) { c["code"] = strings.Repeat("x", group.MaxCode+1) }, group.ErrNotice},
		"no room":     {func(c map[string]any) { delete(c, "room_id") }, roomkeys.ErrContent},
		"no session":  {func(c map[string]any) { delete(c, "session_id") }, roomkeys.ErrContent},
		"no sender":   {func(c map[string]any) { delete(c, "sender_key") }, roomkeys.ErrContent},
		"algorithm":   {func(c map[string]any) { c["algorithm"] = "x" }, roomkeys.ErrAlgorithm},
		"no olm, who": {func(c map[string]any) { c["code"] = group.NoOlm; delete(c, "sender_key") }, roomkeys.ErrContent},
	} {
		content := s.notice(room, group.Blacklisted)
		c.change(content)
		if _, err := h.receive(plain(bob), roomkeys.Withheld, content); !errors.Is(err, c.want) || h.size() != before {
			t.Errorf("%s: %v, want %v; %d records, want %d", name, err, c.want, h.size(), before)
		}
	}
}

// TestNoticesAreBounded: of one user so many are kept, the newest; and a sweep takes
// what is old.
func TestNoticesAreBounded(t *testing.T) {
	h, s := newHome(t, memkv.New()), newSender(t, bob)
	before := h.size()
	var ids []group.SessionID
	for range records.MaxWithheld + 5 {
		s.rotate()
		ids = append(ids, s.id())
		must(t, second(h.receive(plain(bob), roomkeys.Withheld, s.notice(room, group.Blacklisted))))
	}
	if now := h.size(); now != before+records.MaxWithheld+1 {
		t.Errorf("%d records, want %d and %d", now, before, records.MaxWithheld+1)
	}
	h.do(func(tx *txn.Tx) error {
		for i, id := range ids {
			_, kept, err := records.Withhelds.Get(tx, records.WithheldName{Session: id, From: bob})
			if err != nil || kept != (i >= 5) {
				t.Errorf("notice %d: %v, %v", i, kept, err)
			}
		}
		return nil
	})
	for _, c := range []struct {
		after time.Duration
		left  int
	}{{records.WithheldLife - time.Hour, records.MaxWithheld + 1}, {records.WithheldLife, 0}} {
		if _, err := upkeep.Sweep(t.Context(), h.account, records.Kinds(), h.now.Add(c.after)); err != nil {
			t.Fatal(err)
		}
		n := 0
		h.do(func(tx *txn.Tx) error {
			n = 0
			for range records.Withhelds.Scan(tx) {
				n++
			}
			for range records.Withholders.Scan(tx) {
				n++
			}
			return nil
		})
		if n != c.left {
			t.Errorf("after %v %d records are left, want %d", c.after, n, c.left)
		}
	}
}

// TestNoOlm: one notice a device, of its own user, and of devices that are known.
func TestNoOlm(t *testing.T) {
	h, s := newHome(t, memkv.New()), newSender(t, bob)
	notice := map[string]any{"algorithm": "m.olm.v1.curve25519-aes-sha2", "code": group.NoOlm, "sender_key": s.curve.String(), "reason": "no key"}
	receive := func(from matrix.UserID, want roomkeys.Result) {
		t.Helper()
		if out, err := h.receive(plain(from), roomkeys.Withheld, notice); err != nil || out.Result != want {
			t.Errorf("%+v, %v; want %v", out, err, want)
		}
	}
	receive(bob, roomkeys.Ignored)
	h.knows(s, "SENDER")
	before := h.size()
	receive("@mallory:example.org", roomkeys.Ignored)
	receive(bob, roomkeys.Noted)
	receive(bob, roomkeys.Ignored)
	if now := h.size(); now != before+1 {
		t.Errorf("%d records, want %d", now, before+1)
	}
	h.now = h.now.Add(records.NoOlmPause)
	receive(bob, roomkeys.Noted)
	h.do(func(tx *txn.Tx) error {
		n, ok, err := records.NoOlms.Get(tx, s.curve)
		if err != nil || !ok || n.From != bob || n.Reason != "no key" || !n.At.Equal(h.now) || n.Order == 0 {
			t.Errorf("%+v, %v, %v", n, ok, err)
		}
		return nil
	})
}

// TestStrangersNotices: whatever many users send, a sweep leaves so much and no more.
func TestStrangersNotices(t *testing.T) {
	h := newHome(t, memkv.New())
	const users = 90
	n := 0
	for u := range users {
		h.do(func(tx *txn.Tx) error {
			for i := range records.MaxWithheld {
				w := group.Withheld{
					Room: room, Session: group.SessionID{byte(u), byte(i), 1}, Sender: ratchet.PublicKey{1}, Code: group.Blacklisted,
					From: matrix.UserID(fmt.Sprintf("@u%d:example.org", u)), At: h.now.Add(time.Duration(u*1000+i) * time.Millisecond),
				}
				if err := records.PutWithheld(tx, w); err != nil {
					return err
				}
			}
			return nil
		})
		n += records.MaxWithheld
	}
	if n <= records.MaxAllWithheld {
		t.Fatalf("%d are not too many", n)
	}
	if _, err := upkeep.Sweep(t.Context(), h.account, records.Kinds(), h.now.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	left := 0
	h.do(func(tx *txn.Tx) error {
		left = 0
		for range records.Withhelds.Scan(tx) {
			left++
		}
		return nil
	})
	if left != records.MaxAllWithheld {
		t.Errorf("%d are left, want %d", left, records.MaxAllWithheld)
	}
}

// notice is the content of m.room_key.withheld.
func (s *sender) notice(room matrix.RoomID, code group.Code) map[string]any {
	return map[string]any{
		"algorithm": account.Megolm, "room_id": room, "session_id": s.id().String(), "sender_key": s.curve.String(),
		"code": code, "reason": "because",
	}
}
