package pawlmautrix

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"testing"
	"time"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/crypto"
	"maunium.net/go/mautrix/crypto/cryptohelper"
	"maunium.net/go/mautrix/id"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/device"
	"github.com/pawlkv/pawl/internal/hs"
	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/matrix"
)

// sees waits until something holds of what Pawl knows of a user.
func sees(t *testing.T, m *pawl.Machine, user id.UserID, what string, holds func(pawl.UserInfo) bool) pawl.UserInfo {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for tick := time.NewTicker(5 * time.Millisecond); ; {
		info, err := m.Devices(ctx, matrix.UserID(user))
		if err != nil {
			t.Fatalf("%s: %v, of %+v", what, err, info)
		}
		if holds(info) {
			tick.Stop()
			return info
		}
		<-tick.C
	}
}

// olmOf is the machine of a program.
func olmOf(p *program) *crypto.OlmMachine {
	return p.helper.(interface{ Machine() *crypto.OlmMachine }).Machine()
}

var _ interface{ Machine() *crypto.OlmMachine } = (*cryptohelper.CryptoHelper)(nil)

// identify gives a program's user cross-signing keys, and returns the master key.
func identify(t *testing.T, p *program) id.Ed25519 {
	t.Helper()
	olm := olmOf(p)
	_, _, err := olm.GenerateAndUploadCrossSigningKeysWithPassword(t.Context(), "secret", "")
	if err == nil {
		err = olm.SignOwnDevice(t.Context(), olm.OwnIdentity())
	}
	if err == nil {
		err = olm.SignOwnMasterKey(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	return olmOf(p).CrossSigningKeys.PublicKeys().MasterKey
}

func trustOf(t *testing.T, olm *crypto.OlmMachine, user id.UserID, name id.DeviceID) id.TrustState {
	t.Helper()
	d, err := olm.CryptoStore.GetDevice(t.Context(), user, name)
	if err != nil || d == nil {
		t.Fatal(d, err)
	}
	state, err := olm.ResolveTrustContext(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	return state
}

func parseKey(t *testing.T, key id.Ed25519) account.VerifyKey {
	t.Helper()
	k, err := account.ParseVerifyKey(string(key))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// What mautrix-go's machine looks up, signs and follows, Pawl's Machine sees, in another
// process too; and what Pawl has proved, and what was accepted and verified with it,
// mautrix-go's machine sees, which has asked for none of it.
func TestTrustBothWays(t *testing.T) {
	const carol = id.UserID("@carol:example.org")
	s := server(t, carol)
	token, path := s.Login(matrix.UserID(alice), matrix.DeviceID(phone)), at(t.TempDir(), "bot.pawl")
	bot := startPawl(t, s, token, path)
	olm, m := olmOf(bot), bot.helper.(*CryptoHelper).machine
	second := startPawl(t, s, token, path)
	other := second.helper.(*CryptoHelper).machine
	peer, stranger := startMautrix(t, s, bob, "LAPTOP"), startMautrix(t, s, carol, "TABLET")
	makeRoom(t, bot, peer, stranger) // whose devices change is told from then on
	theirs, first := identify(t, peer), identify(t, stranger)

	identify(t, bot)
	sees(t, m, alice, "the own identity", func(u pawl.UserInfo) bool { return u.Verified && u.Current })
	if _, err := olm.FetchKeys(t.Context(), []id.UserID{bob}, true); err != nil {
		t.Fatal(err)
	}
	sees(t, other, bob, "whom mautrix-go asked for", func(u pawl.UserInfo) bool {
		return u.Current && len(u.Devices) == 1 && u.Devices[0].Device == "LAPTOP" && u.Devices[0].Trust == device.CrossSigned
	})
	if got := trustOf(t, olm, bob, "LAPTOP"); got != id.TrustStateCrossSignedTOFU {
		t.Errorf("before it is signed the device is %v", got)
	}
	if err := olm.SignUser(t.Context(), bob, theirs); err != nil {
		t.Fatal(err)
	}
	sees(t, other, bob, "whom mautrix-go has signed", func(u pawl.UserInfo) bool { return u.Verified && u.Devices[0].Trust == device.Verified })

	if err := other.TrackUsers(t.Context(), matrix.UserID(carol)); err != nil {
		t.Fatal(err)
	}
	second.helper.(*CryptoHelper).sender.kick()
	sees(t, other, carol, "whom Pawl follows", func(u pawl.UserInfo) bool { return u.Current && !u.Identity.IsZero() })
	if got := trustOf(t, olm, carol, "TABLET"); got != id.TrustStateCrossSignedTOFU {
		t.Errorf("what Pawl has proved is %v", got)
	}
	if tracked, err := olm.CryptoStore.FilterTrackedUsers(t.Context(), []id.UserID{carol}); err != nil || len(tracked) != 1 {
		t.Errorf("tracked: %v, %v", tracked, err)
	}
	if err := other.VerifyIdentity(t.Context(), matrix.UserID(carol), parseKey(t, first)); err != nil {
		t.Fatal(err)
	}
	if got := trustOf(t, olm, carol, "TABLET"); got != id.TrustStateCrossSignedVerified {
		t.Errorf("whom Pawl has verified is %v", got)
	}

	// From now on mautrix-go has keys of its own of carol, and Pawl is first to hear of others.
	if _, err := olm.FetchKeys(t.Context(), []id.UserID{carol}, true); err != nil {
		t.Fatal(err)
	}
	again := identify(t, stranger)
	signed := func(u pawl.UserInfo) bool {
		return slices.ContainsFunc(u.Devices, func(d pawl.DeviceInfo) bool { return d.Device == "TABLET" && d.SignedBy == u.Identity.SelfSigning })
	}
	sees(t, other, carol, "the change", func(u pawl.UserInfo) bool { return u.Changed && u.Current && signed(u) })
	// Also while it is not known what changed since.
	s.Fail(hs.Fault{Endpoint: "keys/query", User: matrix.UserID(alice), Do: hs.Effect{Status: http.StatusInternalServerError}})
	startMautrix(t, s, carol, "PHONE")
	sees(t, other, carol, "that something changed", func(u pawl.UserInfo) bool { return u.Changed && !u.Current })
	if got := trustOf(t, olm, carol, "TABLET"); got != id.TrustStateCrossSignedUntrusted {
		t.Errorf("whose identity has changed is %v", got)
	}
	s.Heal()
	second.helper.(*CryptoHelper).sender.kick()
	sees(t, other, carol, "what changed since", func(u pawl.UserInfo) bool { return u.Changed && u.Current && signed(u) && len(u.Devices) == 2 })
	if got := trustOf(t, olm, carol, "TABLET"); got != id.TrustStateCrossSignedUntrusted {
		t.Errorf("whose identity has changed is %v", got)
	}
	if err := olm.CryptoStore.ResetMasterKeyTOFU(t.Context(), carol, again); err != nil {
		t.Fatal(err)
	}
	sees(t, other, carol, "what mautrix-go has accepted", func(u pawl.UserInfo) bool { return !u.Changed })
	if got := trustOf(t, olm, carol, "TABLET"); got != id.TrustStateCrossSignedTOFU {
		t.Errorf("whose change was accepted is %v", got)
	}
}

// Whom Pawl compared is verified, to mautrix-go's machine and for who gets keys, from
// when the own user is: until then a server may have invented the own keys.
func TestComparedBeforeOneself(t *testing.T) {
	s := server(t)
	bot := startPawl(t, s, s.Login(matrix.UserID(alice), matrix.DeviceID(phone)), at(t.TempDir(), "bot.pawl"))
	olm, m := olmOf(bot), bot.helper.(*CryptoHelper).machine
	peer := startMautrix(t, s, bob, "LAPTOP")
	makeRoom(t, bot, peer)
	theirs := identify(t, peer)
	if err := m.TrackUsers(t.Context(), matrix.UserID(bob)); err != nil {
		t.Fatal(err)
	}
	bot.helper.(*CryptoHelper).sender.kick()
	sees(t, m, bob, "whom Pawl follows", func(u pawl.UserInfo) bool { return u.Current && !u.Identity.IsZero() && len(u.Devices) == 1 })
	if err := m.VerifyIdentity(t.Context(), matrix.UserID(bob), parseKey(t, theirs)); err != nil {
		t.Fatal(err)
	}
	sees(t, m, bob, "who is compared", func(u pawl.UserInfo) bool {
		return u.Compared && !u.Verified && u.Devices[0].Trust == device.CrossSigned
	})
	if got := trustOf(t, olm, bob, "LAPTOP"); got != id.TrustStateCrossSignedTOFU {
		t.Errorf("who is compared while the own user is not verified is %v", got)
	}
	identify(t, bot)
	sees(t, m, alice, "the own identity", func(u pawl.UserInfo) bool { return u.Verified && u.Current })
	sees(t, m, bob, "who was compared", func(u pawl.UserInfo) bool { return u.Verified && u.Devices[0].Trust == device.Verified })
	if got := trustOf(t, olm, bob, "LAPTOP"); got != id.TrustStateCrossSignedVerified {
		t.Errorf("once the own user is verified, who was compared is %v", got)
	}
}

// A token that somebody else keeps is refused when it counts: Init says why.
func TestInitRefusesAnotherStore(t *testing.T) {
	s := server(t)
	p := newProgram(t, s, alice, phone, s.Login(matrix.UserID(alice), matrix.DeviceID(phone)))
	h, err := NewCryptoHelper(p.client, []byte("secret"), at(t.TempDir(), "bot.pawl"))
	if err != nil {
		t.Fatal(err)
	}
	p.client.Store = newStoreOf(t, memkv.New(), alice, phone)
	const want = "pawlmautrix: the client cannot use this helper: its Store (*pawlmautrix.Store) keeps the token of syncs; Pawl stores it together with what it covers: leave Store as it was"
	if err := h.Init(t.Context()); !errors.Is(err, ErrClient) || err.Error() != want {
		t.Errorf("Init = %v", err)
	}
	if n := len(s.Exchanges()); n != 0 {
		t.Errorf("%d requests", n)
	}
	p.client.Store = mautrix.NewMemorySyncStore()
	if err := h.Init(t.Context()); err != nil {
		t.Errorf("Init with the Store that a client has = %v", err)
	}
	if err := h.Close(); err != nil {
		t.Error(err)
	}
}
