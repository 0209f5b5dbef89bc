package pawl_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/matrix"
)

// clientCalls are what a client calls. Each returns all that its caller sees of what
// records may be needed for, in words.
var clientCalls = map[string]func(ctx context.Context, w *clientWard) string{
	"sync": func(ctx context.Context, w *clientWard) string {
		ticket, err := w.phone.NextSync(ctx)
		if err != nil {
			return failed(err)
		}
		got, err := w.phone.ReceiveSync(ctx, ticket, w.response)
		room, roomErr := w.phone.Room(ctx, testRoom)
		carol, carolErr := w.phone.Devices(ctx, w.carol.id.UserID)
		return says(err, receivedWords(got), "room", room.Why, failed(roomErr), "carol current", carol.Current, failed(carolErr))
	},
	"transaction": func(ctx context.Context, w *clientWard) string {
		got, err := w.phone.ReceiveTransaction(ctx, "1", w.transaction)
		return says(err, receivedWords(got))
	},
	"outgoing": func(ctx context.Context, w *clientWard) string {
		all, err := w.phone.OutgoingRequests(ctx)
		return says(err, requestWords(all))
	},
	"query answered":   answering("keys/query"),
	"claim answered":   answering("keys/claim"),
	"request answered": answering("sendToDevice m.room_key_request"),
	"request refused": func(ctx context.Context, w *clientWard) string {
		return says(w.phone.MarkFailed(ctx, w.requests["sendToDevice m.room_key_request"].ID, pawl.Refused(403, nil)))
	},
	"share": func(ctx context.Context, w *clientWard) string {
		s, err := w.phone.ShareRoomKey(ctx, testRoom, w.members(), everybody)
		return says(err, "done", s.Done, requestWords(s.Requests))
	},
	"share quiet": func(ctx context.Context, w *clientWard) string {
		s, err := w.phone.ShareRoomKey(ctx, quietRoom, w.members()[1:2], everybody)
		return says(err, "done", s.Done, requestWords(s.Requests))
	},
	"encrypt": func(ctx context.Context, w *clientWard) string {
		_, err := w.phone.EncryptRoomEvent(ctx, testRoom, "m.room.message", json.RawMessage("{}"))
		return says(err)
	},
	"share busy": func(ctx context.Context, w *clientWard) string {
		s, err := w.phone.ShareRoomKey(ctx, busyRoom, w.members()[1:2], everybody)
		return says(err, "done", s.Done, requestWords(s.Requests), "waiting", len(s.Waiting))
	},
	"busy room's key arrived": func(ctx context.Context, w *clientWard) string {
		err := w.phone.MarkSent(ctx, w.requests["busy"].ID, []byte("{}"))
		room, roomErr := w.phone.Room(ctx, busyRoom)
		return says(err, "shared", room.Shared, failed(roomErr))
	},
	"encrypt quiet": func(ctx context.Context, w *clientWard) string {
		_, err := w.phone.EncryptRoomEvent(ctx, quietRoom, "m.room.message", json.RawMessage("{}"))
		return says(err)
	},
	"read again":    reads(func(w *clientWard) pawl.RoomEvent { return w.read }),
	"read next":     reads(func(w *clientWard) pawl.RoomEvent { return w.next }),
	"read carol's":  reads(func(w *clientWard) pawl.RoomEvent { return w.carols }),
	"read dave's":   reads(func(w *clientWard) pawl.RoomEvent { return w.daves }),
	"read withheld": reads(func(w *clientWard) pawl.RoomEvent { return w.gone }),
	"members": func(ctx context.Context, w *clientWard) string {
		err := w.phone.MembersChanged(ctx, testRoom, []pawl.MemberChange{{User: w.bob.id.UserID, Membership: pawl.Leave}}, false)
		room, roomErr := w.phone.Room(ctx, testRoom)
		return says(err, room.Why, failed(roomErr))
	},
	"rotate": func(ctx context.Context, w *clientWard) string {
		err := w.phone.RotateRoomKey(ctx, testRoom)
		room, roomErr := w.phone.Room(ctx, testRoom)
		return says(err, room.Why, failed(roomErr))
	},
	"room": func(ctx context.Context, w *clientWard) string {
		i, err := w.phone.Room(ctx, testRoom)
		return says(err, "shared", i.Shared)
	},
	"devices of bob": shows(func(w *clientWard) matrix.UserID { return w.bob.id.UserID }),
	"own devices":    shows(func(w *clientWard) matrix.UserID { return w.own.user }),
	"track": func(ctx context.Context, w *clientWard) string {
		return says(w.phone.TrackUsers(ctx, "@henry:example.org", w.bob.id.UserID))
	},
	"verify bob": func(ctx context.Context, w *clientWard) string {
		return says(w.phone.VerifyIdentity(ctx, w.bob.id.UserID, w.bobs.master.Public()))
	},
	"ask again": func(ctx context.Context, w *clientWard) string {
		return says(w.phone.RequestRoomKey(ctx, testRoom, w.asked))
	},
	"ask for another": func(ctx context.Context, w *clientWard) string {
		return says(w.phone.RequestRoomKey(ctx, testRoom, newRoomSender(w.t).Key().ID()))
	},
	"import": func(ctx context.Context, w *clientWard) string {
		done, err := w.phone.ImportRoomKeys(ctx, []pawl.RoomKey{w.ofBob.exported(), w.ofCarol.exported(), newRoomSender(w.t).exported()})
		var refused []string
		for _, r := range done.Refused {
			refused = append(refused, string(pawl.CodeOf(r.Err)))
		}
		return says(err, "new", done.New, "better", done.Better, "same", done.Same, refused)
	},
	"forget": func(ctx context.Context, w *clientWard) string {
		n, err := w.phone.ForgetRoomKeys(ctx, pawl.Forgetting{Room: testRoom})
		return says(err, n)
	},
	"wait": func(ctx context.Context, w *clientWard) string {
		if _, err := w.phone.DecryptRoomEvent(ctx, w.next); errors.Is(err, group.ErrNoKey) {
			return "waits"
		}
		return says(w.phone.WaitForRoomKey(ctx, testRoom, w.ofBob.Key().ID(), w.bob.id.UserID))
	},
	"events": func(ctx context.Context, w *clientWard) string {
		last := newRoomSender(w.t).exported()
		if _, err := w.phone.ImportRoomKeys(ctx, []pawl.RoomKey{last}); err != nil {
			return failed(err)
		}
		count := map[pawl.EventKind]int{}
		for e, err := range w.phone.Events(ctx, "") {
			if err != nil {
				return says(err, count)
			}
			if count[e.Kind]++; e.Kind == pawl.EventRoomKey && e.Session == last.Key.ID() {
				break
			}
		}
		delete(count, pawl.EventRoomKey) // which of them come first is anybody's guess
		return says(nil, count)
	},
	"lost sync": func(ctx context.Context, w *clientWard) string {
		ticket, err := w.phone.NextSync(ctx)
		if err == nil {
			err = w.phone.LostSync(ctx, ticket)
		}
		next, nextErr := w.phone.NextSync(ctx)
		return says(err, "token", next.Since != "", failed(nextErr))
	},
	"extra": func(ctx context.Context, w *clientWard) string {
		value, err := w.phone.Extra(ctx, "test", "name")
		return says(err, len(value))
	},
	"in the end": inTheEnd,
	"sign": func(ctx context.Context, w *clientWard) string {
		return says(second(w.phone.Sign(ctx, json.RawMessage("{}"))))
	},
	"check": func(ctx context.Context, w *clientWard) string {
		lines, err := w.phone.Check(ctx)
		return says(err, len(lines))
	},
	"inspect": func(ctx context.Context, w *clientWard) string {
		in, err := w.phone.Inspect(ctx)
		return says(err, len(in.Damaged))
	},
	"sweep": func(ctx context.Context, w *clientWard) string {
		done, err := w.phone.Sweep(ctx, w.phone.clock.now())
		return says(err, done.Damaged)
	},
	"recover": func(ctx context.Context, w *clientWard) string {
		done, err := w.phone.Recover(ctx)
		return says(err, done.Damaged)
	},
}

// inTheEnd does for hours what a client does, whatever fails, and says what came of it.
func inTheEnd(ctx context.Context, w *clientWard) string {
	rooms := map[matrix.RoomID][]matrix.UserID{testRoom: w.members(), quietRoom: w.members()[1:2], busyRoom: w.members()[1:2]}
	sent := map[string]bool{}
	for range 8 {
		all, _ := w.phone.OutgoingRequests(ctx)
		for room, members := range rooms {
			s, _ := w.phone.ShareRoomKey(ctx, room, members, everybody)
			all = append(all, s.Requests...)
		}
		for _, r := range all {
			if err := w.phone.MarkSent(ctx, r.ID, w.served(r)); err == nil && r.EventType != "" {
				sent[r.EventType] = true
			}
		}
		w.phone.clock.pass(20 * time.Minute)
	}
	var words []any
	for _, room := range []matrix.RoomID{testRoom, quietRoom, busyRoom} {
		_, err := w.phone.EncryptRoomEvent(ctx, room, "m.room.message", json.RawMessage("{}"))
		words = append(words, cmp.Or(failed(err), "sends"))
	}
	for _, user := range []matrix.UserID{w.own.user, w.bob.id.UserID, w.dave.id.UserID, "@grace:example.org"} {
		u, err := w.phone.Devices(ctx, user)
		words = append(words, u.Current, failed(err))
	}
	return says(nil, append(words, slices.Sorted(maps.Keys(sent)))...)
}

// answering is the call that hands in the answer to a request.
func answering(which string) func(context.Context, *clientWard) string {
	return func(ctx context.Context, w *clientWard) string {
		return says(w.phone.MarkSent(ctx, w.requests[which].ID, w.served(w.requests[which])))
	}
}

func reads(which func(*clientWard) pawl.RoomEvent) func(context.Context, *clientWard) string {
	return func(ctx context.Context, w *clientWard) string {
		got, err := w.phone.DecryptRoomEvent(ctx, which(w))
		return says(err, got.Sender.State, got.Sender.Trust, got.Damaged)
	}
}

func shows(which func(*clientWard) matrix.UserID) func(context.Context, *clientWard) string {
	return func(ctx context.Context, w *clientWard) string {
		u, err := w.phone.Devices(ctx, which(w))
		usable := 0
		for _, d := range u.Devices {
			if d.Usable {
				usable++
			}
		}
		return says(err, "usable", usable, "current", u.Current, "verified", u.Verified, "damaged", u.Damaged)
	}
}

// failed is what is said of an error: its code.
func failed(err error) string { return string(pawl.CodeOf(err)) }

// says puts what a call said into words, "done" if it said nothing.
func says(err error, rest ...any) string {
	if err != nil {
		rest = append(rest, "fails:", failed(err))
	}
	return cmp.Or(strings.Join(strings.Fields(fmt.Sprintln(rest...)), " "), "done")
}

func receivedWords(got pawl.Received) string {
	var words []string
	for _, e := range got.Events {
		words = append(words, strings.TrimPrefix(e.Type, "m."))
	}
	for _, r := range got.Refused {
		word := fmt.Sprintf("%d:%s", r.Index, pawl.CodeOf(r.Err))
		if r.Kept {
			word += "(kept)"
		}
		words = append(words, word)
	}
	return fmt.Sprint("keys ", len(got.RoomKeys), " ", words, " advanced ", got.Advanced)
}

func requestWords(all []pawl.Request) string {
	var words []string
	for _, r := range all {
		words = append(words, strings.ReplaceAll(strings.TrimSpace(r.Kind.String()+" "+r.EventType), " ", ":"))
	}
	slices.Sort(words)
	return fmt.Sprint(words)
}

// harmedByClient are the records that are damaged, by the step that made them: one of
// each kind at least.
var harmedByClient = []string{
	"account of phone", "aside of repair", "device of bob", "group-in of bob's key", "group-old of room", "group-out of busy room",
	"group-out of old session", "group-shared of bob in room", "identity of bob", "identity of own", "key-answer of laptop's request",
	"key-notice of notice sent", "key-request of asking", "mark of sweep", "member of bob", "no-olm of no olm",
	"extra of extra", "import of import", "otk of last one-time key", "otk-pool of stranger", "outdated of grace", "own-signature of own", "owner of bob",
	"peer of bob in room", "peer of carol in quiet room", "reach of erin in room", "reach of quiet room", "receipt of bob's key",
	"refused of refusal", "refused-list of refusal", "replay of event", "request of asking", "request of busy room",
	"request of claim", "request of query",
	"request-body of asking", "request-body of busy room", "room of busy room", "room of old session", "room-changes of stranger",
	"sender of dave's key", "session of bob in room", "session of dave's key", "sweep of sweep", "sync of stranger",
	"told-no-olm of erin in room", "tracking of stranger", "unread of unread event", "unread-list of unread event",
	"unheard of what nobody known sent", "unsettled of dave's key", "uploads of stranger", "user of bob", "user of grace", "user of own", "withheld of notice",
	"wedge of what cannot be read", "withholder of notice",
}

// TestEveryKindIsHarmed: of each kind of record there is one among them, and a row in
// docs/damage.md.
func TestEveryKindIsHarmed(t *testing.T) {
	page, err := os.ReadFile("docs/damage.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range kindsOf(records.Kinds()) {
		if !slices.ContainsFunc(harmedByClient, func(name string) bool { return strings.HasPrefix(name, kind+" of ") }) {
			t.Errorf("no record of kind %s is damaged: add one to clientWard", kind)
		}
		if !regexp.MustCompile("(?m)^\\|[^|]*`" + kind + "`").Match(page) {
			t.Errorf("the table of docs/damage.md has no row for `%s`", kind)
		}
	}
}

// lostUnfound are the kinds of which check does not find that a record is missing:
// nothing that is kept tells that there was one, or nothing depends on it.
var lostUnfound = map[string]string{
	"aside":         "a copy that nothing reads",
	"extra":         "only the program whose it is knows that there was one",
	"group-shared":  "nothing names it: the device gets the key once more, and if it is gone another session is begun",
	"identity":      "of others nothing names it: the key that is shown next is the first one",
	"import":        "the import begins anew",
	"key-answer":    "asked for again, or never",
	"key-notice":    "the device is told once more",
	"key-request":   "the key is asked for under another id",
	"mark":          "nobody knows that there was a session",
	"no-olm":        "told again",
	"own-signature": "messages go without it until the next query",
	"reach":         "asked at once",
	"receipt":       "the message is none that was read",
	"replay":        "the next event that is read with the message has it",
	"sender":        "bound by the next event",
	"sweep":         "the next sweep makes another",
	"sync":          "the next sync is a first one",
	"told-no-olm":   "told again",
	"unheard":       "others count when they come",
	"unsettled":     "begun anew",
	"uploads":       "uploads begin anew; what is under way is not handed out",
	"wedge":         "not wedged before the next event that nothing reads",
	"withheld":      "explains nothing",
	"withholder":    "begun anew",
}

// TestLostRecordsAreFound: that a record is missing is found, whatever it is of, or
// there is a reason why not.
func TestLostRecordsAreFound(t *testing.T) {
	w := newClientWard(t)
	found := map[string]bool{}
	for _, record := range harmedByClient {
		findings, err := w.in(t, back(t, w.harmed(t, record, nil).phone.kv)).phone.store.Check(t.Context())
		if err != nil {
			t.Errorf("%s: %v", record, err)
		}
		kind, _, _ := strings.Cut(record, " of ")
		found[record] = len(findings) > 0
		if why, known := lostUnfound[kind]; !known && !found[record] {
			t.Errorf("%s: check finds nothing, and there is no reason", record)
		} else if known && found[record] && record != "identity of own" {
			t.Errorf("%s is found (%v), which has a reason not to be: %s", record, findings, why)
		}
	}
	if !found["identity of own"] {
		t.Error("the own identity is missing, and check finds nothing")
	}
}

// expected is what calls say of each record, by the way in which it is harmed, where it
// is not what they always say: testdata/damage/client.txt.
type expected map[string]string

func readExpected(t *testing.T) expected {
	t.Helper()
	text, err := os.ReadFile("testdata/damage/client.txt")
	if err != nil {
		t.Fatal(err)
	}
	all, record := expected{}, ""
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		fields := strings.Split(line, " | ")
		switch {
		case line == "", line[0] == '#':
		case len(fields) == 1:
			record = line
			if !slices.Contains(harmedByClient, record) {
				t.Errorf("nobody harms %q", record)
			}
		case len(fields) == 3:
			for way := range strings.SplitSeq(fields[0], " + ") {
				all[place(record, way, fields[1])] = fields[2]
			}
		default:
			t.Fatalf("not a line of what is expected: %q", line)
		}
	}
	return all
}

func place(record, way, call string) string { return record + "|" + way + "|" + call }

// clientCase is a store of the ward in which something is wrong.
type clientCase struct {
	record, way string
	store       backup
}

// cases are the ways in which a record may be: damaged, missing, and repaired after
// either.
func (w *clientWard) cases(t *testing.T, record string, nth int) (all []clientCase) {
	names := slices.DeleteFunc(slices.Sorted(maps.Keys(harms)), func(way string) bool { return way == "missing" })
	for way, value := range map[string][]byte{"damaged": w.harm(record, harms[names[nth%len(names)]]), "missing": nil} {
		harmed := w.harmed(t, record, value)
		all = append(all, clientCase{record, way, back(t, harmed.phone.kv)})
		found, err := harmed.phone.store.Check(t.Context())
		// What is set aside may leave more to be done, which is found then.
		done, doneErr := harmed.phone.store.Repair(t.Context())
		left := slices.DeleteFunc(slices.Clone(found), func(f pawl.Finding) bool { return slices.Contains(done, f) })
		if err != nil || doneErr != nil || len(left) > 0 {
			t.Errorf("%s %s: repair does %v, %v; want %v, %v", record, way, done, doneErr, found, err)
		}
		if left, err := harmed.phone.store.Check(t.Context()); err != nil || len(left) > 0 {
			t.Errorf("%s %s: check finds %v after repair, %v", record, way, left, err)
		}
		if way == "damaged" && len(found) == 0 {
			t.Errorf("%s: check finds nothing", record)
		}
		if len(found) > 0 {
			all = append(all, clientCase{record, way + ", repaired", back(t, harmed.phone.kv)})
		}
	}
	return append(all, clientCase{record, "newer", back(t, w.harmed(t, record, w.harm(record, newer)).phone.kv)})
}

// harm returns what stands in the place of a record.
func (w *clientWard) harm(record string, how func(*ward, string) []byte) []byte {
	other := w.keys["peer of bob in room"]
	if w.keys[record] == other {
		other = w.keys["peer of carol in quiet room"]
	}
	return how(&ward{whole: w.whole, keys: map[string]string{record: w.keys[record], "carol": other, "keyring": "_/keyring"}}, record)
}

// lost are the records that were there before a call and are not any more.
func lost(before backup, after map[string]string) (keys []string) {
	for _, e := range before.entries {
		if _, there := after[e.Key]; !there {
			keys = append(keys, e.Key)
		}
	}
	return keys
}

// TestDamageToClients: whatever record of a client is damaged, missing, repaired or a
// newer program's, each call does all that does not need it, and says what it did not;
// no other record goes that would not have gone anyway.
func TestDamageToClients(t *testing.T) {
	w := newClientWard(t)
	want := readExpected(t)
	usual, goes := map[string]string{}, map[string][]string{}
	for name, call := range clientCalls {
		whole := w.open(t)
		usual[name] = call(t.Context(), whole)
		goes[name] = lost(w.whole, dump(t, whole.phone.kv))
	}
	for nth, record := range harmedByClient {
		if w.keys[record] == "" {
			t.Fatalf("there is no %s", record)
		}
		for _, c := range w.cases(t, record, nth) {
			for nth, name := range slices.Sorted(maps.Keys(clientCalls)) {
				if (testing.Short() || raceEnabled) && (nth+len(record)+len(c.way))%5 != 0 {
					continue // most records and calls still meet in some way
				}
				harmed := w.in(t, c.store)
				ctx, cancel := context.WithTimeout(t.Context(), callsEnd)
				got := clientCalls[name](ctx, harmed)
				cancel()
				at := place(c.record, c.way, name)
				if c.way == "newer" {
					c.newerIsNoDamage(t, name, got, usual[name], want)
				} else if should := cmp.Or(want[at], c.mostly(name, usual[name])); got != should {
					t.Errorf("says %s | %s | %s | %s; want %s", c.record, c.way, name, got, should)
				}
				for _, key := range lost(c.store, dump(t, harmed.phone.kv)) {
					if key != w.keys[record] && !slices.Contains(goes[name], key) && !c.goesToo(key) {
						t.Errorf("%s %s: %s loses %s", c.record, c.way, name, key)
					}
				}
			}
		}
	}
}

// mostly is what a call says where the file does not tell: each record that is damaged is
// reported once by those that look at all, and after a repair the event comes that
// could not be read before.
func (c clientCase) mostly(call, usual string) string {
	look := call == "check" || call == "inspect" || call == "sweep"
	comes := call == "sync" || call == "transaction"
	switch {
	case c.way == "damaged" && look:
		return "1"
	case strings.HasSuffix(c.way, "repaired") && comes:
		return strings.Replace(usual, "[", "[call ", 1)
	}
	return usual
}

// goesToo reports whether a record is of no use any more: what was told of a session
// of ours that is not there, and an event that could be read after the repair.
func (c clientCase) goesToo(key string) bool {
	switch strings.Split(key, "/")[1] {
	case "group-shared":
		return strings.HasPrefix(c.record, "group-o") && c.way != "damaged"
	case "unread":
		return strings.HasSuffix(c.way, "repaired")
	case "outdated": // of somebody who is asked for once more
		return strings.HasPrefix(c.record, "user of")
	case "request", "request-body": // an upload of which nobody knows
		return strings.HasPrefix(c.record, "uploads") && c.way != "damaged"
	}
	return false
}

// callsEnd is how long a call may take: none waits but for what is not there.
const callsEnd = 20 * time.Second

// newerIsNoDamage: a call that would have to do with damage says that the record is
// newer; any other one may.
func (c clientCase) newerIsNoDamage(t *testing.T, call, got, usual string, want expected) {
	t.Helper()
	damaged := clientCase{c.record, "damaged", c.store}
	concerned := cmp.Or(want[place(c.record, "damaged", call)], damaged.mostly(call, usual)) != usual
	if call == "in the end" {
		return // whatever fails
	}
	if says := strings.Contains(got, "newer"); !says && (concerned || got != usual) {
		t.Errorf("%s newer: %s says %s, want what is newer", c.record, call, got)
	}
	if strings.Contains(got, "corrupt") {
		t.Errorf("%s newer: %s takes it for damage: %s", c.record, call, got)
	}
}
