package pawlmautrix

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"maunium.net/go/mautrix/crypto"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/ratchet"
)

// Whatever mautrix-go's machine asks of its own store it has from Pawl's, too.
func TestImportedDatabase(t *testing.T) {
	for kind, open := range kinds {
		t.Run(kind, func(t *testing.T) {
			f := newFixture(t, open(t), kind)
			d, s := f.taken()
			if len(d.Unread) > 0 || d.Schema != 22 || d.Outbound != 1 || d.Devices != 2 || d.Secrets != 1 {
				t.Errorf("read %+v", d.Unread)
			}
			f.compare(s)
			f.compareRoomKeys(s)
			f.compareMachine(s.machine)
		})
	}
}

// same fails the test where both stores do not answer alike.
func same[T any](f *fixture, what string, ask func(crypto.Store) (T, error), s *Store) {
	f.t.Helper()
	want, err := ask(f.store)
	f.must(err)
	got, err := ask(s)
	f.must(err)
	if !reflect.DeepEqual(got, want) {
		f.t.Errorf("%s: %+v, want %+v", what, got, want)
	}
}

func (f *fixture) compare(s *Store) {
	ctx := f.t.Context()
	same(f, "the account", func(s crypto.Store) ([4]any, error) {
		a, err := s.GetAccount(ctx)
		return [4]any{a.IdentityKey(), a.SigningKey(), a.Shared, a.KeyBackupVersion}, err
	}, s)
	same(f, "a session", func(s crypto.Store) (bool, error) { return s.HasSession(ctx, f.peer.IdentityKey()), nil }, s)
	for _, user := range []id.UserID{alice, bob, "@nobody:example.org"} {
		same(f, "devices", func(s crypto.Store) (map[id.DeviceID]*id.Device, error) { return s.GetDevices(ctx, user) }, s)
		same(f, "cross-signing keys", func(s crypto.Store) (int, error) {
			keys, err := s.GetCrossSigningKeys(ctx, user)
			return len(keys), err
		}, s)
	}
	same(f, "bob's keys", func(s crypto.Store) (map[id.CrossSigningUsage]id.CrossSigningKey, error) {
		return s.GetCrossSigningKeys(ctx, bob)
	}, s)
	same(f, "tracked users", func(s crypto.Store) ([]id.UserID, error) {
		users, err := s.FilterTrackedUsers(ctx, []id.UserID{alice, bob, "@nobody:example.org"})
		slices.Sort(users)
		return users, err
	}, s)
	same(f, "signatures", func(s crypto.Store) (map[id.Ed25519]string, error) {
		all, err := s.GetSignaturesForKeyBy(ctx, bob, f.peer.SigningKey(), bob)
		for key, signature := range all {
			all[key] = strings.TrimRight(signature, " ") // PostgreSQL's CHAR
		}
		return all, err
	}, s)
	if all, err := s.GetSignaturesForKeyBy(ctx, bob, f.peer.SigningKey(), bob); err != nil || all[f.own.SigningKey()] != strings.Repeat("s", 86) {
		f.t.Errorf("the signature is %q, %v", all[f.own.SigningKey()], err)
	}
	same(f, "the secret", func(s crypto.Store) (string, error) { return s.GetSecret(ctx, id.SecretXSMaster) }, s)
	same(f, "a notice", func(s crypto.Store) (*event.RoomKeyWithheldEventContent, error) {
		return s.GetWithheldGroupSession(ctx, fixtureRoom, withheldSession)
	}, s)
	for _, event := range []id.EventID{"$event1", "$another"} {
		same(f, "a message", func(s crypto.Store) (bool, error) {
			return s.ValidateMessageIndex(ctx, f.rooms[id.KeySourceDirect].ID(), event, 1, 1001)
		}, s)
	}
	same(f, "a hash", func(s crypto.Store) (int64, error) {
		at, err := s.GetOlmHash(ctx, f.hash)
		return at.UnixMilli(), err
	}, s)
	if at, err := s.GetOlmHash(ctx, [32]byte{1}); err != nil || !at.IsZero() {
		f.t.Errorf("a hash of three weeks ago is kept: %v, %v", at, err)
	}
	if token, err := s.LoadNextBatch(ctx, alice); err != nil || token != "s17" {
		f.t.Errorf("syncs go on from %q, %v", token, err)
	}
	if o, err := s.GetOutboundGroupSession(ctx, "!other:example.org"); err != nil || o != nil {
		f.t.Errorf("an outbound session was taken: %+v, %v", o, err)
	}
}

// compareRoomKeys compares the sessions. That of which nobody noted how it came is
// direct: its pickle says that the key was signed.
func (f *fixture) compareRoomKeys(s *Store) {
	f.t.Helper()
	for source, want := range f.rooms {
		got, err := s.GetGroupSession(f.t.Context(), fixtureRoom, want.ID())
		if err != nil || got == nil {
			f.t.Fatalf("%q: %v, %v", source, got, err)
		}
		if source == "" {
			source = id.KeySourceDirect
		}
		if got.KeySource != source || got.SenderKey != want.SenderKey || got.SigningKey != want.SigningKey || !slices.Equal(got.ForwardingChains, want.ForwardingChains) ||
			!reflect.DeepEqual(got.RatchetSafety, want.RatchetSafety) || !got.ReceivedAt.Equal(want.ReceivedAt) || got.MaxAge != want.MaxAge ||
			got.MaxMessages != want.MaxMessages || got.KeyBackupVersion != want.KeyBackupVersion || got.SourceUser != want.SourceUser || got.SharedHistory == nil || !*got.SharedHistory {
			f.t.Errorf("the session is %+v, want %+v", got, want)
		}
		exported, err := got.Internal.Export(0)
		f.must(err)
		if wanted, err := want.Internal.Export(0); err != nil || string(exported) != string(wanted) {
			f.t.Errorf("%q: another key: %v", source, err)
		}
	}
}

// compareMachine looks at what Pawl itself has.
func (f *fixture) compareMachine(m *pawl.Machine) {
	f.t.Helper()
	ctx := f.t.Context()
	if ticket, err := m.NextSync(ctx); err != nil || ticket.Since != "s17" {
		f.t.Errorf("syncs go on from %q, %v", ticket.Since, err)
	}
	for _, room := range []matrix.RoomID{matrix.RoomID(fixtureRoom), "!other:example.org"} {
		if r, err := m.Room(ctx, room); err != nil || !r.Encrypted {
			f.t.Errorf("%s is %+v, %v", room, r, err)
		}
	}
	if r, err := m.Room(ctx, "!state:example.org"); err != nil || !r.Encrypted || r.Settings.Messages != 7 {
		f.t.Errorf("the room that the StateStore knows is %+v, %v", r, err)
	}
	u, err := m.Devices(ctx, matrix.UserID(bob))
	if err != nil || u.Identity.Master.String() != string(f.own.SigningKey()) || !u.Changed {
		f.t.Errorf("bob is %+v, %v", u, err)
	}
	seen, err := m.Inspect(ctx)
	if err != nil || seen.Recovery != "" || seen.Keys.Published != 4 || seen.Keys.Abandoned != 2 {
		f.t.Errorf("keys %+v, recovery %q, %v", seen.Keys, seen.Recovery, err)
	}
	peer, err := ratchet.ParsePublicKey(string(f.peer.IdentityKey()))
	f.must(err)
	sessions, err := m.Sessions(ctx, peer)
	if err != nil || len(sessions) != 1 {
		f.t.Errorf("sessions %+v, %v", sessions, err)
	}
}

// Older schemas of those that are read lack columns; others are refused.
func TestDatabaseSchemas(t *testing.T) {
	for kind, open := range kinds {
		t.Run(kind, func(t *testing.T) {
			f := newFixture(t, open(t), kind)
			f.exec("UPDATE crypto_version SET version=23")
			if _, err := f.read(); !errors.Is(err, pawl.ErrImport) || !strings.Contains(err.Error(), "version 23, and 20 to 22 are read: import with a newer") {
				t.Errorf("a newer schema: %v", err)
			}
			f.exec("ALTER TABLE crypto_tracked_user DROP COLUMN last_attempt")
			f.exec("ALTER TABLE crypto_tracked_user DROP COLUMN error_count")
			f.exec("UPDATE crypto_version SET version=21")
			d, s := f.taken()
			if users, err := s.FilterTrackedUsers(t.Context(), []id.UserID{bob}); err != nil || len(users) != 1 || d.Schema != 21 {
				t.Errorf("of schema %d %v, %v", d.Schema, users, err)
			}
			for _, column := range []string{"inbound_session DROP COLUMN shared_history", "inbound_session DROP COLUMN source_user", "outbound_session DROP COLUMN shared_history"} {
				f.exec("ALTER TABLE crypto_megolm_" + column)
			}
			f.exec("UPDATE crypto_version SET version=20")
			d, s = f.taken()
			igs, err := s.GetGroupSession(t.Context(), fixtureRoom, f.rooms[id.KeySourceBackup].ID())
			if err != nil || igs == nil || igs.SharedHistory != nil || igs.KeySource != id.KeySourceBackup || d.Schema != 20 || len(d.Unread) > 0 {
				t.Errorf("of schema %d %+v, %v", d.Schema, igs, err)
			}
			f.exec("UPDATE crypto_version SET version=19")
			if _, err := f.read(); !errors.Is(err, pawl.ErrImport) || !strings.Contains(err.Error(), "version 19, and 20 to 22 are read: start the program once") {
				t.Errorf("an older schema: %v", err)
			}
			f.exec("DROP TABLE crypto_version")
			if _, err := f.read(); !errors.Is(err, pawl.ErrImport) || !strings.Contains(err.Error(), "no keys of mautrix-go") {
				t.Errorf("another database: %v", err)
			}
		})
	}
}

// A row that cannot be read is listed by its table and its key, and all others are taken.
func TestDatabaseRowsThatCannotBeRead(t *testing.T) {
	for kind, open := range kinds {
		t.Run(kind, func(t *testing.T) {
			f := newFixture(t, open(t), kind)
			whole, err := f.read()
			f.must(err)
			direct, backup := f.rooms[id.KeySourceDirect].ID(), f.rooms[id.KeySourceBackup].ID()
			for _, change := range []string{
				"UPDATE crypto_olm_session SET session='AAAA'",
				fmt.Sprintf("UPDATE crypto_megolm_inbound_session SET session=(SELECT session FROM crypto_megolm_inbound_session WHERE session_id='%s') WHERE session_id='%s'", backup, direct),
				fmt.Sprintf("UPDATE crypto_megolm_inbound_session SET room_id='nowhere' WHERE session_id='%s'", backup),
				"UPDATE crypto_device SET user_id='bob' WHERE user_id='@bob:example.org'",
				"UPDATE crypto_cross_signing_keys SET key='' WHERE usage='master'",
				"UPDATE crypto_secrets SET secret='AAAA'",
				"UPDATE crypto_message_index SET event_id='' WHERE \"index\"=2",
			} {
				f.exec(change)
			}
			d, _ := f.taken()
			lost := map[string]string{}
			for _, u := range d.Unread {
				lost[u.Table+" "+u.Row] = u.Err.Error()
			}
			for _, want := range []string{
				"crypto_olm_session " + f.peer.IdentityKey().String() + " ", "crypto_megolm_inbound_session !room:example.org " + string(direct), "crypto_megolm_inbound_session nowhere " + string(backup),
				"crypto_device bob LAPTOP", "crypto_cross_signing_keys @bob:example.org master", "crypto_secrets m.cross_signing.master",
			} {
				if !slices.ContainsFunc(slices.Collect(maps.Keys(lost)), func(name string) bool { return strings.HasPrefix(name, want) }) {
					t.Errorf("%s is not listed: %q", want, lost)
				}
			}
			if len(lost) != 6 || len(d.Import.RoomKeys) != len(whole.Import.RoomKeys)-2 || len(d.Import.Sessions) != 0 || len(d.Import.OneTimeKeys) != 6 || len(d.Import.Users) != 2 {
				t.Errorf("%d rows are listed (%q), and %d room keys taken", len(lost), lost, len(d.Import.RoomKeys))
			}
		})
	}
}

// A row that says that the session's owner gave its key is believed only if the pickle
// says that it was signed; one that was forwarded has who did that.
func TestDatabaseProvenance(t *testing.T) {
	f := newFixture(t, liteFile(t), "SQLite")
	forwarded := f.rooms[id.KeySourceForward]
	source := func() group.Source {
		t.Helper()
		d, err := f.read()
		f.must(err)
		for _, k := range d.Import.RoomKeys {
			if k.Key.ID().String() == string(forwarded.ID()) {
				return k.Source
			}
		}
		t.Fatalf("it is not there: %+v", d.Unread)
		return group.Source{}
	}
	if s := source(); s.Provenance != group.Forwarded || s.Giver.String() != string(f.peer.IdentityKey()) || s.Sender.String() != string(forwarded.SenderKey) {
		t.Errorf("forwarded: %+v", s)
	}
	f.exec("UPDATE crypto_megolm_inbound_session SET key_source='direct' WHERE session_id=$1", string(forwarded.ID()))
	if s := source(); s.Provenance != group.File {
		t.Errorf("unsigned, and direct: %+v", s)
	}
	f.exec("UPDATE crypto_megolm_inbound_session SET key_source='' WHERE session_id=$1", string(forwarded.ID()))
	if s := source(); s.Provenance != group.Forwarded {
		t.Errorf("of a row from before it was noted: %+v", s)
	}
	f.exec("UPDATE crypto_megolm_inbound_session SET forwarding_chains='x' WHERE session_id=$1", string(forwarded.ID()))
	if s := source(); s.Provenance != group.File || s.Giver != (ratchet.PublicKey{}) {
		t.Errorf("by nobody knows whom: %+v", s)
	}
}

// What makes an import impossible is one clear error, that tells no key.
func TestDatabaseRefusals(t *testing.T) {
	f := newFixture(t, liteFile(t), "SQLite")
	with := func(key string, account *string, user id.UserID) error {
		_, err := ReadDatabase(t.Context(), f.raw, DatabaseImport{PickleKey: []byte(key), AccountID: account, User: user})
		return err
	}
	expect := func(what string, err, want error, says string) {
		t.Helper()
		if !errors.Is(err, want) || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "my own key") {
			t.Errorf("%s: %v, want %v with %q", what, err, want, says)
		}
	}
	for _, says := range PickleKeys {
		expect("another key", with("my own key", nil, ""), pawl.ErrPickleKey, says)
	}
	no, none := "nobody", ""
	expect("another account", with("pickles", &no, ""), pawl.ErrImport, `no account "nobody", only ""`)
	if err := with("pickles", &none, ""); err != nil {
		t.Errorf("the account by its id: %v", err)
	}
	expect("no user", with("pickles", nil, "bob"), pawl.ErrImport, "the user")
	f.exec("INSERT INTO crypto_account SELECT 'second', device_id, shared, sync_token, account, key_backup_version FROM crypto_account")
	expect("several accounts", with("pickles", nil, ""), ErrSeveralAccounts, `"", "second"`)
	f.exec("DELETE FROM crypto_account WHERE account_id='second'")
	f.exec("DELETE FROM crypto_device")
	expect("whose", with("pickles", nil, ""), ErrWhose, "PHONE")
	if err := with("pickles", nil, alice); err != nil {
		t.Errorf("with a user: %v", err)
	}
	f.exec("UPDATE crypto_account SET account='AAAA' || substr(account, 5)")
	expect("a changed account", with("pickles", nil, alice), pawl.ErrPickleDamaged, "sessions open with the key")
	f.exec("DELETE FROM crypto_account")
	expect("no account", with("pickles", nil, alice), pawl.ErrImport, "the database has no account")
}
