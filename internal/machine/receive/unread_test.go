package receive

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/internal/jsonobject"
	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/internal/machine/upkeep"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/txn"
	"github.com/pawlkv/pawl/txn/seal"
)

// stored returns what is stored of a kind, by key.
func (p *phone) stored(kind string) (keys []string, values [][]byte) {
	p.Helper()
	snap := p.kv.Snapshot()
	defer snap.Close()
	for e, err := range snap.Scan(context.Background(), "") {
		must(p, err)
		if strings.Contains(e.Key, "/"+kind+"/") || strings.HasSuffix(e.Key, "/"+kind) {
			keys, values = append(keys, e.Key), append(values, e.Value)
		}
	}
	return keys, values
}

func (p *phone) write(key string, value []byte) {
	p.Helper()
	_, err := p.kv.Commit(context.Background(), &kv.Batch{ID: kv.NewCommitID(1), Writes: []kv.Write{{Key: key, Value: value}}})
	must(p, err)
}

// damage changes a byte of the only record of a kind, and returns what undoes that.
func (p *phone) damage(kind string) (undo func()) {
	p.Helper()
	keys, values := p.stored(kind)
	if len(keys) != 1 {
		p.Fatalf("%d records of kind %s", len(keys), kind)
	}
	bad := bytes.Clone(values[0])
	bad[len(bad)/2] ^= 1
	p.write(keys[0], bad)
	return func() { p.write(keys[0], values[0]) }
}

func (p *phone) own() ratchet.PublicKey {
	p.Helper()
	own, err := p.account.Identity(context.Background())
	must(p, err)
	return own.Curve25519
}

func (p *phone) repair() {
	p.Helper()
	check := func(ctx context.Context) ([]records.Finding, error) {
		return upkeep.Check(ctx, p.account, records.Kinds())
	}
	_, err := upkeep.Repair(context.Background(), p.account, check)
	must(p, err)
}

// TestDamageKeepsEvents: what our damage keeps from being read keeps nothing else,
// nor the token, and is read as if it had just come once the damage is gone.
func TestDamageKeepsEvents(t *testing.T) {
	alice, bob, carol := newPhone(t, memkv.New()), newPeer(t, "@bob:example.org", "LAPTOP"), newPeer(t, "@carol:example.org", "LAPTOP")
	alice.sync("T1", bob.roomKey(alice, "one"))
	alice.damage("session")
	key, call := bob.roomKey(alice, "two"), bob.event(alice, "m.call", map[string]any{"n": 1})
	for _, token := range []string{"T2", "T3"} { // the events come twice
		out := alice.sync(token, key, carol.event(alice, "m.custom", map[string]any{}), call)
		if len(out.Events) != 1 || !out.Advanced || len(out.Refused) != 2 || !out.Refused[0].Kept || !machine.IsDamage(out.why(t, 0)) {
			t.Fatalf("%+v", out)
		}
	}
	if keys, _ := alice.stored("unread"); len(keys) != 2 {
		t.Errorf("%d events are kept", len(keys))
	}
	if out := alice.sync("T4"); len(out.Refused)+len(out.Events) > 0 {
		t.Errorf("tried before anything was repaired: %+v", out)
	}
	alice.repair()
	out := alice.sync("T5")
	if alice.shelf(records.UnreadEvents.Shelf).Due {
		t.Error("they are tried for ever")
	}
	// What was repaired is gone for good: so are its messages, and not as damage.
	for _, r := range out.Refused {
		if machine.IsDamage(r.Err) || r.Kept || r.Index != Earlier {
			t.Errorf("%+v", r)
		}
	}
	if keys, _ := alice.stored("unread"); len(out.Refused) != 2 || len(keys) != 0 {
		t.Errorf("%d are refused, %d kept", len(out.Refused), len(keys))
	}
	alice.intact()
}

// TestDamageThatHeals: the record comes back, from a copy of the files, say.
func TestDamageThatHeals(t *testing.T) {
	for _, kind := range []string{"session", "sender", "receipt", "peer"} {
		t.Run(kind, func(t *testing.T) {
			alice, bob := newPhone(t, memkv.New()), newPeer(t, "@bob:example.org", "LAPTOP")
			first := bob.event(alice, "m.call", map[string]any{"n": 0})
			alice.sync("T1", first)
			undo := alice.damage(kind)
			other := alice.on(alice.kv) // without hints
			out := other.sync("T2", first, bob.roomKey(alice, "two"), bob.event(alice, "m.call", map[string]any{"n": 1}))
			kept := len(out.Refused)
			if kept == 0 && kind != "peer" || !out.Advanced {
				t.Fatalf("%+v", out)
			}
			undo()
			alice.repair()
			again := other.sync("T3")
			if len(again.Refused) > 0 || len(again.Events)+len(again.RoomKeys) != kept || alice.effect("m.room_key two") != 1 {
				t.Errorf("%d kept, then %+v", kept, again)
			}
			for _, e := range again.Events {
				if came := parseEvent(0, e.Kept, jsonobject.Members, alice.own()); came.kind != typeEncrypted || came.sender != "@bob:example.org" || came.err != nil {
					t.Errorf("%s was kept as %s", e.Type, e.Kept)
				}
			}
			if keys, _ := alice.stored("unread"); len(keys) != 0 || len(other.sync("T4").Events) > 0 {
				t.Errorf("%d are left", len(keys))
			}
			alice.intact()
		})
	}
}

// TestPoison: what an event is for fails as damaged: the step is kept, and the event
// is tried again by it.
func TestPoison(t *testing.T) {
	alice, bob := newPhone(t, memkv.New()), newPeer(t, "@bob:example.org", "LAPTOP")
	out := alice.sync("T1", bob.roomKey(alice, "broken"), bob.roomKey(alice, "two"))
	if !out.Advanced || alice.effect("m.room_key two") != 1 || !out.Refused[0].Kept {
		t.Fatalf("%+v", out)
	}
	alice.repair()
	alice.others.RoomKey = func(tx *txn.Tx, _ account.Account, m Message) ([]RoomKey, error) { return nil, leave(tx, "taken") }
	if out := alice.sync("T2"); len(out.Refused) > 0 || alice.effect("taken") != 1 {
		t.Errorf("%+v", out)
	}
	if out := alice.sync("T3"); len(out.Refused) > 0 || alice.effect("taken") != 1 {
		t.Errorf("%+v", out)
	}
	alice.intact()
}

// TestDamagedLists: what lists the events that are kept is no more needed than they
// are.
func TestDamagedLists(t *testing.T) {
	for _, kind := range []string{"refused-list", "unread-list"} {
		alice, bob := newPhone(t, memkv.New()), newPeer(t, "@bob:example.org", "LAPTOP")
		bad := plain("@bob:example.org", "m.room_key", map[string]any{})
		alice.sync("T1", bob.roomKey(alice, "broken"), bad)
		alice.damage(kind)
		out := alice.sync("T2", bob.roomKey(alice, "broken"), plain("@bob:example.org", "m.dummy", map[string]any{}), bob.roomKey(alice, "two"))
		if !out.Advanced || len(out.Refused) != 2 || out.Refused[0].Kept != (kind == "refused-list") || alice.effect("m.room_key two") != 1 {
			t.Errorf("%s: %+v", kind, out)
		}
		if _, err := upkeep.Sweep(t.Context(), alice.account, records.Kinds(), time.Now()); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
		alice.repair()
		alice.intact()
		if refused := alice.shelf(records.RefusedEvents.Shelf); len(refused.Items) == 0 {
			t.Errorf("%s: nothing is listed", kind)
		}
		if out := alice.sync("T3", bad); !out.Advanced || len(out.Refused) == 0 {
			t.Errorf("%s: %+v", kind, out)
		}
		alice.intact()
	}
}

// TestFlood: of what one sender's events leave behind there is a bound, and others
// have their places.
func TestFlood(t *testing.T) {
	alice := newPhone(t, memkv.New())
	var events []any
	for i := range 3 * records.MaxOfSender {
		events = append(events, plain("@mallory:example.org", "m.room_key", map[string]any{"n": i}))
	}
	events = append(events, plain("@bob:example.org", "m.room_key", map[string]any{}))
	out := alice.sync("T1", events...)
	keys, _ := alice.stored("refused")
	if len(out.Refused) != len(events) || len(keys) != records.MaxOfSender+1 || alice.shelf(records.RefusedEvents.Shelf).More != 2*records.MaxOfSender {
		t.Errorf("%d refused, %d kept", len(out.Refused), len(keys))
	}
	events = events[:records.MaxOfSender+1]
	for n := range records.MaxKept / records.MaxOfSender {
		for i := range events {
			events[i] = plain(fmt.Sprintf("@mallory%d:example.org", n), "m.room_key", map[string]any{"n": i})
		}
		alice.sync("T2", events...)
	}
	if keys, _ := alice.stored("refused"); len(keys) != records.MaxKept {
		t.Errorf("%d are kept", len(keys))
	}
	alice.intact()
	if _, err := upkeep.Sweep(t.Context(), alice.account, records.Kinds(), time.Now().Add(records.KeptLife+time.Hour)); err != nil {
		t.Error(err)
	}
	if keys, _ := alice.stored("refused"); len(keys) != 0 {
		t.Errorf("%d are kept for ever", len(keys))
	}
	alice.intact()
}

// TestNoPlaceForUnread: of more events than are kept of one sender the caller is told
// that they are not.
func TestNoPlaceForUnread(t *testing.T) {
	alice, bob := newPhone(t, memkv.New()), newPeer(t, "@bob:example.org", "LAPTOP")
	var events []any
	for range records.MaxOfSender + 2 {
		events = append(events, bob.roomKey(alice, "broken"))
	}
	out := alice.sync("T1", events...)
	if len(out.Refused) != len(events) || !out.Advanced {
		t.Fatalf("%+v", out)
	}
	for n, r := range out.Refused {
		if r.Kept != (n < records.MaxOfSender) {
			t.Errorf("event %d: kept %v", n, r.Kept)
		}
	}
	alice.intact()
}

// TestDamagedToken: where the record with the token is damaged nothing is taken for
// the first sync, and once it is repaired the next one is.
func TestDamagedToken(t *testing.T) {
	alice, bob := newPhone(t, memkv.New()), newPeer(t, "@bob:example.org", "LAPTOP")
	alice.sync("T1")
	ticket := alice.ticket()
	alice.damage("sync")
	if _, err := alice.Next(t.Context(), false); !errors.Is(err, kv.ErrCorrupt) {
		t.Errorf("%v, want %v", err, kv.ErrCorrupt)
	}
	out, err := alice.Sync(t.Context(), ticket, response(t, "T2", bob.roomKey(alice, "one")))
	if !errors.Is(err, kv.ErrCorrupt) || out.Advanced || alice.effect("m.room_key one") != 1 {
		t.Errorf("%+v, %v", out, err)
	}
	alice.repair()
	if now := alice.ticket(); now.Since != "" {
		t.Errorf("the token is %q", now.Since)
	}
	if out := alice.sync("T3"); !out.Advanced || alice.effect("all outdated") != 2 {
		t.Errorf("%+v, outdated %d times", out, alice.effect("all outdated"))
	}
	alice.intact()
}

// TestKeptByAnyClock: an event that was kept while the clock was wrong is kept for its
// time from when it was right again.
func TestKeptByAnyClock(t *testing.T) {
	for name, wrong := range map[string]time.Duration{"a year behind": -365 * 24 * time.Hour, "a year ahead": 365 * 24 * time.Hour, "right": 0} {
		t.Run(name, func(t *testing.T) {
			alice, bob := newPhone(t, memkv.New()), newPeer(t, "@bob:example.org", "LAPTOP")
			right := time.Now().Add(2 * 365 * 24 * time.Hour) // the account is old
			clock := right
			alice.account.Store.Now = func() time.Time { return clock }
			alice.sync("T1", bob.event(alice, "m.call", map[string]any{}))
			clock = right.Add(wrong)
			alice.sync("T2", bob.roomKey(alice, "broken"), plain("@bob:example.org", "m.dummy", map[string]any{}))
			clock = right.Add(time.Minute)
			alice.sync("T3", bob.event(alice, "m.call", map[string]any{}))
			for _, c := range []struct {
				after time.Duration
				kept  int
			}{{time.Hour, 1}, {records.KeptLife - time.Hour, 1}, {records.KeptLife + 2*time.Hour, 0}} {
				if _, err := upkeep.Sweep(t.Context(), alice.account, records.Kinds(), right.Add(c.after)); err != nil {
					t.Fatal(err)
				}
				for _, kind := range []string{"unread", "refused"} {
					if keys, _ := alice.stored(kind); len(keys) != c.kept {
						t.Errorf("after %v %d of kind %s are kept, want %d", c.after, len(keys), kind, c.kept)
					}
				}
			}
			alice.intact()
		})
	}
}

// TestDamageOfKinds: whatever is damaged of these kinds, each call does all that does
// not need it, repair leaves an account that works, and what a newer program wrote is
// left alone.
func TestDamageOfKinds(t *testing.T) {
	for _, kind := range []string{"sync", "sender", "refused", "refused-list", "unread", "unread-list"} {
		for _, way := range []string{"flipped", "cut", "missing", "newer"} {
			t.Run(kind+" "+way, func(t *testing.T) {
				alice, bob, carol := newPhone(t, memkv.New()), newPeer(t, "@bob:example.org", "LAPTOP"), newPeer(t, "@carol:example.org", "LAPTOP")
				alice.sync("T1", bob.roomKey(alice, "broken"), plain("@bob:example.org", "m.dummy", map[string]any{}))
				ticket := alice.ticket()
				keys, values := alice.stored(kind)
				if len(keys) != 1 {
					t.Fatalf("%d records", len(keys))
				}
				switch way {
				case "flipped":
					alice.damage(kind)
				case "cut":
					alice.write(keys[0], values[0][:len(values[0])-1])
				case "missing":
					alice.drop(keys[0])
				case "newer":
					alice.write(keys[0], alice.newer(keys[0]))
				}
				harmed := way == "flipped" || way == "cut"
				_, next := alice.Next(t.Context(), false)
				out, err := alice.Sync(t.Context(), ticket, response(t, "T2", carol.roomKey(alice, "one"), plain("@bob:example.org", "m.secret.send", map[string]any{}), bob.roomKey(alice, "two")))
				_, sweep := upkeep.Sweep(t.Context(), alice.account, records.Kinds(), time.Now())
				if way == "newer" {
					if kind == "sync" && !errors.Is(next, kv.ErrNewer) || err != nil && !errors.Is(err, kv.ErrNewer) || machine.IsDamage(err) {
						t.Errorf("%v, %v", next, err)
					}
					return
				}
				if alice.effect("m.room_key one") != 1 || (next != nil || err != nil) != (harmed && kind == "sync") || sweep != nil {
					t.Errorf("next %v, %+v, %v, sweep %v", next, out, err, sweep)
				}
				if two := alice.effect("m.room_key two"); two == 1 == (harmed && kind == "sender") {
					t.Errorf("the key of who is damaged was taken %d times", two)
				}
				alice.repair()
				alice.intact()
				again := alice.sync("T3", bob.roomKey(alice, "three"))
				if !again.Advanced || alice.effect("m.room_key two") != 1 || alice.effect("m.room_key three") != 1 {
					t.Errorf("repaired: %+v", again)
				}
				alice.intact()
			})
		}
	}
}

func (p *phone) drop(key string) {
	p.Helper()
	_, err := p.kv.Commit(context.Background(), &kv.Batch{ID: kv.NewCommitID(1), Writes: []kv.Write{{Key: key, Delete: true}}})
	must(p, err)
}

// newer is a record of a version that nobody knows yet.
func (p *phone) newer(key string) []byte {
	p.Helper()
	snap := p.kv.Snapshot()
	defer snap.Close()
	ring, err := snap.Get(context.Background(), machine.KeyringKey)
	must(p, err)
	opened, err := txn.Plaintext.Open(nil, machine.KeyringKey, ring[0].Value)
	must(p, err)
	keyring, err := seal.Open(opened, seal.RawKey([32]byte{1}))
	must(p, err)
	return keyring.Seal(nil, key, []byte{99, 0x90})
}
