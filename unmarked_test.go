package pawl_test

import (
	"errors"
	"testing"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/kv"
)

// TestUnmarkedAccount: an account whose record could not be read when the store was
// found to be older than it was needs its recovery when it can be read again,
// whoever opens it then.
func TestUnmarkedAccount(t *testing.T) {
	for way, harm := range harms {
		if way == "missing" {
			continue // nobody can know that it was there
		}
		w := newWard(t).harmed(t, "account", harm)
		w.keychain.mark.Head += 5
		at, err := w.reopen(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if m, err := at.Machine(t.Context(), w.phone.id.UserID, "TABLET"); err != nil {
			t.Fatal(err)
		} else if _, err := m.KeysForUpload(t.Context(), 1); !errors.Is(err, pawl.ErrNeedsRecovery) {
			t.Errorf("%s: the other account: %v", way, err)
		}
		commit(t, w.phone.kv, kv.Write{Key: w.keys["account"], Value: w.value("account")})
		w.phone.store = at
		for _, who := range []string{"the handle that found it", "another handle"} {
			m, err := w.phone.store.Machine(t.Context(), w.phone.id.UserID, w.phone.id.DeviceID)
			if err != nil {
				t.Fatal(err)
			}
			_, sending := m.Encrypt(t.Context(), w.bob.id.Curve25519, nil)
			_, needed, err := m.NeedsRecovery(t.Context())
			if !errors.Is(sending, pawl.ErrNeedsRecovery) || !needed || err != nil {
				t.Errorf("%s, %s: encrypts with %v, and needs recovery %v, %v", way, who, sending, needed, err)
			}
			if w.phone.store, err = w.reopen(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		var err2 error
		if w.phone.Machine, err2 = w.phone.store.Machine(t.Context(), w.phone.id.UserID, w.phone.id.DeviceID); err2 != nil {
			t.Fatal(err2)
		}
		w.phone.recover()
		w.phone.needsNoRecovery()
		if _, _, err := at.Retirements(t.Context()); err != nil {
			t.Error(err)
		}
		w.phone.send(w.bob, "again", pawl.WithOneTimeKey(w.bobsKey))
		if found := w.check(); len(found) > 0 {
			t.Errorf("%s: check finds %v", way, found)
		}
	}
}

// TestUnmarkedRecovers: the handle that found it recovers the account.
func TestUnmarkedRecovers(t *testing.T) {
	w := newWard(t).harmed(t, "account", harms["flipped"])
	w.keychain.mark.Head += 5
	var err error
	if w.phone.store, err = w.reopen(t.Context()); err != nil {
		t.Fatal(err)
	}
	commit(t, w.phone.kv, kv.Write{Key: w.keys["account"], Value: w.value("account")})
	if w.phone.Machine, err = w.phone.store.Machine(t.Context(), w.phone.id.UserID, w.phone.id.DeviceID); err != nil {
		t.Fatal(err)
	}
	w.phone.recover()
	w.phone.needsNoRecovery()
	w.phone.on(w.phone.kv, pawl.WithWitness(w.keychain)).needsNoRecovery()
}

// TestUnstoppedSession: a session that could not be read when the account was
// recovered is not sent in when somebody puts it back.
func TestUnstoppedSession(t *testing.T) {
	for way, harm := range harms {
		w := newWard(t).harmed(t, "carol's session", harm)
		w.phone.recover()
		commit(t, w.phone.kv, kv.Write{Key: w.keys["carol's session"], Value: w.value("carol's session")})
		if _, err := w.phone.Encrypt(t.Context(), w.carol.id.Curve25519, nil); !errors.Is(err, pawl.ErrNoSession) {
			t.Errorf("%s: encrypts with %v, want ErrNoSession", way, err)
		}
		if _, err := w.phone.store.Repair(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := w.phone.Encrypt(t.Context(), w.carol.id.Curve25519, nil); !errors.Is(err, pawl.ErrNoSession) {
			t.Errorf("%s: encrypts with %v after repair, want ErrNoSession", way, err)
		}
		w.phone.receive(w.carol, w.ofCarol)
		w.phone.intact()
	}
}

// TestDamagedNoteOfUnmarked: where nobody knows any more which account it was, all
// must be recovered.
func TestDamagedNoteOfUnmarked(t *testing.T) {
	w := newWard(t).harmed(t, "account", harms["flipped"])
	w.keychain.mark.Head += 5
	if _, err := w.reopen(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, e := range back(t, w.phone.kv).entries {
		if kind, found := w.keys["account"], e.Key; kind != found && len(e.Key) > 11 && e.Key[:11] == "_/unmarked/" {
			putRaw(t, w.phone.kv, e.Key, "damaged")
		}
	}
	commit(t, w.phone.kv, kv.Write{Key: w.keys["account"], Value: w.value("account")})
	var err error
	if w.phone.store, err = w.reopen(t.Context()); err != nil {
		t.Fatal(err)
	}
	done, err := w.phone.store.Repair(t.Context())
	if err != nil || len(done) != 1 || done[0].Kind != "unmarked" {
		t.Errorf("repair does %v, %v", done, err)
	}
	if found := w.check(); len(found) > 0 {
		t.Errorf("check finds %v", found)
	}
	m, err := w.phone.store.Machine(t.Context(), w.phone.id.UserID, w.phone.id.DeviceID)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Encrypt(t.Context(), w.bob.id.Curve25519, nil); !errors.Is(err, pawl.ErrNeedsRecovery) {
		t.Errorf("encrypts with %v, want ErrNeedsRecovery", err)
	}
}
