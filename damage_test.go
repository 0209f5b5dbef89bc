package pawl_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/otk"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/session"
)

// answer is what a call does on a store in which one record is damaged.
type answer string

const (
	does    answer = "does all, and has nothing to report"
	tells   answer = "does all, and reports what it did without"
	corrupt answer = "fails with kv.ErrCorrupt"
	other   answer = "fails with another error"
)

// calls are those of a Machine and a Store. Each returns how many damaged records
// it reported.
var calls = map[string]func(ctx context.Context, w *ward) (told int, err error){
	"decrypt seen":        decrypts(func(w *ward) (*device, ratchet.Message) { return w.bob, w.seen }, "seen"),
	"decrypt in one":      decrypts(func(w *ward) (*device, ratchet.Message) { return w.bob, w.inOne }, "in one"),
	"decrypt in two":      decrypts(func(w *ward) (*device, ratchet.Message) { return w.bob, w.inTwo }, "in two"),
	"decrypt fresh":       decrypts(func(w *ward) (*device, ratchet.Message) { return w.bob, w.fresh }, "fresh"),
	"decrypt carol's":     decrypts(func(w *ward) (*device, ratchet.Message) { return w.carol, w.ofCarol }, "of carol"),
	"decrypt stranger's":  decrypts(func(w *ward) (*device, ratchet.Message) { return w.dave, w.stranger }, "stranger"),
	"decrypt by fallback": decrypts(func(w *ward) (*device, ratchet.Message) { return w.dave, w.byFallback }, "by fallback"),
	"decrypt for no key": func(ctx context.Context, w *ward) (int, error) {
		_, err := w.phone.Decrypt(ctx, w.dave.id.Curve25519, w.forNoKey)
		if errors.Is(err, pawl.ErrUnknownOneTimeKey) {
			err = nil
		}
		return 0, err
	},
	"encrypt for bob": func(ctx context.Context, w *ward) (int, error) {
		return w.encrypts(ctx, w.bob)
	},
	"encrypt for carol": func(ctx context.Context, w *ward) (int, error) {
		return w.encrypts(ctx, w.carol)
	},
	"open for bob": func(ctx context.Context, w *ward) (int, error) {
		return w.encrypts(ctx, w.bob, pawl.WithOneTimeKey(w.bobsKey))
	},
	"open for dave": func(ctx context.Context, w *ward) (int, error) {
		return w.encrypts(ctx, w.dave, pawl.WithOneTimeKey(w.daveKey))
	},
	"acknowledge": func(ctx context.Context, w *ward) (int, error) {
		return 0, w.phone.Acknowledge(ctx, w.receipts[0].Receipt, session.ReceiptID{9}, w.receipts[1].Receipt)
	},
	"keys for upload": func(ctx context.Context, w *ward) (int, error) {
		u, err := w.phone.KeysForUpload(ctx, 3)
		if err == nil && len(u.OneTimeKeys) != 3 {
			err = fmt.Errorf("%d keys", len(u.OneTimeKeys))
		}
		return 0, err
	},
	"mark published": func(ctx context.Context, w *ward) (int, error) { return 0, w.phone.MarkPublished(ctx, w.offered) },
	"abandon":        func(ctx context.Context, w *ward) (int, error) { return 0, w.phone.Abandon(ctx, w.offered) },
	"outstanding":    func(ctx context.Context, w *ward) (int, error) { _, err := w.phone.Outstanding(ctx); return 0, err },
	"sweep": func(ctx context.Context, w *ward) (int, error) {
		done, err := w.phone.Sweep(ctx, w.phone.clock.now().Add(30*24*time.Hour))
		return done.Damaged, err
	},
	"inspect": func(ctx context.Context, w *ward) (int, error) {
		in, err := w.phone.Inspect(ctx)
		return len(in.Damaged), err
	},
	"recover": func(ctx context.Context, w *ward) (int, error) {
		done, err := w.phone.Recover(ctx)
		return done.Damaged, err
	},
	"check": func(ctx context.Context, w *ward) (int, error) {
		lines, err := w.phone.Check(ctx)
		return len(lines), err
	},
	"needs recovery": func(ctx context.Context, w *ward) (int, error) {
		_, _, err := w.phone.NeedsRecovery(ctx)
		return 0, err
	},
	"identity": func(ctx context.Context, w *ward) (int, error) { _, err := w.phone.Identity(ctx); return 0, err },

	"open": func(ctx context.Context, w *ward) (int, error) { _, err := w.reopen(ctx); return 0, err },
	"accounts": func(ctx context.Context, w *ward) (int, error) {
		_, err := w.phone.store.Accounts(ctx)
		return 0, err
	},
	"the tablet": func(ctx context.Context, w *ward) (int, error) {
		m, err := w.phone.store.Machine(ctx, "@alice:example.org", "TABLET")
		if err == nil {
			_, err = m.KeysForUpload(ctx, 1)
		}
		return 0, err
	},
	"create": func(ctx context.Context, w *ward) (int, error) {
		_, err := w.phone.store.Create(ctx, "@alice:example.org", "NEW")
		return 0, err
	},
	"create the same": func(ctx context.Context, w *ward) (int, error) {
		_, err := w.phone.store.Create(ctx, w.phone.id.UserID, w.phone.id.DeviceID)
		if errors.Is(err, pawl.ErrAccountExists) {
			err = nil
		} else if err == nil {
			err = errors.New("a new identity replaced another")
		}
		return 0, err
	},
	"retirements": func(ctx context.Context, w *ward) (int, error) {
		_, _, err := w.phone.store.Retirements(ctx)
		return 0, err
	},
	"copy": func(ctx context.Context, w *ward) (int, error) {
		_, err := w.phone.store.CopyTo(ctx, newMemory(), nil)
		return 0, err
	},
	"retire": func(ctx context.Context, w *ward) (int, error) {
		c, err := w.phone.store.CopyTo(ctx, newMemory(), nil)
		if err == nil {
			err = w.phone.store.Retire(ctx, c, account.Retirement{Target: "t", Path: "/new"})
		}
		return 0, err
	},
	"complete the copy": func(ctx context.Context, w *ward) (int, error) {
		to := newMemory()
		c, err := w.phone.store.CopyTo(ctx, to, nil)
		if err == nil {
			err = w.phone.store.Retire(ctx, c, account.Retirement{Target: "t", Path: "/new"})
		}
		if err == nil {
			err = w.phone.store.CompleteCopy(ctx, to, &keychain{})
		}
		return 0, err
	},
	"change the key": func(ctx context.Context, w *ward) (int, error) {
		return 0, w.phone.store.ChangeKey(ctx, [32]byte{9})
	},
}

// decrypts returns the call that decrypts a message.
func decrypts(which func(*ward) (*device, ratchet.Message), text string) func(context.Context, *ward) (int, error) {
	return func(ctx context.Context, w *ward) (int, error) {
		from, m := which(w)
		got, err := w.phone.Decrypt(ctx, from.id.Curve25519, m)
		if err == nil && string(got.Plaintext) != text {
			err = fmt.Errorf("the plaintext is %q", got.Plaintext)
		}
		return got.Damaged, err
	}
}

// encrypts encrypts what the other device must be able to read.
func (w *ward) encrypts(ctx context.Context, to *device, opts ...pawl.EncryptOption) (int, error) {
	e, err := w.phone.Encrypt(ctx, to.id.Curve25519, []byte("text"), opts...)
	if err != nil {
		return 0, err
	}
	reader := to.on(back(w.phone.t, to.kv).restore(w.phone.t))
	if got := reader.receive(w.phone, e.Message); string(got.Plaintext) != "text" {
		err = fmt.Errorf("the plaintext is %q", got.Plaintext)
	}
	return e.Damaged, err
}

func (w *ward) reopen(ctx context.Context) (*pawl.Store, error) {
	return pawl.Open(ctx, w.phone.kv, testKey, pawl.WithClock(w.phone.clock.now), pawl.WithWitness(w.keychain))
}

// answers are those of the calls that need a record, or report that it is
// damaged. All other calls do what they always do.
type answers map[answer][]string

// needs are the answers for each record of the ward.
var needs = map[string]struct {
	damaged answers
	missing answers // nil: the same, since others name the record
}{
	"account": {
		damaged: answers{tells: {"inspect", "check"}, corrupt: slices.Concat(ofAccount, ofAllAccounts)},
		missing: answers{tells: {"inspect", "check"}, corrupt: ofAccount}, // others cannot know that it was there
	},
	"tablet": {
		damaged: answers{corrupt: append([]string{"the tablet"}, ofAllAccounts...)},
		missing: answers{other: {"the tablet"}}, // it has no other record
	},
	"pool": {damaged: answers{
		tells:   {"inspect", "sweep", "recover", "check"},
		corrupt: {"keys for upload", "mark published", "abandon", "outstanding", "decrypt for no key"},
	}},
	"used key":  {damaged: answers{tells: {"inspect", "sweep", "check"}}},
	"fresh key": {damaged: answers{tells: {"inspect", "sweep", "check"}, corrupt: {"decrypt fresh"}}},
	"fallback key": {
		damaged: answers{tells: {"inspect", "sweep", "check"}, corrupt: {"decrypt by fallback"}},
		missing: answers{tells: {"check"}, corrupt: {"decrypt by fallback"}},
	},
	"bob": {damaged: answers{
		tells:   {"decrypt in two", "inspect", "check"}, // what names its session needs nothing else
		corrupt: {"decrypt fresh", "encrypt for bob", "open for bob"},
	}},
	"carol": {damaged: answers{tells: {"inspect", "check"}, corrupt: {"encrypt for carol"}}},
	"session one": {
		damaged: answers{tells: append([]string{"decrypt in two", "sweep", "recover"}, besideBroken...), corrupt: {"decrypt in one"}},
		missing: answers{tells: append([]string{"decrypt in two", "recover"}, besideBroken...), corrupt: {"decrypt in one"}},
	},
	"session two": {
		damaged: answers{tells: append([]string{"sweep", "recover"}, besideBroken...), corrupt: {"decrypt in two"}},
		missing: answers{tells: append([]string{"recover"}, besideBroken...), corrupt: {"decrypt in two"}},
	},
	"carol's session": {
		damaged: answers{tells: {"sweep", "recover", "inspect", "check"}, corrupt: {"decrypt carol's", "encrypt for carol"}},
		missing: answers{tells: {"recover", "inspect", "check"}, corrupt: {"decrypt carol's", "encrypt for carol"}},
	},
	"receipt": {
		damaged: answers{tells: {"sweep", "inspect", "check"}, corrupt: {"decrypt seen", "acknowledge"}},
		missing: answers{other: {"decrypt seen"}}, // nothing names a receipt: the message's key is gone
	},
	"other receipt": {
		damaged: answers{tells: {"sweep", "inspect", "check"}, corrupt: {"acknowledge"}},
		missing: answers{},
	},
	"witness": {damaged: answers{corrupt: {"retire", "complete the copy"}}},
	"witnessed": {
		damaged: answers{corrupt: {"retire", "complete the copy"}},
		missing: answers{}, // a store from before has none
	},
	"keyring": {damaged: answers{corrupt: {"open", "change the key", "retire", "complete the copy"}}},
}

// ofAccount are the calls for which nothing is done without the account's own
// record, and ofAllAccounts those that are about all of a store's.
var (
	ofAccount = []string{
		"decrypt seen", "decrypt in one", "decrypt in two", "decrypt fresh", "decrypt carol's", "decrypt stranger's",
		"decrypt by fallback", "decrypt for no key",
		"encrypt for bob", "encrypt for carol", "open for bob", "open for dave", "acknowledge",
		"keys for upload", "mark published", "abandon", "outstanding", "sweep", "recover", "needs recovery", "identity", "create the same",
	}
	ofAllAccounts = []string{"accounts", "retirements", "retire", "complete the copy"}
	// besideBroken go on with a peer's other sessions.
	besideBroken = []string{"decrypt fresh", "encrypt for bob", "inspect", "check"}
)

// TestDamage damages each record in each way and makes every call: it does all
// that does not need the record, and reports it.
func TestDamage(t *testing.T) {
	w := newWard(t)
	for name := range w.keys {
		for way, harm := range harms {
			t.Run(name+" "+way, func(t *testing.T) {
				want := needs[name].damaged
				if way == "missing" && needs[name].missing != nil {
					want = needs[name].missing
				}
				for call, make := range calls {
					told, err := make(t.Context(), w.harmed(t, name, harm))
					if got := answerOf(told, err); got != want.of(call) {
						t.Errorf("%s %s, %v; want one that %s", call, got, err, want.of(call))
					}
				}
			})
		}
	}
}

func (a answers) of(call string) answer {
	for answer, of := range a {
		if slices.Contains(of, call) {
			return answer
		}
	}
	return does
}

// TestNoDamage: on the same ward, undamaged, no call reports anything.
func TestNoDamage(t *testing.T) {
	w := newWard(t)
	for call, make := range calls {
		whole := w.harmed(t, "bob", (*ward).value)
		if told, err := make(t.Context(), whole); answerOf(told, err) != does {
			t.Errorf("%s reports %d, %v", call, told, err)
		}
	}
}

// TestNewerIsNoDamage: a record that a newer program wrote is refused as such by
// every call that would report damage, and by none of the others.
func TestNewerIsNoDamage(t *testing.T) {
	w := newWard(t)
	for name := range w.keys {
		t.Run(name, func(t *testing.T) {
			for call, make := range calls {
				told, err := make(t.Context(), w.harmed(t, name, newer))
				concerned := needs[name].damaged.of(call) != does
				switch {
				case told > 0, errors.Is(err, kv.ErrCorrupt):
					t.Errorf("%s takes it for damage: %d reported, %v", call, told, err)
				case concerned && pawl.CodeOf(err) != "newer":
					t.Errorf("%s: %v, want what is newer", call, err)
				}
			}
		})
	}
}

// TestDamagedFallbackKey: a fallback key that cannot be read is in no body from then
// on, also where the pool has no place for another beside it.
func TestDamagedFallbackKey(t *testing.T) {
	few, full := newWard(t), newWard(t)
	for range otk.MaxFallbacks - 1 { // one each, as none is ever published
		before := back(t, full.phone.kv)
		full.phone.recover()
		full.phone.upload(0)
		full.keys["fallback key"] = newKey(before, back(t, full.phone.kv))
	}
	full.whole = back(t, full.phone.kv)
	for name, w := range map[string]*ward{"few": few, "full": full} {
		for way, harm := range harms {
			harmed := w.harmed(t, "fallback key", harm)
			before := harmed.phone.inspect().Keys.Fallback
			u, _, keys := harmed.phone.upload(0)
			if u.Fallback == before || len(keys) != 1 {
				t.Errorf("%s, %s: the body has fallback key %v, and %v cannot be read", name, way, u.Fallback, before)
			}
			if again, _, _ := harmed.phone.upload(0); again.Fallback != u.Fallback {
				t.Errorf("%s, %s: the next body has %v, want %v", name, way, again.Fallback, u.Fallback)
			}
			for _, key := range keys {
				harmed.phone.receive(w.dave, w.dave.send(harmed.phone, "by the new one", pawl.WithOneTimeKey(key)))
			}
			if found := harmed.check(); len(found) == 0 == (name == "few") {
				t.Errorf("%s, %s: check finds %v", name, way, found)
			}
			harmed.repairs(harmed.check())
		}
	}
}

// newKey returns the key of the one-time or fallback key that came into being.
func newKey(before, after backup) string {
	known := map[string]bool{}
	for _, e := range before.entries {
		known[e.Key] = true
	}
	for _, e := range after.entries {
		if strings.Split(e.Key, "/")[1] == "otk" && !known[e.Key] {
			return e.Key
		}
	}
	return ""
}

// TestDamageInBatch: the answers of a batch are those of its messages one by one,
// whichever record is damaged.
func TestDamageInBatch(t *testing.T) {
	w := newWard(t)
	batch := []pawl.Incoming{
		{Sender: w.bob.id.Curve25519, Message: w.seen}, {Sender: w.bob.id.Curve25519, Message: w.inOne},
		{Sender: w.bob.id.Curve25519, Message: w.inTwo}, {Sender: w.carol.id.Curve25519, Message: w.ofCarol},
		{Sender: w.bob.id.Curve25519, Message: w.fresh}, {Sender: w.dave.id.Curve25519, Message: w.stranger},
	}
	for name := range w.keys {
		for way, harm := range harms {
			t.Run(name+" "+way, func(t *testing.T) {
				alone, together := w.harmed(t, name, harm), w.harmed(t, name, harm)
				results, err := together.phone.DecryptBatch(t.Context(), batch)
				if len(results) != len(batch) || err != nil {
					t.Fatalf("%d results, %v", len(results), err)
				}
				for i, in := range batch {
					want, err := alone.phone.Decrypt(t.Context(), in.Sender, in.Message)
					got := results[i]
					if pawl.CodeOf(got.Err) != pawl.CodeOf(err) || string(got.Plaintext) != string(want.Plaintext) || got.Damaged != want.Damaged {
						t.Errorf("message %d: %q, %d reported, %v; want %q, %d, %v", i, got.Plaintext, got.Damaged, got.Err, want.Plaintext, want.Damaged, err)
					}
				}
			})
		}
	}
}

// TestDamageIsNoWedge: whatever is damaged, no message that decrypts without the
// damage looks as if its sender had lost the session.
func TestDamageIsNoWedge(t *testing.T) {
	w := newWard(t)
	messages := []string{"decrypt in one", "decrypt in two", "decrypt fresh", "decrypt carol's", "decrypt stranger's", "decrypt by fallback"}
	for name := range w.keys {
		for way, harm := range harms {
			for _, call := range messages {
				_, err := calls[call](t.Context(), w.harmed(t, name, harm))
				if errors.As(err, new(*pawl.UndecryptableError)) || errors.Is(err, pawl.ErrUnknownSession) || errors.Is(err, pawl.ErrUnknownOneTimeKey) {
					t.Errorf("%s %s: %s fails with %v", name, way, call, err)
				}
			}
		}
	}
}

func answerOf(told int, err error) answer {
	switch {
	case errors.Is(err, kv.ErrCorrupt):
		return corrupt
	case err != nil:
		return other
	case told > 0:
		return tells
	}
	return does
}

// TestSessionLostWithItsPeer: of a session that is lost with all that names it, the
// one-time key that opened it still knows: its first message does not look as if
// another had used the key.
func TestSessionLostWithItsPeer(t *testing.T) {
	alice, bob := pair(t)
	m := bob.send(alice, "hello", pawl.WithOneTimeKey(alice.oneTimeKey()))
	alice.receive(bob, m)
	lost := back(t, alice.kv)
	lost.entries = slices.DeleteFunc(lost.entries, func(e kv.Entry) bool {
		return slices.Contains([]string{"session", "peer", "receipt"}, strings.Split(e.Key, "/")[1])
	})
	if _, err := alice.on(lost.restore(t)).Decrypt(t.Context(), bob.id.Curve25519, m); !errors.Is(err, kv.ErrCorrupt) {
		t.Errorf("the message that opened it: %v, want %v", err, kv.ErrCorrupt)
	}
}
