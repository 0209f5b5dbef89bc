package roomkeys_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/pawlkv/pawl/device"
	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/internal/machine/roomkeys"
	"github.com/pawlkv/pawl/internal/machine/upkeep"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/txn"
)

// ward is a home with a record of each kind, to be damaged.
type ward struct {
	*home
	bob    *sender // known, with a session of which $seen was read
	other  *sender // known, untouched by any damage
	nobody *sender // not known
	gone   *sender // withheld its session
	seen   roomkeys.Event
	next   roomkeys.Event
}

func newWard(t testing.TB) *ward {
	h := newHome(t, memkv.New())
	w := &ward{home: h, bob: newSender(t, bob), other: newSender(t, "@carol:example.org"), nobody: newSender(t, "@dave:example.org"), gone: newSender(t, bob)}
	h.knows(w.bob, "SENDER")
	h.knows(w.other, "SENDER")
	for _, s := range []*sender{w.bob, w.other} {
		must(t, second(h.receive(s.from(true), roomkeys.RoomKey, s.roomKey(room))))
	}
	must(t, second(h.receive(w.nobody.from(false), roomkeys.RoomKey, w.nobody.roomKey(room))))
	must(t, second(h.receive(plain(bob), roomkeys.Withheld, w.gone.notice(room, group.Blacklisted))))
	must(t, second(h.receive(plain(bob), roomkeys.Withheld, map[string]any{"code": group.NoOlm, "sender_key": w.bob.curve.String()})))
	h.do(func(tx *txn.Tx) error {
		return records.Identities.Put(tx, device.Known{Identity: device.Identity{User: bob, Master: w.bob.ed}, Pinned: w.bob.ed})
	})
	w.seen = w.bob.encrypt(room, "$seen", text(room, "seen"))
	w.next = w.bob.encrypt(room, "$next", text(room, "next"))
	must(t, second(h.keys.Decrypt(t.Context(), w.seen)))
	return w
}

// key is where the one record of a kind is that belongs to the damage.
func (w *ward) key(kind string) (key string) {
	w.do(func(tx *txn.Tx) (err error) {
		sender := device.Name{User: bob, Device: "SENDER"}
		switch kind {
		case "group-in":
			key, err = records.GroupIns.Key(tx, w.bob.id())
		case "replay":
			key, err = records.Replays.Key(tx, records.ReplayName{Session: w.bob.id(), Index: 0})
		case "unsettled":
			key, err = records.Unsettleds.Key(tx, w.nobody.curve)
		case "withheld":
			key, err = records.Withhelds.Key(tx, records.WithheldName{Session: w.gone.id(), From: bob})
		case "withholder":
			key, err = records.Withholders.Key(tx, bob)
		case "no-olm":
			key, err = records.NoOlms.Key(tx, w.bob.curve)
		case "owner":
			key, err = records.Owners.Key(tx, w.bob.curve)
		case "device":
			key, err = records.Devices.Key(tx, sender)
		case "identity":
			key, err = records.Identities.Key(tx, bob)
		}
		return err
	})
	return key
}

// harm changes what stands under a key.
func (w *ward) harm(key string, how func([]byte) []byte) {
	w.Helper()
	snap := w.engine.Snapshot()
	defer snap.Close()
	e, err := snap.Get(w.Context(), key)
	must(w, err)
	if len(e[0].Value) == 0 {
		w.Fatalf("there is no %s", key)
	}
	v, err := snap.Version(w.Context())
	must(w, err)
	_, err = w.engine.Commit(w.Context(), &kv.Batch{ID: kv.NewCommitID(v), Writes: []kv.Write{{Key: key, Value: how(slices.Clone(e[0].Value))}}, Sync: true})
	must(w, err)
}

var harmsOfARecord = map[string]func([]byte) []byte{
	"flipped": func(b []byte) []byte { b[len(b)/2] ^= 0x10; return b },
	"cut":     func(b []byte) []byte { return b[:len(b)/2] },
	"emptied": func([]byte) []byte { return []byte{} },
}

// answers of a call.
const (
	does    = "does"
	tells   = "tells"   // does all else, and says what it did without
	corrupt = "corrupt" // says that what it needs is damaged
)

// calls are what may have to do with a record. Each says what it did without.
var calls = map[string]func(context.Context, *ward) (told int, err error){
	"the key again": func(_ context.Context, w *ward) (int, error) { return w.receives(w.bob, true) },
	"a new session": func(_ context.Context, w *ward) (int, error) {
		s := newSender(w, bob)
		s.curve, s.ed = w.bob.curve, w.bob.ed
		return w.receives(s, true)
	},
	"another's key": func(_ context.Context, w *ward) (int, error) { return w.receives(w.other, true) },
	"nobody's key": func(_ context.Context, w *ward) (int, error) {
		w.nobody.rotate()
		return w.receives(w.nobody, false)
	},
	"the notice again": func(_ context.Context, w *ward) (int, error) {
		_, err := w.receive(plain(bob), roomkeys.Withheld, w.gone.notice(room, group.Unverified))
		return 0, err
	},
	"no olm again": func(_ context.Context, w *ward) (int, error) {
		_, err := w.receive(plain(bob), roomkeys.Withheld, map[string]any{"code": group.NoOlm, "sender_key": w.bob.curve.String()})
		return 0, err
	},
	"read again": func(_ context.Context, w *ward) (int, error) { return w.reads(w.seen) },
	"read next":  func(_ context.Context, w *ward) (int, error) { return w.reads(w.next) },
	"read another's": func(_ context.Context, w *ward) (int, error) {
		return w.reads(w.other.encrypt(room, "$other", text(room, "other")))
	},
	"read withheld": func(_ context.Context, w *ward) (int, error) {
		if _, err := w.reads(w.gone.encrypt(room, "$gone", text(room, "gone"))); !errors.Is(err, group.ErrNoKey) {
			return 0, err
		}
		return 0, nil
	},
	"import": func(ctx context.Context, w *ward) (int, error) {
		done, err := w.keys.Import(ctx, append(copies(w, []*sender{w.bob}, 3, group.File), copies(w, newSenders(w, 2), 0, group.File)...))
		if err == nil && done.New < 2 {
			w.Errorf("imported %+v", done)
		}
		return len(done.Refused), err
	},
	"forget": func(ctx context.Context, w *ward) (int, error) {
		_, err := w.keys.Forget(ctx, roomkeys.Forgetting{Room: room, Below: 1})
		if in, _ := w.stored(w.other.id()); in.Floor() != 1 {
			w.Errorf("what is whole was not forgotten: %v", err)
		}
		return 0, err
	},
	"settle": func(ctx context.Context, w *ward) (int, error) {
		return 0, w.keys.Settle(ctx, []matrix.UserID{w.nobody.user, bob})
	},
	"sweep": func(ctx context.Context, w *ward) (int, error) {
		done, err := upkeep.Sweep(ctx, w.account, records.Kinds(), w.now)
		return done.Damaged, err
	},
	"check": func(ctx context.Context, w *ward) (int, error) {
		found, err := upkeep.Check(ctx, w.account, records.Kinds())
		return len(found), err
	},
}

func (w *ward) receives(s *sender, known bool) (int, error) {
	_, err := w.receive(s.from(known), roomkeys.RoomKey, s.roomKey(room))
	return 0, err
}

func (w *ward) reads(e roomkeys.Event) (int, error) {
	o, err := w.keys.Decrypt(w.Context(), e)
	return o.Damaged, err
}

// needed says which calls a damaged record is needed by, and how they answer; all
// others do what they always do.
var needed = map[string]map[string]string{
	"group-in": {"the key again": corrupt, "read again": corrupt, "read next": corrupt, "import": tells, "forget": corrupt, "sweep": tells, "check": tells},
	"replay":   {"read again": corrupt, "check": tells},
	// A mark that cannot be read is begun anew.
	"unsettled":  {"sweep": tells, "check": tells},
	"withheld":   {"sweep": tells, "check": tells},
	"withholder": {"sweep": tells, "check": tells},
	"no-olm":     {"sweep": tells, "check": tells},
	"owner":      {"read again": tells, "read next": tells, "check": tells},
	"device":     {"read again": tells, "read next": tells, "check": tells},
	"identity":   {"read again": tells, "read next": tells, "check": tells},
}

// TestDamage: each call does all that does not need what is damaged, and says so; and
// once it is repaired nothing is damaged any more.
func TestDamage(t *testing.T) {
	for kind, needs := range needed {
		for way, how := range harmsOfARecord {
			for name, call := range calls {
				w := newWard(t)
				w.harm(w.key(kind), how)
				want := does
				if says, concerned := needs[name]; concerned {
					want = says
				}
				if told, err := call(t.Context(), w); answerOf(told, err) != want {
					t.Errorf("%s %s: %s %s (%d, %v); want one that %s", kind, way, name, answerOf(told, err), told, err, want)
				}
			}
		}
	}
}

func answerOf(told int, err error) string {
	switch {
	case errors.Is(err, kv.ErrCorrupt):
		return corrupt
	case err != nil:
		return err.Error()
	case told > 0:
		return tells
	}
	return does
}

// TestRepair: what is damaged is set aside, and from then on each call does what there
// is to do.
func TestRepair(t *testing.T) {
	for kind := range needed {
		if kind == "owner" || kind == "device" || kind == "identity" {
			continue // package devices repairs them
		}
		for name, call := range calls {
			w := newWard(t)
			w.harm(w.key(kind), harmsOfARecord["flipped"])
			check := func(ctx context.Context) ([]records.Finding, error) {
				return upkeep.Check(ctx, w.account, records.Kinds())
			}
			if _, err := upkeep.Repair(t.Context(), w.account, check); err != nil {
				t.Fatal(err)
			}
			told, err := call(t.Context(), w)
			if lost := kind == "group-in" && strings.HasPrefix(name, "read ") && (name == "read again" || name == "read next"); lost {
				if !errors.Is(err, group.ErrNoKey) || !errors.Is(err, txn.ErrSetAside) {
					t.Errorf("%s: %s: %v", kind, name, err)
				}
			} else if answerOf(told, err) != does {
				t.Errorf("%s repaired: %s: %d, %v", kind, name, told, err)
			}
			if found, err := check(t.Context()); err != nil || len(found) > 0 {
				t.Errorf("%s repaired, then %s: check finds %v, %v", kind, name, found, err)
			}
		}
	}
}
