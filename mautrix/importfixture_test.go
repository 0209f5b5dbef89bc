package pawlmautrix

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ncruces/go-sqlite3/driver"
	"go.mau.fi/util/dbutil"
	"maunium.net/go/mautrix/crypto"
	"maunium.net/go/mautrix/crypto/olm"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
	"maunium.net/go/mautrix/sqlstatestore"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/matrix"
)

const fixtureRoom = id.RoomID("!room:example.org")

// fixture is a database that mautrix-go made.
type fixture struct {
	t     *testing.T
	raw   *sql.DB
	db    *dbutil.Database
	store *crypto.SQLCryptoStore
	own   *crypto.OlmAccount
	peer  *crypto.OlmAccount

	rooms map[id.KeySource]*crypto.InboundGroupSession
	hash  [32]byte
}

// kinds are the kinds of databases there are, each opened anew; importpostgres_test.go
// adds one.
var kinds = map[string]func(*testing.T) *sql.DB{"SQLite": liteFile}

func liteFile(t *testing.T) *sql.DB {
	raw, err := driver.Open("file:" + filepath.Join(t.TempDir(), "bot.db") + "?_pragma=foreign_keys(1)")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { raw.Close() })
	return raw
}

func newFixture(t *testing.T, raw *sql.DB, kind string) *fixture {
	t.Helper()
	engine := map[string]string{"SQLite": "sqlite3", "PostgreSQL": "pgx"}[kind]
	db, err := dbutil.NewWithDB(raw, engine)
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{t: t, raw: raw, db: db, own: crypto.NewOlmAccount(), peer: crypto.NewOlmAccount(), rooms: map[id.KeySource]*crypto.InboundGroupSession{}}
	f.store = crypto.NewSQLCryptoStore(db, dbutil.NoopLogger, "", phone, []byte("pickles"))
	f.must(f.store.DB.Upgrade(t.Context()))
	f.fill(t.Context())
	return f
}

func (f *fixture) must(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

func (f *fixture) exec(query string, args ...any) {
	f.t.Helper()
	_, err := f.raw.ExecContext(f.t.Context(), query, args...)
	f.must(err)
}

// fill puts in something of all that there is.
func (f *fixture) fill(ctx context.Context) {
	f.t.Helper()
	f.must(f.own.Internal.GenOneTimeKeys(4))
	f.own.Internal.MarkKeysAsPublished()
	f.must(f.own.Internal.GenOneTimeKeys(2))
	f.own.Shared, f.own.KeyBackupVersion = true, "3"
	f.must(f.store.PutAccount(ctx, f.own))
	f.must(f.store.PutNextBatch(ctx, "s17"))

	f.must(f.peer.Internal.GenOneTimeKeys(1))
	keys, err := f.peer.Internal.OneTimeKeys()
	f.must(err)
	for _, key := range keys {
		s, err := f.own.Internal.NewOutboundSession(f.peer.IdentityKey(), key)
		f.must(err)
		one := &crypto.OlmSession{Internal: s}
		one.CreationTime, one.LastDecryptedTime, one.LastEncryptedTime = time.Now(), time.Now(), time.Now()
		_, _, err = one.Encrypt([]byte("hello"))
		f.must(err)
		f.must(f.store.AddSession(ctx, f.peer.IdentityKey(), one))
	}

	for i, source := range []id.KeySource{id.KeySourceDirect, id.KeySourceBackup, id.KeySourceImport, id.KeySourceForward, ""} {
		f.rooms[source] = f.roomKey(ctx, source, i)
	}
	f.must(f.store.PutWithheldGroupSession(ctx, event.RoomKeyWithheldEventContent{
		RoomID: fixtureRoom, Algorithm: id.AlgorithmMegolmV1, SessionID: withheldSession, SenderKey: f.peer.IdentityKey(),
		Code: event.RoomKeyWithheldUnverified, Reason: "who are you",
	}))
	out, err := crypto.NewOutboundGroupSession("!other:example.org", nil, nil)
	f.must(err)
	f.must(f.store.AddOutboundGroupSession(ctx, out))

	direct := f.rooms[id.KeySourceDirect].ID()
	for index := range 3 {
		_, err := f.store.ValidateMessageIndex(ctx, direct, id.EventID(fmt.Sprint("$event", index)), uint(index), int64(1000+index))
		f.must(err)
	}
	f.must(f.store.PutDevices(ctx, bob, map[id.DeviceID]*id.Device{"LAPTOP": {
		UserID: bob, DeviceID: "LAPTOP", IdentityKey: f.peer.IdentityKey(), SigningKey: f.peer.SigningKey(), Trust: id.TrustStateVerified, Name: "Bob's",
	}}))
	f.must(f.store.PutDevices(ctx, alice, map[id.DeviceID]*id.Device{phone: {
		UserID: alice, DeviceID: phone, IdentityKey: f.own.IdentityKey(), SigningKey: f.own.SigningKey(),
	}}))
	f.must(f.store.PutCrossSigningKey(ctx, bob, id.XSUsageMaster, f.peer.SigningKey()))
	f.must(f.store.PutCrossSigningKey(ctx, bob, id.XSUsageMaster, f.own.SigningKey())) // another than the first
	f.must(f.store.PutCrossSigningKey(ctx, bob, id.XSUsageSelfSigning, f.peer.SigningKey()))
	f.must(f.store.PutSignature(ctx, bob, f.peer.SigningKey(), bob, f.own.SigningKey(), strings.Repeat("s", 86)))
	f.must(f.store.PutSecret(ctx, id.SecretXSMaster, "a secret"))
	state := sqlstatestore.NewSQLStateStore(f.db, dbutil.NoopLogger, false)
	f.must(state.Upgrade(ctx))
	f.must(state.SetEncryptionEvent(ctx, "!state:example.org", &event.EncryptionEventContent{Algorithm: id.AlgorithmMegolmV1, RotationPeriodMessages: 7}))
	f.hash = [32]byte{7: 32, 31: 32}
	f.must(f.store.PutOlmHash(ctx, f.hash, time.Now().Add(-time.Hour)))
	f.must(f.store.PutOlmHash(ctx, [32]byte{1}, time.Now().Add(-hashLife-time.Hour)))
}

const withheldSession = id.SessionID("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")

// roomKey is a session that came in a way.
func (f *fixture) roomKey(ctx context.Context, source id.KeySource, n int) *crypto.InboundGroupSession {
	f.t.Helper()
	out, err := olm.NewOutboundGroupSession()
	f.must(err)
	in, err := olm.NewInboundGroupSession([]byte(out.Key()))
	f.must(err)
	var chains []string
	if source == id.KeySourceForward {
		exported, err := in.Export(0)
		f.must(err)
		in, err = olm.InboundGroupSessionImport(exported)
		f.must(err)
		chains = []string{f.own.IdentityKey().String(), f.peer.IdentityKey().String()}
	}
	yes := true
	igs := &crypto.InboundGroupSession{
		Internal: in, SenderKey: f.peer.IdentityKey(), SigningKey: f.peer.SigningKey(), RoomID: fixtureRoom, ForwardingChains: chains,
		RatchetSafety: crypto.RatchetSafety{NextIndex: 5, MissedIndices: []uint{2}}, ReceivedAt: time.Now().UTC().Add(-time.Minute).Truncate(time.Microsecond),
		MaxAge: 1000 * int64(n+1), MaxMessages: 10 + n, SharedHistory: &yes, KeyBackupVersion: "3", KeySource: source, SourceUser: bob,
	}
	f.must(f.store.PutGroupSession(ctx, igs))
	return igs
}

// read reads the device of the fixture.
func (f *fixture) read() (DatabaseDevice, error) {
	return ReadDatabase(f.t.Context(), f.raw, DatabaseImport{PickleKey: []byte("pickles"), Retired: true})
}

// taken imports the device, and returns mautrix-go's store on it.
func (f *fixture) taken() (DatabaseDevice, *Store) {
	f.t.Helper()
	d, err := f.read()
	f.must(err)
	p, err := pawl.Open(f.t.Context(), memkv.New(), pawl.WithKey([32]byte{1}))
	f.must(err)
	_, err = p.Import(f.t.Context(), d.Import)
	f.must(err)
	m, err := p.Machine(f.t.Context(), matrix.UserID(alice), matrix.DeviceID(phone))
	f.must(err)
	if broken, err := m.Check(f.t.Context()); err != nil || len(broken) > 0 {
		f.t.Errorf("the account is broken: %q, %v", broken, err)
	}
	return d, NewStore(m)
}
