package pawl_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/session"
)

// repaired says what a record leaves when it was damaged and repaired: the codes
// of the calls that would have needed it, and which other records repair
// changed. All other calls do what they always do, and report nothing.
var repaired = map[string]struct {
	codes   map[string]pawl.Code
	missing map[string]pawl.Code // where that is another answer; nil: the same
	touches []string
}{
	"account":  {codes: all("set_aside", append(ofAccount, "inspect", "check"))},
	"tablet":   {codes: all("set_aside", []string{"the tablet"}), missing: all("no_account", []string{"the tablet"})},
	"pool":     {codes: map[string]pawl.Code{"mark published": "key_stage"}, touches: []string{"account"}},
	"used key": {touches: []string{"pool"}},
	"fresh key": {
		codes: map[string]pawl.Code{"decrypt fresh": "unknown_one_time_key"}, touches: []string{"pool"},
	},
	"fallback key": {
		codes: map[string]pawl.Code{"decrypt by fallback": "unknown_one_time_key"}, touches: []string{"pool"},
	},
	"bob":   {codes: map[string]pawl.Code{"encrypt for bob": "no_session"}, touches: []string{"session one", "session two"}},
	"carol": {codes: map[string]pawl.Code{"encrypt for carol": "no_session"}, touches: []string{"carol's session"}},
	"session one": {
		codes: map[string]pawl.Code{"decrypt in one": "session_pruned"}, touches: []string{"bob"},
	},
	"session two": { // the message names no session, and none that is left is its own
		codes: map[string]pawl.Code{"decrypt in two": "unknown_chain"}, touches: []string{"bob"},
	},
	"carol's session": {
		codes:   map[string]pawl.Code{"decrypt carol's": "session_pruned", "encrypt for carol": "no_session"},
		touches: []string{"carol"},
	},
	"receipt": {
		codes:   map[string]pawl.Code{"decrypt seen": "already_processed"},
		missing: map[string]pawl.Code{"decrypt seen": "key_gone"},
	},
	"other receipt": {},
	"witness": {
		codes: all("needs_recovery", []string{
			"encrypt for bob", "encrypt for carol", "open for bob", "open for dave", "keys for upload", "the tablet",
		}),
		touches: []string{"account", "tablet"},
	},
	"witnessed": {
		codes: all("needs_recovery", []string{
			"encrypt for bob", "encrypt for carol", "open for bob", "open for dave", "keys for upload", "the tablet",
		}),
		missing: map[string]pawl.Code{},
		touches: []string{"account", "tablet"},
	},
}

func all(code pawl.Code, calls []string) map[string]pawl.Code {
	codes := map[string]pawl.Code{}
	for _, call := range calls {
		codes[call] = code
	}
	return codes
}

// TestRepair: of a store in which one record is damaged Check says all that is
// lost, Repair does that and nothing else, and then no call fails for damage.
func TestRepair(t *testing.T) {
	w := newWard(t)
	for name, want := range repaired {
		for way, harm := range harms {
			t.Run(name+" "+way, func(t *testing.T) {
				harmed := w.harmed(t, name, harm)
				before := back(t, harmed.phone.kv)
				found := harmed.check()
				harmed.repairs(found)
				harmed.onlyTouched(before, append(want.touches, name))
				codes := want.codes
				if way == "missing" && want.missing != nil {
					codes = want.missing
				}
				fixed := back(t, harmed.phone.kv)
				for call, make := range calls {
					again := harmed.in(fixed.restore(t))
					if again == nil {
						continue // the account is lost
					}
					told, err := make(t.Context(), again)
					if code := pawl.CodeOf(err); code != codes[call] || told > 0 {
						t.Errorf("%s: %d damaged, code %q, %v; want code %q", call, told, code, err, codes[call])
					}
				}
			})
		}
	}
}

// check returns what Store.Check finds.
func (w *ward) check() []pawl.Finding {
	w.phone.t.Helper()
	found, err := w.phone.store.Check(w.phone.ctx)
	if err != nil {
		w.phone.t.Fatal(err)
	}
	return found
}

// repairs fails the test unless Repair does what was found, and leaves nothing.
func (w *ward) repairs(found []pawl.Finding) {
	t := w.phone.t
	t.Helper()
	done, err := w.phone.store.Repair(w.phone.ctx)
	if err != nil || !slices.Equal(done, found) {
		t.Errorf("repair does %v, %v; want %v", done, err, found)
	}
	if left := w.check(); len(left) > 0 {
		t.Errorf("check finds %v after repair", left)
	}
}

// onlyTouched fails the test if other records than these have changed. What was
// set aside, and keys that repair made, are new.
func (w *ward) onlyTouched(before backup, names []string) {
	t := w.phone.t
	t.Helper()
	after := map[string]string{}
	for _, e := range back(t, w.phone.kv).entries {
		after[e.Key] = string(e.Value)
	}
	for _, e := range before.entries {
		touched := slices.ContainsFunc(names, func(name string) bool { return w.keys[name] == e.Key })
		if value, there := after[e.Key]; !touched && (!there || value != string(e.Value)) {
			t.Errorf("repair of the %s changes %s", names[len(names)-1], e.Key)
		}
		delete(after, e.Key)
	}
	for key := range after {
		if kind := strings.Split(key, "/")[1]; kind != "aside" && kind != "otk" && !w.named(key) {
			t.Errorf("repair of the %s makes %s", names[len(names)-1], key)
		}
	}
}

// in returns the ward with its phone opened in another store, or nil if there is
// no such account any more.
func (w *ward) in(store kv.Store) *ward {
	other, phone := *w, *w.phone
	phone.kv, other.phone, other.keychain = store, &phone, &keychain{mark: w.keychain.mark}
	var err error
	if phone.store, err = other.reopen(phone.ctx); err != nil {
		phone.t.Fatal(err)
	}
	phone.Machine, err = phone.store.Machine(phone.ctx, phone.id.UserID, phone.id.DeviceID)
	switch {
	case errors.Is(err, pawl.ErrSetAside):
		return nil
	case err != nil:
		phone.t.Fatal(err)
	}
	return &other
}

// TestRepairKeyring: nothing opens without the keyring, and there is no second.
func TestRepairKeyring(t *testing.T) {
	w := newWard(t).harmed(t, "keyring", harms["flipped"])
	before := dump(t, w.phone.kv)
	done, err := w.phone.store.Repair(t.Context())
	if err != nil || len(done) != 1 || done[0].Kind != "keyring" || done[0].Repair != "" {
		t.Errorf("repair does %v, %v", done, err)
	}
	if after := dump(t, w.phone.kv); len(after) != len(before) {
		t.Error("repair has changed the store")
	}
}

// TestRepairLeavesNewerAlone: where a newer program wrote anything nothing is set
// aside, whatever else is damaged.
func TestRepairLeavesNewerAlone(t *testing.T) {
	w := newWard(t)
	for name := range w.keys {
		other := "other receipt"
		if name == other {
			other = "receipt"
		}
		harmed := w.harmed(t, name, newer)
		value := harms["flipped"](w, other)
		commit(t, harmed.phone.kv, kv.Write{Key: w.keys[other], Value: value})
		harmed.phone.unchanged(func() {
			_, checking := harmed.phone.store.Check(t.Context())
			done, err := harmed.phone.store.Repair(t.Context())
			if pawl.CodeOf(err) != "newer" || pawl.CodeOf(checking) != "newer" || len(done) > 0 {
				t.Errorf("%s: check %v, repair %v, %v; want what is newer", name, checking, done, err)
			}
		})
	}
}

// TestRepairSeveral: whatever is damaged together, repair leaves nothing, and no
// call fails for damage. Nothing that was used before is used again.
func TestRepairSeveral(t *testing.T) {
	w := newWard(t)
	var names, ways []string
	for name := range w.keys {
		if name != "keyring" && name != "account" {
			names = append(names, name)
		}
	}
	for way := range harms {
		ways = append(ways, way)
	}
	slices.Sort(names)
	slices.Sort(ways)
	rapid.Check(t, func(r *rapid.T) {
		chosen := rapid.SliceOfNDistinct(rapid.SampledFrom(names), 2, 6, rapid.ID).Draw(r, "records")
		harmed := w.harmed(t, chosen[0], (*ward).value)
		for _, name := range chosen {
			value := harms[rapid.SampledFrom(ways).Draw(r, name)](w, name)
			commit(t, harmed.phone.kv, kv.Write{Key: w.keys[name], Value: value, Delete: value == nil})
		}
		for _, f := range harmed.check() {
			if f.Repair == "" {
				r.Fatalf("nothing can be done about %v", f)
			}
		}
		if _, err := harmed.phone.store.Repair(t.Context()); err != nil {
			r.Fatal(err)
		}
		if left := harmed.check(); len(left) > 0 {
			r.Fatalf("check finds %v after repair", left)
		}
		fixed := back(t, harmed.phone.kv)
		for call, make := range calls {
			told, err := make(t.Context(), harmed.in(fixed.restore(t)))
			if told > 0 || errors.Is(err, kv.ErrCorrupt) {
				r.Errorf("%s: %d damaged, %v", call, told, err)
			}
		}
	})
}

// TestRepairedPool: no id of the lost pool is given out again, and no key of it is
// offered; messages under them are still read.
func TestRepairedPool(t *testing.T) {
	for way, harm := range harms {
		w := newWard(t).harmed(t, "pool", harm)
		w.repairs(w.check())
		before := w.phone.inspect().Keys
		u, fresh, _ := w.phone.upload(3)
		if before.Generated+before.Offered+before.Published > 0 || u.OneTimeKeys[0] < before.NextID || before.NextID < 1<<20 || u.Fallback < 1<<20 {
			t.Errorf("%s: %+v, and then keys %v and fallback key %v", way, before, u.OneTimeKeys, u.Fallback)
		}
		w.phone.receive(w.bob, w.fresh)
		w.phone.receive(w.dave, w.byFallback)
		for _, key := range fresh {
			w.phone.receive(w.carol, w.carol.send(w.phone, "new", pawl.WithOneTimeKey(key)))
		}
		w.phone.intact()
	}
}

// TestRecoverLostPool: a recovery makes a lost pool again, and then finishes.
func TestRecoverLostPool(t *testing.T) {
	w := newWard(t).harmed(t, "pool", harms["flipped"])
	if done := w.phone.recover(); done.Damaged != 1 {
		t.Errorf("recovering: %+v", done)
	}
	w.phone.needsNoRecovery()
	if u, _, _ := w.phone.upload(1); u.OneTimeKeys[0] < 1<<21 {
		t.Errorf("the next key is %v", u.OneTimeKeys)
	}
	w.phone.intact()
}

// TestDamagedCopy: a copy of what was set aside that is damaged itself is found,
// and removed.
func TestDamagedCopy(t *testing.T) {
	for _, name := range []string{"receipt", "tablet"} {
		w := newWard(t).harmed(t, name, harms["flipped"])
		w.repairs(w.check())
		for _, e := range back(t, w.phone.kv).entries {
			if strings.Split(e.Key, "/")[1] == "aside" {
				putRaw(t, w.phone.kv, e.Key, "damaged")
			}
		}
		found := w.check()
		if len(found) != 1 || found[0].Kind != "aside" {
			t.Errorf("check finds %v", found)
		}
		w.repairs(found)
	}
}

// TestPeerFullOfDamage: a peer all of whose sessions are damaged can open another.
func TestPeerFullOfDamage(t *testing.T) {
	alice, bob := pair(t)
	alice.fill(bob, session.MaxPerPeer, bob.oneTimeKey)
	for _, e := range back(t, bob.kv).entries {
		if strings.Split(e.Key, "/")[1] == "session" {
			putRaw(t, bob.kv, e.Key, "damaged")
		}
	}
	got := bob.receive(alice, alice.send(bob, "one more", pawl.WithOneTimeKey(bob.oneTimeKey())))
	if got.Damaged != session.MaxPerPeer {
		t.Errorf("%d damaged records reported", got.Damaged)
	}
	if n := len(bob.sessions(alice)); n != 1 {
		t.Errorf("%d sessions can be read, want the new one", n)
	}
	alice.receive(bob, bob.send(alice, "in the new one"))
	// One was set aside to make place: repair does the rest.
	done, err := bob.store.Repair(t.Context())
	if err != nil || len(done) != session.MaxPerPeer-1 {
		t.Errorf("repair does %d things, %v", len(done), err)
	}
	bob.intact()
}
