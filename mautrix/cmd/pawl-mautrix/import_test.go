package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ncruces/go-sqlite3/driver"
	"go.mau.fi/util/dbutil"
	"maunium.net/go/mautrix/crypto"
	"maunium.net/go/mautrix/id"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/kv/badgerkv"
	"github.com/pawlkv/pawl/kv/sqlitekv"
)

// folder has a database of mautrix-go's, and the key of its pickles.
type folder struct {
	t   *testing.T
	dir string
	raw *sql.DB
}

func newFolder(t *testing.T) folder {
	t.Helper()
	f := folder{t: t, dir: t.TempDir()}
	f.write("key", "pickles\nand a second line\n")
	f.write("wrong", "my own key")
	raw, err := driver.Open("file:" + f.path("bot.db") + "?_pragma=journal_mode(wal)&_pragma=wal_autocheckpoint(0)")
	if err != nil {
		t.Fatal(err)
	}
	f.raw = raw
	t.Cleanup(func() { raw.Close() })
	fill(t, raw, "sqlite3")
	return f
}

func fill(t *testing.T, raw *sql.DB, engine string) {
	t.Helper()
	db, err := dbutil.NewWithDB(raw, engine)
	if err != nil {
		t.Fatal(err)
	}
	store := crypto.NewSQLCryptoStore(db, dbutil.NoopLogger, "@alice:example.org", "PHONE", []byte("pickles"))
	own := crypto.NewOlmAccount()
	for _, do := range []func() error{
		func() error { return store.DB.Upgrade(t.Context()) },
		func() error { return own.Internal.GenOneTimeKeys(3) },
		func() error { return store.PutAccount(t.Context(), own) },
		func() error { return store.PutNextBatch(t.Context(), "s1") },
		func() error { return store.PutSecret(t.Context(), id.SecretXSMaster, "secret") },
	} {
		if err := do(); err != nil {
			t.Fatal(err)
		}
	}
}

func (f folder) path(name string) string { return filepath.Join(f.dir, name) }

func (f folder) write(name, text string) {
	f.t.Helper()
	if err := os.WriteFile(f.path(name), []byte(text), 0o600); err != nil {
		f.t.Fatal(err)
	}
}

// run runs the command, and returns what it printed.
func (f folder) run(args ...string) (status int, out, errors string) {
	var stdout, stderr bytes.Buffer
	status = run(context.WithoutCancel(f.t.Context()), args, &stdout, &stderr)
	return status, stdout.String(), stderr.String()
}

func (f folder) imports(store, database string, flags ...string) (int, string, string) {
	return f.run(append([]string{"import", store, "--from", "mautrix", database, "--pickle-key-file", f.path("key")}, flags...)...)
}

// files are those beside the database, with their digests.
func (f folder) files() map[string][32]byte {
	f.t.Helper()
	all := map[string][32]byte{}
	for _, name := range []string{"bot.db", "bot.db-wal", "bot.db-shm", "bot.db-journal"} {
		text, err := os.ReadFile(f.path(name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			f.t.Fatal(err)
		}
		all[name] = sha256.Sum256(text)
	}
	return all
}

// A dry run makes no store where there is room for one, either.
func TestDryRunInAnEmptyPlace(t *testing.T) {
	f := newFolder(t)
	f.write("empty.db", "")
	if err := os.Mkdir(f.path("empty"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, store := range []string{f.path("empty"), "sqlite:" + f.path("empty.db")} {
		if status, out, said := f.imports(store, f.path("bot.db"), "--dry-run"); status != exitDone || !strings.Contains(out, "/PHONE: would get\n") {
			t.Errorf("%s: %d, %q, %q", store, status, out, said)
		}
	}
	made, err := filepath.Glob(f.path("empty*"))
	inside, failed := os.ReadDir(f.path("empty"))
	info, unread := os.Stat(f.path("empty.db"))
	if err := errors.Join(err, failed, unread); err != nil || len(made) != 2 || len(inside) != 0 || info.Size() != 0 {
		t.Errorf("it makes %q, and %d files in the directory, %v", made, len(inside), err)
	}
}

// The database stays as it was, file by file, with its log beside it, in which all of it
// is; a dry run makes no store; the pickle key opens the store that is made; and what
// was imported before stays.
func TestImportCommand(t *testing.T) {
	for name, prefix := range map[string]string{"badger": "", "sqlite": "sqlite:"} {
		t.Run(name, func(t *testing.T) {
			f := newFolder(t)
			before := f.files()
			if len(before) != 3 || before["bot.db-wal"] == sha256.Sum256(nil) {
				t.Fatalf("the database has no log: %d files", len(before))
			}
			store := prefix + f.path("store")
			status, out, _ := f.imports(store, f.path("bot.db"), "--dry-run")
			want := "@alice:example.org/PHONE: would get\n  one-time keys: 0 published, 3 not, 0 used\n"
			if status != exitDone || !strings.HasPrefix(out, want) || !strings.Contains(out, "secrets: 1\n") {
				t.Errorf("dry run: %d, %q", status, out)
			}
			if _, err := os.Stat(f.path("store")); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("a dry run made the store: %v", err)
			}
			status, out, _ = f.imports(store, f.path("bot.db"))
			if status != exitDone || !strings.Contains(out, "/PHONE: imported\n") || !strings.Contains(out, "It only receives until 'pawl recover "+store) {
				t.Errorf("the import: %d, %q", status, out)
			}
			status, out, _ = f.imports(store, f.path("bot.db"), "--retired", "--json")
			var r report
			if err := json.Unmarshal([]byte(out), &r); err != nil || status != exitDone || !r.Before || !r.NeedsRecovery || r.Schema != 22 || !r.Token {
				t.Errorf("again: %d, %q, %v", status, out, err)
			}
			if !maps.Equal(before, f.files()) {
				t.Error("the database was changed, or something beside it")
			}
			f.opens(prefix != "")
		})
	}
}

// opens opens the store under the pickle key.
func (f folder) opens(lite bool) {
	f.t.Helper()
	open := func() (*pawl.Store, func() error, error) {
		if lite {
			e, err := sqlitekv.Open(f.path("store"))
			if err != nil {
				return nil, nil, err
			}
			p, err := pawl.Open(f.t.Context(), e, pawl.WithPassphrase([]byte("pickles")))
			return p, e.Close, err
		}
		e, err := badgerkv.Open(f.path("store"))
		if err != nil {
			return nil, nil, err
		}
		p, err := pawl.Open(f.t.Context(), e, pawl.WithPassphrase([]byte("pickles")))
		return p, e.Close, err
	}
	p, end, err := open()
	if err != nil {
		f.t.Fatal(err)
	}
	defer end()
	m, err := p.Machine(f.t.Context(), "@alice:example.org", "PHONE")
	if err != nil {
		f.t.Fatal(err)
	}
	if ticket, err := m.NextSync(f.t.Context()); err != nil || ticket.Since != "s1" {
		f.t.Errorf("syncs go on from %q, %v", ticket.Since, err)
	}
	if _, err := m.Sign(f.t.Context(), []byte("{}")); !errors.Is(err, pawl.ErrNeedsRecovery) {
		f.t.Errorf("it signs before it is recovered: %v", err)
	}
}

// A database may be given as mautrix-go's configuration has it.
func TestImportOfURI(t *testing.T) {
	f := newFolder(t)
	for _, uri := range []string{"file:" + f.path("bot.db"), "file:" + f.path("bot.db") + "?_txlock=immediate&_pragma=busy_timeout(5000)", "file:" + strings.ReplaceAll(f.path("bot.db"), "bot", "b%6ft")} {
		if status, out, said := f.imports(f.path("store"), uri, "--dry-run"); status != exitDone || !strings.HasPrefix(out, "@alice:example.org/PHONE:") {
			t.Errorf("%s: %d, %q, %q", uri, status, out, said)
		}
	}
}

// The program may still run: the newest of what it has is read.
func TestImportOfADatabaseThatIsOpen(t *testing.T) {
	f := newFolder(t)
	if _, err := f.raw.Exec("UPDATE crypto_account SET device_id='TABLET'"); err != nil {
		t.Fatal(err)
	}
	if status, out, said := f.imports(f.path("store"), f.path("bot.db"), "--dry-run"); status != exitDone || !strings.HasPrefix(out, "@alice:example.org/TABLET:") {
		t.Errorf("%d, %q, %q", status, out, said)
	}
}

// Each mistake is one line that says what to do, and no store is made.
func TestImportMistakes(t *testing.T) {
	f := newFolder(t)
	f.write("text", "this is not a database")
	f.write("empty", "")
	store, db := f.path("store"), f.path("bot.db")
	for what, c := range map[string]struct {
		args   []string
		status int
		says   string
	}{
		"no arguments":       {[]string{"import"}, exitUsage, "give the store, and the database"},
		"no program":         {[]string{"import", store, db}, exitUsage, "--from"},
		"another program":    {[]string{"import", store, db, "--from", "libolm"}, exitUsage, "pawl import"},
		"no key":             {[]string{"import", store, db, "--from", "mautrix"}, exitUsage, "--pickle-key-file"},
		"no such key":        {[]string{"import", store, db, "--from", "mautrix", "--pickle-key-file", f.path("none")}, exitFailed, "no such file"},
		"an empty key":       {[]string{"import", store, db, "--from", "mautrix", "--pickle-key-file", f.path("empty")}, exitFailed, "is empty"},
		"another key":        {[]string{"import", store, db, "--from", "mautrix", "--pickle-key-file", f.path("wrong")}, exitFailed, "mautrix.bridge.e2ee"},
		"no database":        {[]string{"import", store, f.path("none"), "--from", "mautrix", "--pickle-key-file", f.path("key")}, exitFailed, "no such file"},
		"a directory":        {[]string{"import", store, f.dir, "--from", "mautrix", "--pickle-key-file", f.path("key")}, exitFailed, "is not a file"},
		"no SQLite":          {[]string{"import", store, f.path("text"), "--from", "mautrix", "--pickle-key-file", f.path("key")}, exitFailed, "not an SQLite file"},
		"another account":    {[]string{"import", store, db, "--from", "mautrix", "--pickle-key-file", f.path("key"), "--account-id", "x"}, exitFailed, `no account "x", only "@alice:example.org"`},
		"its own database":   {[]string{"import", db, db, "--from", "mautrix", "--pickle-key-file", f.path("key")}, exitUsage, "stays as it is"},
		"its own, as SQLite": {[]string{"import", "sqlite:" + db, db, "--from", "mautrix", "--pickle-key-file", f.path("key")}, exitUsage, "stays as it is"},
		"no address":         {[]string{"import", store, "postgres://u:my+own+key@:x/", "--from", "mautrix", "--pickle-key-file", f.path("key")}, exitFailed, "the address of the database"},
		"no server":          {[]string{"import", store, "postgres://u:my+own+key@127.0.0.1:1/x", "--from", "mautrix", "--pickle-key-file", f.path("key")}, exitFailed, "failed to open the database"},
		"another server":     {[]string{"import", store, "mysql://u:my+own+key@host/x", "--from", "mautrix", "--pickle-key-file", f.path("key")}, exitFailed, "neither an SQLite file nor"},
		"words of libpq":     {[]string{"import", store, "host=h password=my+own+key", "--from", "mautrix", "--pickle-key-file", f.path("key")}, exitFailed, "neither an SQLite file nor"},
		"a store elsewhere":  {[]string{"import", "postgres://u:my+own+key@host/x", db, "--from", "mautrix", "--pickle-key-file", f.path("key")}, exitFailed, "no path"},
		"an unknown flag":    {[]string{"import", store, db, "--frm", "mautrix"}, exitUsage, "--frm"},
		"a command of pawl":  {[]string{"check", store}, exitUsage, "no command"},
	} {
		status, out, said := f.run(c.args...)
		if status != c.status || !strings.Contains(said, c.says) || strings.Count(said, "\n") != 1 || out != "" {
			t.Errorf("%s: %d, %q, want %d with %q", what, status, said, c.status, c.says)
		}
		if strings.Contains(said, "my own key") || strings.Contains(said, "my+own+key") {
			t.Errorf("%s: the error tells a key", what)
		}
		if _, err := os.Stat(store); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: a store was made: %v", what, err)
		}
	}
}

// A row that cannot be read is printed, and the import succeeds.
func TestImportPrintsWhatIsLeftOut(t *testing.T) {
	f := newFolder(t)
	if _, err := f.raw.Exec("UPDATE crypto_secrets SET secret='AAAA'"); err != nil {
		t.Fatal(err)
	}
	status, out, _ := f.imports(f.path("store"), f.path("bot.db"))
	if status != exitDone || !strings.Contains(out, `left out: crypto_secrets, row "m.cross_signing.master": `) || strings.Contains(out, "secrets: 1") {
		t.Errorf("%d, %q", status, out)
	}
}
