package rooms_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/internal/machine/rooms"
	"github.com/pawlkv/pawl/internal/syncresponse"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/txn"
)

const (
	alice = matrix.UserID("@alice:example.org")
	bob   = matrix.UserID("@bob:example.org")
	carol = matrix.UserID("@carol:example.org")
	room  = matrix.RoomID("!room:example.org")
)

// sync applies a response with these events in one room, as a timeline.
func sync(t *testing.T, a *machine.Account, limited bool, events ...string) {
	t.Helper()
	text := `{"next_batch":"s1","rooms":{"join":{"` + string(room) + `":{"timeline":{"limited":` + fmt.Sprint(limited) + `,"events":[`
	for i, e := range events {
		if i > 0 {
			text += ","
		}
		text += e
	}
	apply(t, a, text+`]}}}}}`)
}

func apply(t *testing.T, a *machine.Account, response string) {
	t.Helper()
	parsed, err := syncresponse.Parse(syncresponse.Sync, syncresponse.Own{User: alice, Device: "PHONE"}, []byte(response))
	must(t, err)
	for _, r := range parsed.Rooms {
		do(t, a, func(tx *txn.Tx) error {
			v, err := a.Active(tx)
			if err != nil {
				return err
			}
			return rooms.Apply(tx, a, v, r, []byte(response))
		})
	}
}

func member(user matrix.UserID, membership string) string {
	return fmt.Sprintf(`{"type":"m.room.member","state_key":%q,"content":{"membership":%q}}`, user, membership)
}

func state(kind, content string) string {
	return fmt.Sprintf(`{"type":%q,"state_key":"","content":%s}`, kind, content)
}

func readRoom(t *testing.T, a *machine.Account) (r records.Room, known bool) {
	t.Helper()
	do(t, a, func(tx *txn.Tx) (err error) {
		r, known, err = records.ReadRoom(tx, room)
		return err
	})
	return r, known
}

// why returns why the room's session was given up.
func why(t *testing.T, a *machine.Account) (w group.Why) {
	t.Helper()
	do(t, a, func(tx *txn.Tx) error {
		o, _, err := records.Outbound.Get(tx, room)
		_, w = o.Retired()
		return err
	})
	return w
}

// begin puts a room that is encrypted, with a session that was shared with bob.
func begin(t *testing.T, a *machine.Account) {
	t.Helper()
	do(t, a, func(tx *txn.Tx) error {
		r := records.Room{ID: room, Encrypted: true, Strategy: group.AllDevices, Changed: 1, Shared: 1}
		if err := records.Rooms.Put(tx, r); err != nil {
			return err
		}
		if err := records.Enrol(tx, bob, room); err != nil {
			return err
		}
		o, err := newOutbound(a, tx, r.Settings())
		if err != nil {
			return err
		}
		return records.Outbound.Put(tx, o)
	})
}

// TestMembers: who left may have the key, who comes is to have it, and what a name
// is changes nothing.
func TestMembers(t *testing.T) {
	type event = []string
	for name, c := range map[string]struct {
		limited bool
		events  event
		why     group.Why
		marked  bool
		gone    int
	}{
		"a name changes":                 {false, event{member(bob, "join")}, group.Kept, false, 0},
		"an invited member joins":        {false, event{member(bob, "invite"), member(bob, "join")}, group.Kept, false, 0},
		"somebody joins":                 {false, event{member(carol, "join")}, group.Kept, true, 0},
		"somebody is invited":            {false, event{member(carol, "invite")}, group.Kept, true, 0},
		"a member leaves":                {false, event{member(bob, "leave")}, group.SomebodyLeft, true, 1},
		"a member is banned":             {false, event{member(bob, "ban")}, group.SomebodyLeft, true, 1},
		"a member leaves and comes back": {false, event{member(bob, "leave"), member(bob, "join")}, group.SomebodyLeft, true, 0},
		"who was never given it leaves":  {false, event{member(carol, "leave")}, group.Kept, false, 1},
		"a knock":                        {false, event{member(bob, "knock")}, group.SomebodyLeft, true, 1},
		"no membership":                  {false, event{`{"type":"m.room.member","state_key":"` + string(bob) + `","content":{"membership":7}}`}, group.SomebodyLeft, true, 1},
		"no content":                     {false, event{`{"type":"m.room.member","state_key":"` + string(bob) + `"}`}, group.SomebodyLeft, true, 1},
		"in capitals it is none":         {false, event{`{"type":"m.room.member","state_key":"` + string(bob) + `","content":{"membership":"leave","Membership":"join"}}`}, group.SomebodyLeft, true, 1},
		"nobody":                         {false, event{member("bob", "leave")}, group.Kept, false, 0},
		"joined, with a gap before":      {true, event{member(bob, "join")}, group.Kept, false, 0},
		"invited, with a gap before":     {true, event{member(bob, "invite")}, group.SomebodyLeft, false, 0},
		"we leave":                       {false, event{member(alice, "leave")}, group.SomebodyLeft, false, 0},
		"we are renamed":                 {false, event{member(alice, "join")}, group.Kept, false, 0},
	} {
		a := newAccount(t)
		begin(t, a)
		sync(t, a, c.limited, c.events...)
		r, _ := readRoom(t, a)
		if got := why(t, a); got != c.why || (r.Changed != 1) != c.marked || len(r.Gone) != c.gone {
			t.Errorf("%s: the session is given up for %q, marked %v, gone %v", name, got, r.Changed != 1, r.Gone)
		}
	}
}

// TestMembersChanged: a caller without a sync says the same of members, and also that
// there was a gap before: then anything but a join may hide that somebody left.
func TestMembersChanged(t *testing.T) {
	for _, membership := range []rooms.Membership{rooms.Join, rooms.Invite, rooms.Leave, rooms.Ban, rooms.Knock, "", "other"} {
		for _, limited := range []bool{false, true} {
			for _, user := range []matrix.UserID{bob, carol, alice} { // bob has the key
				h := newWorld(t).handle()
				begin(t, h.account)
				changes := []rooms.MemberChange{{User: user, Membership: membership}}
				must(t, h.rooms.MembersChanged(t.Context(), room, changes, limited))
				r, _ := readRoom(t, h.account)
				gone := membership != rooms.Join && membership != rooms.Invite
				retired := user == bob && (gone || limited && membership != rooms.Join) || user == alice && membership != rooms.Join
				left := user != alice && gone
				marked := user == bob && gone || user == carol && !gone
				if got := why(t, h.account); (got == group.SomebodyLeft) != retired || (got == group.Kept) == retired || (len(r.Gone) == 1) != left || (r.Changed != 1) != marked {
					t.Errorf("%s %q, limited %t: given up for %q, gone %v, marked %t", user, membership, limited, got, r.Gone, r.Changed != 1)
				}
			}
		}
	}
}

// TestStateAfter: where a server tells the state after the timeline (MSC4222), under
// either name, that is what holds; who left in between may have the key all the same.
func TestStateAfter(t *testing.T) {
	shared, joined := state("m.room.history_visibility", `{"history_visibility":"shared"}`), state("m.room.history_visibility", `{"history_visibility":"joined"}`)
	for name, c := range map[string]struct {
		limited         bool
		before          string // state
		timeline, after string
		why             group.Why
		marked          bool
		gone            int
		visibility      group.Visibility
	}{
		"a leave that only the state tells":         {after: member(bob, "leave"), why: group.SomebodyLeft, marked: true, gone: 1},
		"a leave in both":                           {timeline: member(bob, "leave"), after: member(bob, "leave"), why: group.SomebodyLeft, marked: true, gone: 1},
		"who left is back":                          {timeline: member(bob, "leave"), after: member(bob, "join"), why: group.SomebodyLeft},
		"a leave that never held":                   {timeline: member(bob, "leave"), why: group.SomebodyLeft},
		"a join that never held":                    {timeline: member(carol, "join")},
		"a join that did not hold":                  {timeline: member(bob, "join"), after: member(bob, "leave"), why: group.SomebodyLeft, marked: true, gone: 1},
		"a join":                                    {timeline: member(carol, "join"), after: member(carol, "join"), marked: true},
		"an invitation after a gap":                 {limited: true, after: member(bob, "invite"), why: group.SomebodyLeft},
		"an invitation after a gap that has passed": {limited: true, timeline: member(bob, "invite"), after: member(bob, "join"), why: group.SomebodyLeft},
		"we leave":                                  {after: member(alice, "leave"), why: group.SomebodyLeft},
		"we left and are back":                      {timeline: member(alice, "leave"), after: member(alice, "join"), why: group.SomebodyLeft},
		"a stranger's leave":                        {timeline: member(carol, "leave")},
		"the state before, too":                     {before: member(bob, "leave"), after: member(carol, "join"), why: group.SomebodyLeft, marked: true, gone: 1},
		"a visibility":                              {after: joined, visibility: group.Joined},
		"a visibility that did not hold":            {timeline: joined, after: shared, visibility: group.Shared},
		"a visibility that never held":              {timeline: joined},
	} {
		for _, key := range []string{"state_after", "org.matrix.msc4222.state_after"} {
			a := newAccount(t)
			begin(t, a)
			apply(t, a, fmt.Sprintf(`{"next_batch":"s1","rooms":{"join":{%q:{%q:{"events":[%s]},"timeline":{"limited":%t,"events":[%s]},"state":{"events":[%s]}}}}}`,
				room, key, c.after, c.limited, c.timeline, c.before))
			r, _ := readRoom(t, a)
			if got := why(t, a); got != c.why || (r.Changed != 1) != c.marked || len(r.Gone) != c.gone || r.State.Visibility != c.visibility {
				t.Errorf("%s (%s): the session is given up for %q, marked %v, gone %v, visibility %v", name, key, got, r.Changed != 1, r.Gone, r.State.Visibility)
			}
		}
	}
}

// TestEncryptionInStateAfter: a room is encrypted wherever that is said, and also where
// the state after says something else: for good.
func TestEncryptionInStateAfter(t *testing.T) {
	megolm := state("m.room.encryption", `{"algorithm":"m.megolm.v1.aes-sha2"}`)
	for name, text := range map[string]string{
		"after":    `"state_after":{"events":[` + megolm + `]}`,
		"passed":   `"state_after":{"events":[]},"timeline":{"events":[` + megolm + `]}`,
		"null":     `"state_after":null,"timeline":{"events":[` + megolm + `]}`,
		"unstable": `"org.matrix.msc4222.state_after":{"events":[` + megolm + `]}`,
		"before":   `"state_after":{},"state":{"events":[` + megolm + `]}`,
	} {
		a := newAccount(t)
		apply(t, a, `{"next_batch":"s1","rooms":{"join":{"`+string(room)+`":{`+text+`}}}}`)
		if r, known := readRoom(t, a); !known || !r.Encrypted || r.Foreign {
			t.Errorf("%s: %+v, %t", name, r, known)
		}
	}
}

// TestWeAreOut: a room in which we are no more, whatever we are in its place.
func TestWeAreOut(t *testing.T) {
	for section, content := range map[string]string{
		"leave": `{}`, "invite": `{"invite_state":{"events":[{"type":"m.room.name"}]}}`, "knock": `{"knock_state":{}}`,
	} {
		a := newAccount(t)
		begin(t, a)
		apply(t, a, `{"next_batch":"s1","rooms":{"`+section+`":{"`+string(room)+`":`+content+`}}}`)
		if got := why(t, a); got != group.SomebodyLeft {
			t.Errorf("%s: the session is given up for %q", section, got)
		}
	}
}

// TestCrowds: of more than are looked at it is certain that they matter, and one
// commit takes it on any engine.
func TestCrowds(t *testing.T) {
	a := newAccount(t)
	begin(t, a)
	var events []string
	for i := range 500 {
		events = append(events, member(matrix.UserID(fmt.Sprintf("@u%d:b", i)), "leave"))
	}
	sync(t, a, false, events...)
	r, _ := readRoom(t, a)
	if got := why(t, a); got != group.SomebodyLeft || len(r.Gone) != records.MaxGone {
		t.Errorf("the session is given up for %q, %d are gone", got, len(r.Gone))
	}
}

// TestEncryption: a room is encrypted for good, and settings are within their
// bounds, whatever anybody writes into its state.
func TestEncryption(t *testing.T) {
	const megolm = "m.megolm.v1.aes-sha2"
	week := 7 * 24 * time.Hour
	for name, c := range map[string]struct {
		contents []string
		foreign  bool
		messages int
		age      time.Duration
	}{
		"plain":             {[]string{`{"algorithm":"` + megolm + `"}`}, false, 100, week},
		"settings":          {[]string{`{"algorithm":"` + megolm + `","rotation_period_ms":7200000,"rotation_period_msgs":5}`}, false, 5, 2 * time.Hour},
		"zero":              {[]string{`{"algorithm":"` + megolm + `","rotation_period_ms":0,"rotation_period_msgs":0}`}, false, 1, time.Hour},
		"negative":          {[]string{`{"algorithm":"` + megolm + `","rotation_period_ms":-1,"rotation_period_msgs":-1e99}`}, false, 1, time.Hour},
		"huge":              {[]string{`{"algorithm":"` + megolm + `","rotation_period_ms":1e400,"rotation_period_msgs":99999999999999999999}`}, false, 10_000, 365 * 24 * time.Hour},
		"no numbers":        {[]string{`{"algorithm":"` + megolm + `","rotation_period_ms":"5","rotation_period_msgs":null}`}, false, 100, week},
		"another algorithm": {[]string{`{"algorithm":"m.other"}`}, true, 100, week},
		"none":              {[]string{`{}`}, true, 100, week},
		"no object":         {[]string{`7`}, true, 100, week},
		"another one later": {[]string{`{"algorithm":"` + megolm + `","rotation_period_msgs":5}`, `{"algorithm":"m.other"}`}, false, 5, week},
		"cleared":           {[]string{`{"algorithm":"` + megolm + `","rotation_period_msgs":5}`, `{}`}, false, 5, week},
		"megolm at last":    {[]string{`{"algorithm":"m.other"}`, `{"algorithm":"` + megolm + `"}`}, false, 100, week},
	} {
		a := newAccount(t)
		for _, content := range c.contents {
			sync(t, a, false, state("m.room.encryption", content))
		}
		r, _ := readRoom(t, a)
		if s := r.Settings(); !r.Encrypted || r.Foreign != c.foreign || s.Messages != c.messages || s.Age != c.age {
			t.Errorf("%s: %+v, in force %+v", name, r, s)
		}
	}
}

// TestVisibility: what the state says, and that most rooms leave nothing.
func TestVisibility(t *testing.T) {
	for content, want := range map[string]group.Visibility{
		`{"history_visibility":"invited"}`: group.Invited, `{"history_visibility":"joined"}`: group.Joined,
		`{"history_visibility":"shared"}`: group.Shared, `{"history_visibility":"world_readable"}`: group.WorldReadable,
		`{"history_visibility":"nonsense"}`: group.Joined, `{}`: group.Joined,
	} {
		a := newAccount(t)
		sync(t, a, false, state("m.room.history_visibility", content), member(bob, "leave"))
		r, known := readRoom(t, a)
		if got := r.Settings().Visibility; got != want || known == (want == group.Shared) || r.Encrypted {
			t.Errorf("%s: %v, kept %v", content, got, known)
		}
		sync(t, a, false, state("m.room.encryption", `{"algorithm":"m.megolm.v1.aes-sha2"}`))
		if r, _ := readRoom(t, a); !r.Encrypted || r.Settings().Visibility != want {
			t.Errorf("%s, then encrypted: %+v", content, r)
		}
	}
	a := newAccount(t)
	sync(t, a, false, `{"type":"m.room.history_visibility","state_key":"x","content":{"history_visibility":"invited"}}`, member(bob, "join"), member(bob, "leave"))
	if r, known := readRoom(t, a); known {
		t.Errorf("of a room that nothing was said of there is %+v", r)
	}
}

// TestApplyDamage: a room that cannot be read keeps nothing from being applied, and
// who left is not forgotten.
func TestApplyDamage(t *testing.T) {
	for _, aside := range []bool{false, true} {
		for name, event := range map[string]string{
			"a member leaves": member(bob, "leave"), "the visibility changes": state("m.room.history_visibility", `{"history_visibility":"invited"}`),
		} {
			a := newAccount(t)
			begin(t, a)
			harm(t, a, aside, func(tx *txn.Tx) (string, error) { return records.Rooms.Key(tx, room) })
			sync(t, a, false, event)
			if got := why(t, a); got == group.Kept {
				t.Errorf("%s, set aside %v: the session is in use", name, aside)
			}
			if aside {
				if r, known := readRoom(t, a); !known || !r.Encrypted {
					t.Errorf("%s: the room is %+v", name, r)
				}
			}
			a = newAccount(t)
			begin(t, a)
			harm(t, a, aside, func(tx *txn.Tx) (string, error) { return records.Outbound.Key(tx, room) })
			sync(t, a, false, event)
			if r, _ := readRoom(t, a); len(r.Gone) == 0 && r.State.Visibility == 0 {
				t.Errorf("%s, the session set aside %v: nothing was applied", name, aside)
			}
		}
	}
}
