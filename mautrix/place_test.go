package pawlmautrix

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ncruces/go-sqlite3/driver"
	"go.mau.fi/util/dbutil"
	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/crypto"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/txn/seal"
)

func newClient(t *testing.T) *mautrix.Client {
	t.Helper()
	c, err := mautrix.NewClient("http://127.0.0.1:1", alice, "token")
	if err != nil {
		t.Fatal(err)
	}
	c.DeviceID = phone
	return c
}

// mautrixDatabase makes a database as cryptohelper does.
func mautrixDatabase(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "mautrix-example.db")
	raw, err := driver.Open("file:" + path)
	if err != nil {
		t.Fatal(err)
	}
	db, err := dbutil.NewWithDB(raw, "sqlite3")
	if err != nil {
		t.Fatal(err)
	}
	if err := crypto.NewSQLCryptoStore(db, nil, "", "", []byte("key")).DB.Upgrade(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// What cannot be a store is refused when the helper is made, by an error that says
// what to do, and stays as it is.
func TestRefusedStores(t *testing.T) {
	old := mautrixDatabase(t)
	plain := filepath.Join(t.TempDir(), "plain.db")
	db, err := driver.Open("file:" + plain)
	if err == nil {
		_, err = db.Exec("CREATE TABLE t (x)")
	}
	if err == nil {
		err = db.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		store any
		key   string
		want  error
		text  string
	}{
		{"a database of mautrix-go", old, "key", ErrMautrixDatabase, "pawl-mautrix import STORE --from mautrix " + old},
		{"the same by its prefix", "sqlite:" + old, "key", ErrMautrixDatabase, "another path"},
		{"an SQLite file", plain, "key", ErrStore, `write "sqlite:`},
		{"no path", "", "key", ErrStore, "empty"},
		{"a prefix", "sqlite:", "key", ErrStore, "empty"},
		{"a server", "postgres://bot:s3cret@host/db", "key", ErrStore, "pawl.Open"},
		{"a database in memory", ":memory:", "key", ErrStore, "pawl.Open"},
		{"a URI of SQLite", "sqlite:file:bot.db?_txlock=immediate", "key", ErrStore, "pawl.Open"},
		{"no key", "bot.pawl", "", ErrStore, "passphrase"},
		{"a database", &dbutil.Database{}, "key", ErrStore, "dbutil.Database"},
		{"a store of mautrix-go", crypto.NewMemoryStore(nil), "key", ErrStore, "MemoryStore"},
		{"no store", nil, "key", ErrStore, "nil"},
		{"a store that is nil", (*pawl.Store)(nil), "key", ErrStore, "nil"},
		{"a store without a StateStore", &pawl.Store{}, "key", ErrClient, "StateStore"},
		{"a store without a key", &pawl.Store{}, "", ErrStore, "the pickle key is empty"},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := contents(t, old, plain)
			_, err := NewCryptoHelper(newClient(t), []byte(c.key), c.store)
			if !errors.Is(err, c.want) || err != nil && !strings.Contains(err.Error(), c.text) {
				t.Errorf("NewCryptoHelper = %v, want %v that tells %q", err, c.want, c.text)
			}
			if err != nil && strings.Contains(err.Error(), "s3cret") {
				t.Errorf("a password is shown: %v", err)
			}
			if !bytes.Equal(before, contents(t, old, plain)) {
				t.Error("a file has changed")
			}
		})
	}
}

// A database that its program has open has its tables in the log alone.
func TestRefusedDatabaseThatIsOpen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bot.db")
	raw, err := driver.Open("file:" + path + "?_pragma=journal_mode(wal)&_pragma=wal_autocheckpoint(0)")
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	db, err := dbutil.NewWithDB(raw, "sqlite3")
	if err == nil {
		err = crypto.NewSQLCryptoStore(db, nil, "", "", []byte("key")).DB.Upgrade(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, place := range []string{path, "sqlite:" + path} {
		before := contents(t, path)
		if _, err := NewCryptoHelper(newClient(t), []byte("key"), place); !errors.Is(err, ErrMautrixDatabase) {
			t.Errorf("NewCryptoHelper of %s = %v", place, err)
		}
		if !bytes.Equal(before, contents(t, path)) {
			t.Errorf("%s has changed", place)
		}
	}
}

// Who has no user or no device is refused before a store is made.
func TestRefusedBeforeAStore(t *testing.T) {
	for name, spoil := range map[string]func(*mautrix.Client){
		"no user":   func(c *mautrix.Client) { c.UserID = "" },
		"no device": func(c *mautrix.Client) { c.DeviceID = "" },
	} {
		c, path := newClient(t), filepath.Join(t.TempDir(), "bot.pawl")
		spoil(c)
		h, err := NewCryptoHelper(c, []byte("key"), path)
		if err != nil {
			t.Fatal(err)
		}
		if err := h.Init(t.Context()); !errors.Is(err, ErrClient) || !strings.Contains(err.Error(), "no user id or no device id") {
			t.Errorf("%s: Init = %v", name, err)
		}
		if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: there is a store: %v", name, err)
		}
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	}
}

// contents are those of all files in the folders of some.
func contents(t *testing.T, paths ...string) (all []byte) {
	t.Helper()
	for _, p := range paths {
		names, err := filepath.Glob(filepath.Join(filepath.Dir(p), "*"))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			all = append(append(all, name...), text...)
		}
	}
	return all
}

type plainSyncer struct{ mautrix.Syncer }

type plainStore struct{ mautrix.SyncStore }

type plainState struct{ mautrix.StateStore }

// A client that lacks what the helper needs is refused.
func TestRefusedClients(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(*mautrix.Client)
		text  string
	}{
		"a syncer without OnSync":         {func(c *mautrix.Client) { c.Syncer = plainSyncer{} }, "OnSync"},
		"a Store of its own":              {func(c *mautrix.Client) { c.Store = plainStore{} }, "plainStore"},
		"a Store of another helper":       {func(c *mautrix.Client) { c.Store = &syncStore{} }, "another helper"},
		"a StateStore without encryption": {func(c *mautrix.Client) { c.StateStore = plainState{} }, "plainState"},
		"no client":                       {nil, "nil"},
	} {
		t.Run(name, func(t *testing.T) {
			client := newClient(t)
			if c.spoil == nil {
				client = nil
			} else {
				c.spoil(client)
			}
			_, err := NewCryptoHelper(client, []byte("key"), filepath.Join(t.TempDir(), "bot.pawl"))
			if !errors.Is(err, ErrClient) || err != nil && !strings.Contains(err.Error(), c.text) {
				t.Errorf("NewCryptoHelper = %v, want ErrClient that tells %q", err, c.text)
			}
		})
	}
}

// Init makes sure that store, client and server mean the same device, before anything
// is uploaded.
func TestDevices(t *testing.T) {
	s := server(t)
	path := filepath.Join(t.TempDir(), "bot.pawl")
	startPawl(t, s, s.Login("@alice:example.org", "PHONE"), path).stop()
	before := len(s.Exchanges("keys/upload"))

	attempt := func(change func(*CryptoHelper)) error {
		t.Helper()
		c := newClient(t)
		c.HomeserverURL = newProgram(t, s, alice, phone, "").client.HomeserverURL
		c.AccessToken = s.Login("@alice:example.org", "PHONE")
		h, err := NewCryptoHelper(c, []byte("secret"), path)
		if err != nil {
			t.Fatal(err)
		}
		change(h)
		err = h.Init(t.Context())
		if again := h.Init(t.Context()); !errors.Is(again, ErrClient) {
			t.Errorf("a second Init = %v, want ErrClient", again)
		}
		if closing := h.Close(); closing != nil {
			t.Error(closing)
		}
		return err
	}
	for name, c := range map[string]struct {
		change func(*CryptoHelper)
		want   error
		text   string
	}{
		"another device":     {func(h *CryptoHelper) { h.client.DeviceID = "TABLET" }, ErrDevice, "PHONE"},
		"another user":       {func(h *CryptoHelper) { h.client.UserID = bob }, ErrDevice, "@alice:example.org"},
		"no device":          {func(h *CryptoHelper) { h.client.DeviceID = "" }, ErrClient, "device id"},
		"another passphrase": {func(h *CryptoHelper) { h.passphrase = []byte("wrong") }, seal.ErrPassphrase, "pickle key"},
		"a login that is refused": {func(h *CryptoHelper) {
			h.LoginAs = &mautrix.ReqLogin{Type: mautrix.AuthTypePassword, Identifier: mautrix.UserIdentifier{Type: mautrix.IdentifierTypeUser, User: "alice"}, Password: "wrong"}
		}, mautrix.MForbidden, "log in"},
	} {
		t.Run(name, func(t *testing.T) {
			if err := attempt(c.change); !errors.Is(err, c.want) || err != nil && !strings.Contains(err.Error(), c.text) {
				t.Errorf("Init = %v, want %v that tells %q", err, c.want, c.text)
			}
		})
	}
	if now := len(s.Exchanges("keys/upload")); now != before {
		t.Errorf("%d uploads by what was refused", now-before)
	}
	t.Run("logged in as the stored device", func(t *testing.T) {
		err := attempt(func(h *CryptoHelper) {
			h.client.DeviceID, h.client.UserID, h.client.AccessToken = "", "", ""
			h.LoginAs = &mautrix.ReqLogin{Type: mautrix.AuthTypePassword, Identifier: mautrix.UserIdentifier{Type: mautrix.IdentifierTypeUser, User: "alice"}, Password: "secret"}
		})
		if err != nil {
			t.Fatal(err)
		}
		if all := s.Exchanges("login"); len(all) == 0 || !strings.Contains(string(all[len(all)-1].Answer), `"PHONE"`) {
			t.Error("it logged in as another device")
		}
	})
	t.Run("logged out", func(t *testing.T) {
		c := newProgram(t, s, alice, phone, s.Login("@alice:example.org", "PHONE")).client
		if _, err := c.Logout(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := attempt(func(*CryptoHelper) {}); !errors.Is(err, ErrDevice) || !strings.Contains(err.Error(), "logged out") {
			t.Errorf("Init = %v, want ErrDevice that asks whether it was logged out", err)
		}
	})
}
