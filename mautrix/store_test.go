package pawlmautrix

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	_ "github.com/stretchr/testify/require" // what mautrix-go's tests need

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/crypto"
	"maunium.net/go/mautrix/crypto/cryptohelper"
	"maunium.net/go/mautrix/crypto/olm"
	"maunium.net/go/mautrix/id"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/internal/hs"
	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/matrix"
)

// newStoreOf is a store of an account on an engine: another process's, if there is one
// of that already.
func newStoreOf(t testing.TB, engine *memkv.Store, user id.UserID, device id.DeviceID) *Store {
	t.Helper()
	p, err := pawl.Open(t.Context(), engine, pawl.WithKey([32]byte{1}))
	if err != nil {
		t.Fatal(err)
	}
	m, err := p.OpenOrCreate(t.Context(), matrix.UserID(user), matrix.DeviceID(device))
	if err != nil {
		t.Fatal(err)
	}
	return NewStore(m)
}

// startStore starts a client of mautrix-go, all its own, on a store of Pawl's.
func startStore(t *testing.T, s hs.Homeserver, token string, store *Store, state mautrix.StateStore) *program {
	t.Helper()
	p := newProgram(t, s, alice, phone, token)
	p.client.Store, p.client.StateStore = store, state
	p.client.Syncer.(*mautrix.DefaultSyncer).OnEvent(p.client.StateStoreSyncHandler)
	h, err := cryptohelper.NewCryptoHelper(p.client, []byte("unused"), store)
	if err != nil {
		t.Fatal(err)
	}
	h.DecryptErrorCallback = p.undecryptable
	p.start(h)
	return p
}

// mautrix-go's own machine, alone on a store of Pawl's, talks with mautrix-go's on its
// own, is ended, and goes on as the same device from the token that is stored.
func TestStoreAlone(t *testing.T) {
	s := server(t)
	token := s.Login(matrix.UserID(alice), matrix.DeviceID(phone))
	engine, state := memkv.New(), mautrix.NewMemoryStateStore()
	bot, peer := startStore(t, s, token, newStoreOf(t, engine, alice, phone), state), startMautrix(t, s, bob, "LAPTOP")
	r := makeRoom(t, bot, peer)
	for i := range 3 {
		sayAlone(bot, r, fmt.Sprint("bot ", i))
		peer.reads(fmt.Sprint("bot ", i))
		peer.say(r, fmt.Sprint("peer ", i))
		bot.reads(fmt.Sprint("peer ", i))
	}
	bot.stop()
	peer.say(r, "while it is away")
	bot = startStore(t, s, token, newStoreOf(t, engine, alice, phone), state)
	bot.reads("while it is away")
	bot.awaitEncrypted(r)
	sayAlone(bot, r, "again")
	peer.reads("again")
	check(t, s)
}

// sayAlone says again what mautrix-go could not, since the room's session was removed
// while it was being shared: a member had joined.
func sayAlone(p *program, room id.RoomID, body string) {
	p.t.Helper()
	for {
		_, err := p.client.SendText(p.t.Context(), room, body)
		if err == nil {
			return
		}
		if !errors.Is(err, ErrRemoved) {
			p.t.Fatal(err)
		}
	}
}

// mautrix-go's own tests of its stores pass with this one. Names that no server gives
// are replaced by such as Pawl takes. Left out are:
//
//   - TestPutNextBatch, of methods of the SQL store alone;
//   - TestPutAccount and TestStoreOlmSession: they put an account and a session of their
//     own, whose keys another process may have used. See TestHandles;
//   - of TestStoreMegolmSession that the pickle is the same: it says that the key's
//     signature was checked once, which a key that is exported does not say. The key is.
func TestUpstreamStoreTests(t *testing.T) {
	dir, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "maunium.net/go/mautrix").Output()
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile(filepath.Join(string(bytes.TrimSpace(dir)), "crypto", "store_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	text := string(source)
	for _, change := range [][2]string{
		{`(?s)package crypto\n\nimport \(.*?\n\)\n`, "package pawlmautrix\n\nimport (\n\t\"context\"\n\t\"strconv\"\n\t\"testing\"\n\n\t\"github.com/stretchr/testify/assert\"\n\t\"github.com/stretchr/testify/require\"\n\n\t\"maunium.net/go/mautrix/crypto\"\n\t\"maunium.net/go/mautrix/crypto/olm\"\n\t\"maunium.net/go/mautrix/id\"\n\n\t\"github.com/pawlkv/pawl/kv/memkv\"\n)\n"},
		{`(?s)func getCryptoStores.*?\n}\n`, "func getCryptoStores(t *testing.T) map[string]crypto.Store {\n\treturn map[string]crypto.Store{\"pawl\": newStoreOf(t, memkv.New(), alice, phone)}\n}\n"},
		{`(?s)func Test(PutNextBatch|PutAccount|StoreOlmSession)\(.*?\n}\n`, ""},
		{`\bNewOlmAccount\(`, "crypto.NewOlmAccount("},
		{`&InboundGroupSession{`, "&crypto.InboundGroupSession{"},
		{`= NewOutboundGroupSession\(`, "= crypto.NewOutboundGroupSession("},
		{`retrieved\.Internal\.Pickle\(\[\]byte\("test"\)\)`, "retrieved.Internal.Export(0)"},
		{`assert\.EqualValues\(t, pickled, groupSession, `, "want, _ := internal.Export(0)\n\t\t\tassert.EqualValues(t, string(pickled), string(want), "},
		{`"user(\d)"`, `"@user$1:example.org"`},
		{`"room1"`, `"!room1:example.org"`},
		{`func Test`, "func TestUpstream_"},
	} {
		before := text
		if text = regexp.MustCompile(change[0]).ReplaceAllString(text, change[1]); text == before {
			t.Fatalf("the file has no %s", change[0])
		}
	}
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	changed, overlay := filepath.Join(folder, "store_test.go"), filepath.Join(folder, "overlay.json")
	if err := os.WriteFile(changed, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	plan, err := json.Marshal(map[string]any{"Replace": map[string]string{filepath.Join(here, "upstream_test.go"): changed}})
	if err == nil {
		err = os.WriteFile(overlay, plan, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"test", "-overlay", overlay, "-run", "^TestUpstream_", "-v"}
	if strings.Contains(olm.Driver, "goolm") {
		args = append(args, "-tags", "goolm")
	}
	out, err := exec.CommandContext(t.Context(), "go", append(args, ".")...).CombinedOutput()
	passed := strings.Count(string(out), "\n--- PASS: TestUpstream_") + strings.Count(string(out[:min(len(out), 10)]), "--- PASS")
	if want := strings.Count(text, "func TestUpstream_"); err != nil || passed != want || want < 6 {
		t.Errorf("%d of %d passed: %v\n%s", passed, want, err, out)
	}
	t.Log(passed, "of mautrix-go's tests")
}

// Handles are live: nothing that is private leaves, what is not of the store is refused,
// and a session is used by all processes at once without a message key twice.
func TestHandles(t *testing.T) {
	ctx := t.Context()
	engine := memkv.New()
	first, second := newStoreOf(t, engine, alice, phone), newStoreOf(t, engine, alice, phone)
	account, err := first.GetAccount(ctx)
	if err != nil || account == nil {
		t.Fatal(account, err)
	}
	if _, err := account.Internal.Pickle([]byte("x")); !errors.Is(err, ErrHandle) {
		t.Errorf("the account pickles: %v", err)
	}
	if err := first.PutAccount(ctx, crypto.NewOlmAccount()); !errors.Is(err, ErrHandle) {
		t.Errorf("another account was put: %v", err)
	}
	account.KeyBackupVersion = "7"
	if err := first.PutAccount(ctx, account); err != nil {
		t.Fatal(err)
	}
	other, err := second.GetAccount(ctx)
	if err != nil || other.KeyBackupVersion != "7" || other.IdentityKey() != account.IdentityKey() {
		t.Errorf("another process has %+v, %v", other, err)
	}

	peer := crypto.NewOlmAccount()
	if err := peer.Internal.GenOneTimeKeys(1); err != nil {
		t.Fatal(err)
	}
	keys, err := peer.Internal.OneTimeKeys()
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range keys {
		made, err := account.Internal.NewOutboundSession(peer.IdentityKey(), key)
		if err != nil {
			t.Fatal(err)
		}
		if err := first.AddSession(ctx, peer.IdentityKey(), &crypto.OlmSession{Internal: made}); err != nil {
			t.Fatal(err)
		}
	}
	var theirs olm.Session
	seen := map[string]bool{}
	for i := range 6 {
		s := []*Store{first, second}[i%2]
		o, err := s.GetLatestSession(ctx, peer.IdentityKey())
		if err != nil || o == nil {
			t.Fatal(i, o, err)
		}
		kind, body, err := o.Encrypt([]byte(fmt.Sprint("message ", i)))
		if err != nil || seen[string(body)] {
			t.Fatal(i, err)
		}
		seen[string(body)] = true
		if theirs == nil {
			own := account.IdentityKey()
			if theirs, err = peer.Internal.NewInboundSessionFrom(&own, string(body)); err != nil {
				t.Fatal(err)
			}
		}
		if plaintext, err := theirs.Decrypt(string(body), kind); err != nil || string(plaintext) != fmt.Sprint("message ", i) {
			t.Fatalf("%d: %q, %v", i, plaintext, err)
		}
		if string(id.SessionID(theirs.ID())) != string(o.ID()) {
			t.Errorf("the session is %s, and %s there", o.ID(), theirs.ID())
		}
	}
}

// A message has its plaintext again, in any process, until DeleteOldOlmHashes has
// acknowledged it; from then on GetOlmHash says that it was handled.
func TestHashes(t *testing.T) {
	ctx := t.Context()
	engine := memkv.New()
	first, second := newStoreOf(t, engine, alice, phone), newStoreOf(t, engine, alice, phone)
	account, err := first.GetAccount(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := account.Internal.GenOneTimeKeys(2); err != nil {
		t.Fatal(err)
	}
	keys, err := account.Internal.OneTimeKeys()
	if again, _ := account.Internal.OneTimeKeys(); err != nil || len(keys) != 2 || len(again) != 0 {
		t.Fatalf("%d keys, and then %d: %v", len(keys), len(again), err)
	}
	account.Internal.MarkKeysAsPublished()
	peer := crypto.NewOlmAccount()
	var body []byte
	for _, key := range keys {
		theirs, err := peer.Internal.NewOutboundSession(account.IdentityKey(), key)
		if err != nil {
			t.Fatal(err)
		}
		if _, body, err = theirs.Encrypt([]byte("a secret")); err != nil {
			t.Fatal(err)
		}
		break
	}
	decrypt := func(s *Store) (string, error) {
		a, err := s.GetAccount(ctx)
		if err != nil {
			return "", err
		}
		sender := peer.IdentityKey()
		h, err := a.Internal.NewInboundSessionFrom(&sender, string(body))
		if err != nil {
			return "", err
		}
		plaintext, err := h.Decrypt(string(body), id.OlmMsgTypePreKey)
		return string(plaintext), err
	}
	var hash [32]byte
	for _, s := range []*Store{first, second, first} {
		if got, err := decrypt(s); err != nil || got != "a secret" {
			t.Fatalf("%q, %v", got, err)
		}
	}
	for h := range first.receipts {
		hash = h
	}
	if err := first.PutOlmHash(ctx, hash, time.Now()); err != nil {
		t.Fatal(err)
	}
	if at, err := second.GetOlmHash(ctx, hash); err != nil || !at.IsZero() {
		t.Errorf("handled at %v, %v, and nobody has acknowledged it", at, err)
	}
	if err := first.DeleteOldOlmHashes(ctx, time.Now().Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	if at, err := second.GetOlmHash(ctx, hash); err != nil || at.IsZero() {
		t.Errorf("handled at %v, %v", at, err)
	}
	if _, err := decrypt(second); !errors.Is(err, crypto.ErrDuplicateMessage) {
		t.Errorf("the message again: %v", err)
	}
}

// An index of a session that is sent in is used once, by whichever process; and one that
// was removed does not come back.
func TestOutbound(t *testing.T) {
	ctx := t.Context()
	engine := memkv.New()
	const room = "!r:example.org"
	stores := []*Store{newStoreOf(t, engine, alice, phone), newStoreOf(t, engine, alice, phone)}
	made, err := crypto.NewOutboundGroupSession(room, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	reader, err := olm.NewInboundGroupSession([]byte(made.Internal.Key()))
	if err != nil {
		t.Fatal(err)
	}
	if err := stores[0].AddOutboundGroupSession(ctx, made); err != nil {
		t.Fatal(err)
	}
	made.Shared = true
	if err := stores[0].AddOutboundGroupSession(ctx, made); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	indices := map[uint]int{}
	var all sync.WaitGroup
	for _, s := range stores {
		all.Go(func() {
			o, err := s.GetOutboundGroupSession(ctx, room)
			if err != nil || !o.Shared {
				t.Error(o, err)
				return
			}
			for range 10 {
				message, err := o.Encrypt([]byte("hello"))
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				_, index, err := reader.Decrypt(message)
				indices[index]++
				mu.Unlock()
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	for i := range uint(20) {
		if indices[i] != 1 {
			t.Errorf("index %d was used %d times", i, indices[i])
		}
	}
	o, err := stores[1].GetOutboundGroupSession(ctx, room)
	if err != nil || o.MessageCount != 20 {
		t.Errorf("%+v, %v", o, err)
	}
	if err := stores[0].RemoveOutboundGroupSession(ctx, room); err != nil {
		t.Fatal(err)
	}
	if _, err := o.Encrypt([]byte("hello")); !errors.Is(err, ErrRemoved) {
		t.Errorf("sent in a session that was removed: %v", err)
	}
	if err := stores[1].AddOutboundGroupSession(ctx, o); !errors.Is(err, ErrRemoved) {
		t.Errorf("a session that was removed came back: %v", err)
	}
	late, err := crypto.NewOutboundGroupSession(room, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := stores[1].AddOutboundGroupSession(ctx, late); !errors.Is(err, ErrRemoved) {
		t.Errorf("a session that was made before the removal was added: %v", err)
	}
	if o, err := stores[1].GetOutboundGroupSession(ctx, room); o != nil || err != nil {
		t.Errorf("%+v, %v", o, err)
	}
	if err := stores[1].AddOutboundGroupSession(ctx, late); err != nil {
		t.Error(err)
	}
}

// A copy of a session that comes is joined, and one that came from the store and was
// advanced is a deletion, which no copy undoes.
func TestInbound(t *testing.T) {
	ctx := t.Context()
	engine := memkv.New()
	const room = "!r:example.org"
	first, second := newStoreOf(t, engine, alice, phone), newStoreOf(t, engine, alice, phone)
	sender := crypto.NewOlmAccount()
	made, err := crypto.NewOutboundGroupSession(room, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	copyAt := func() *crypto.InboundGroupSession {
		igs, err := crypto.NewInboundGroupSession(sender.IdentityKey(), sender.SigningKey(), room, made.Internal.Key(), time.Hour, 100, nil, false)
		if err != nil {
			t.Fatal(err)
		}
		return igs
	}
	early := copyAt()
	for range 3 {
		if _, err := made.Internal.Encrypt([]byte("hello")); err != nil {
			t.Fatal(err)
		}
	}
	later := copyAt()
	begins := func(want uint32) *crypto.InboundGroupSession {
		t.Helper()
		igs, err := second.GetGroupSession(ctx, room, early.ID())
		if err != nil || igs == nil || igs.Internal.FirstKnownIndex() != want {
			t.Fatalf("%+v, %v; want it from %d on", igs, err, want)
		}
		return igs
	}
	for i, igs := range []*crypto.InboundGroupSession{later, early, later} {
		if err := first.PutGroupSession(ctx, igs); err != nil {
			t.Fatal(err)
		}
		begins([]uint32{3, 0, 0}[i])
	}
	igs := begins(0)
	if igs.SenderKey != sender.IdentityKey() || igs.SigningKey != sender.SigningKey() || igs.KeySource != id.KeySourceDirect || igs.MaxMessages != 100 {
		t.Errorf("%+v", igs)
	}
	if err := igs.RatchetTo(2); err != nil {
		t.Fatal(err)
	}
	if err := second.PutGroupSession(ctx, igs); err != nil {
		t.Fatal(err)
	}
	begins(2)
	if err := first.PutGroupSession(ctx, early); err != nil {
		t.Fatal(err)
	}
	begins(2)
	if err := first.RedactGroupSession(ctx, room, early.ID(), "on purpose"); err != nil {
		t.Fatal(err)
	}
	if _, err := second.GetGroupSession(ctx, room, early.ID()); !errors.Is(err, crypto.ErrGroupSessionWithheld) {
		t.Errorf("redacted: %v", err)
	}
}

// A process makes cross-signing keys and a recovery key, and verifies the device; another
// of another device does so with the recovery key. Each sees that it is verified, and so
// does another process of its store.
func TestRecoveryKey(t *testing.T) {
	s := server(t)
	machine := func(device id.DeviceID, token string, engine *memkv.Store) *crypto.OlmMachine {
		t.Helper()
		p := newProgram(t, s, alice, device, token)
		p.client.StateStore = mautrix.NewMemoryStateStore()
		h, err := cryptohelper.NewCryptoHelper(p.client, []byte("unused"), newStoreOf(t, engine, alice, device))
		if err == nil {
			err = h.Init(t.Context())
		}
		if err != nil {
			t.Fatal(err)
		}
		return h.Machine()
	}
	verified := func(name string, m *crypto.OlmMachine) {
		t.Helper()
		has, is, err := m.GetOwnVerificationStatus(t.Context())
		if err != nil || !has || !is {
			t.Errorf("%s: has keys %v, verified %v, %v", name, has, is, err)
		}
	}
	phones, laptops := memkv.New(), memkv.New()
	token, other := s.Login(matrix.UserID(alice), matrix.DeviceID(phone)), s.Login(matrix.UserID(alice), "LAPTOP")
	first := machine(phone, token, phones)
	key, err := first.GenerateAndVerifyWithRecoveryKey(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	verified("the first", first)
	verified("another process", machine(phone, token, phones))
	second := machine("LAPTOP", other, laptops)
	if _, is, err := second.GetOwnVerificationStatus(t.Context()); err != nil || is {
		t.Fatalf("verified before: %v, %v", is, err)
	}
	if err := second.VerifyWithRecoveryKey(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	verified("the second", second)
	verified("its other process", machine("LAPTOP", other, laptops))
}
