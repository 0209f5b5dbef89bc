package pawlmautrix

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"maunium.net/go/mautrix/id"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/internal/pickle"
	"github.com/pawlkv/pawl/internal/pickle/libolm"
	"github.com/pawlkv/pawl/internal/secret"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/ratchet"
)

// DatabaseImport says what is read of a database of mautrix-go.
type DatabaseImport struct {
	secret.Guard
	PickleKey []byte // of all pickles in it
	// AccountID is that of the account (cryptohelper's DBAccountID). nil: the only one.
	AccountID *string
	// User is whose the device is. It is needed where neither the account's id nor the
	// devices in the database tell.
	User id.UserID
	// Retired is that of [pawl.Import].
	Retired bool
}

// DatabaseDevice is a device as mautrix-go had it.
type DatabaseDevice struct {
	// Import is for [pawl.Store.Import], which puts it into a store.
	Import pawl.Import
	// Unread are the rows that could not be read, and are left out.
	Unread []UnreadRow
	// Schema is the version of the database's tables.
	Schema int
	// Outbound counts the Megolm sessions that mautrix-go sent in: nothing is sent in
	// them again.
	Outbound int
	Devices  int
	Secrets  int
}

// UnreadRow is a row that could not be read.
type UnreadRow struct {
	Table string
	Row   string // its key
	Err   error
}

// The schema's versions that are read.
const (
	oldestSchema = 20
	newestSchema = 22
)

// PickleKeys are those that bridges used before each had one of its own. NAME is the
// bridge's.
var PickleKeys = []string{"mautrix.bridge.e2ee", "maunium.net/go/mautrix-NAME"}

// ReadDatabase reads a device from an open database of mautrix-go (its SQLCryptoStore),
// SQLite or PostgreSQL, in one view of it, and changes nothing. The outbound Megolm
// sessions are not taken: the next message to each room begins a new one. A row that
// cannot be read is listed, and left out; without the account there is no device.
//
// It fails with pawl.ErrImport (no such database or account, or nobody knows whose it
// is), pawl.ErrPickleKey, pawl.ErrPickleDamaged (the account's pickle), pawl.ErrPickleVersion, or an
// error of the database.
func ReadDatabase(ctx context.Context, db *sql.DB, how DatabaseImport) (DatabaseDevice, error) {
	var is int
	lite := db.QueryRowContext(ctx, "SELECT 1 FROM sqlite_schema LIMIT 1").Scan(&is)
	options := &sql.TxOptions{ReadOnly: true}
	if postgres := lite != nil && !errors.Is(lite, sql.ErrNoRows); postgres {
		options.Isolation = sql.LevelRepeatableRead
	}
	tx, err := db.BeginTx(ctx, options)
	if err != nil {
		return DatabaseDevice{}, fmt.Errorf("failed to read the database: %w", err)
	}
	defer func() { _ = tx.Rollback() }()
	r := &databaseReader{
		ctx: ctx, tx: tx, how: how, digest: sha256.New(), lite: options.Isolation == sql.LevelDefault,
		known: map[ratchet.SessionID]bool{}, senders: map[string]matrix.UserID{},
	}
	if err := r.all(); err != nil {
		return DatabaseDevice{}, err
	}
	r.out.Import.Program, r.out.Import.Digest = "mautrix", [32]byte(r.digest.Sum(nil))
	return r.out, nil
}

func (r *databaseReader) all() error {
	for _, step := range []func() error{
		r.schema, r.account, r.devices, r.whose, r.olmSessions, r.roomKeys, r.outbound, r.encryptedRooms, r.messages, r.identities, r.signatures,
		r.secrets, r.hashes,
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// Errors of reading a database; both are a pawl.ErrImport.
var (
	// ErrSeveralAccounts: the database has several, and nobody said which.
	ErrSeveralAccounts = fmt.Errorf("%w: the database has several accounts", pawl.ErrImport)
	// ErrWhose: nothing in the database says whose the device is.
	ErrWhose = fmt.Errorf("%w: nothing in the database says whose the device is", pawl.ErrImport)
)

func notMautrix(format string, args ...any) error {
	return fmt.Errorf("%w: %s", pawl.ErrImport, fmt.Sprintf(format, args...))
}

func (r *databaseReader) schema() error {
	for _, table := range []string{"crypto_version", "crypto_account"} {
		if is, err := r.has(table); err != nil || !is {
			if err == nil {
				err = notMautrix("the database has no keys of mautrix-go: no table %s", table)
			}
			return err
		}
	}
	if err := r.tx.QueryRowContext(r.ctx, "SELECT version FROM crypto_version").Scan(&r.out.Schema); err != nil {
		return fmt.Errorf("failed to read the version of the database's schema: %w", err)
	}
	switch v := r.out.Schema; {
	case v < oldestSchema:
		return notMautrix("the schema is version %d, and %d to %d are read: start the program once with mautrix-go 0.32, which brings it to 22", v, oldestSchema, newestSchema)
	case v > newestSchema:
		return notMautrix("the schema is version %d, and %d to %d are read: import with a newer pawl-mautrix", v, oldestSchema, newestSchema)
	}
	return nil
}

// account reads the account, without which there is no device.
func (r *databaseReader) account() error {
	var ids []string
	var found row
	err := r.each("SELECT account_id, device_id, shared, sync_token, account, key_backup_version FROM crypto_account ORDER BY account_id", 6, func(row row) error {
		ids = append(ids, fmt.Sprintf("%q", row.text(0)))
		if r.how.AccountID == nil || *r.how.AccountID == row.text(0) {
			found = row
		}
		return nil
	})
	switch {
	case err != nil:
		return err
	case len(ids) == 0:
		return notMautrix("the database has no account")
	case r.how.AccountID == nil && len(ids) > 1:
		return fmt.Errorf("%w: choose one of %s by its id", ErrSeveralAccounts, strings.Join(ids, ", "))
	case found == nil:
		return notMautrix("the database has no account %q, only %s", *r.how.AccountID, strings.Join(ids, ", "))
	}
	r.id = found.text(0)
	return r.takeAccount(found)
}

func (r *databaseReader) takeAccount(row row) error {
	d := &r.out.Import
	d.Retired = r.how.Retired
	device, err := matrix.ParseDeviceID(row.text(1))
	if err != nil {
		return notMautrix("the account's device: %v", err)
	}
	d.DeviceID = device
	d.Since = strings.ToValidUTF8(row.text(3), "") // the server judges it
	if n := len(d.Since); n > maxToken {
		d.Since = ""
		r.leaveOut("crypto_account", r.id, fmt.Errorf("its sync_token has %d bytes: syncs begin anew", n))
	}
	a, err := libolm.Account(r.how.PickleKey, row.text(4))
	if errors.Is(err, pickle.ErrKey) {
		return r.wrongKey(err)
	}
	if err != nil {
		return fmt.Errorf("the account: %w", err)
	}
	d.Identity, d.Signing, d.LastKeyID = a.Identity, a.Signing, a.LastID
	for _, k := range a.OneTimeKeys {
		d.OneTimeKeys = append(d.OneTimeKeys, pawl.ImportKey{ID: k.ID, Pair: k.Pair, Published: k.Published})
	}
	for _, k := range a.Fallbacks {
		d.FallbackKeys = append(d.FallbackKeys, pawl.ImportKey{ID: k.ID, Pair: k.Pair, Published: k.Published})
	}
	if err := r.extra(spaceAccount, importedAt, time.Now()); err != nil {
		return err
	}
	if d.Since != "" {
		if err := r.extra(spaceAccount, "token", d.Since); err != nil {
			return err
		}
	}
	state := accountState{Shared: row.boolean(2), BackupVersion: id.KeyBackupVersion(row.text(5))}
	if err := r.extra(spaceAccount, "account", state); err == nil {
		return nil
	}
	r.leaveOut("crypto_account", r.id, fmt.Errorf("its key_backup_version has %d bytes", len(state.BackupVersion)))
	return r.extra(spaceAccount, "account", accountState{Shared: state.Shared})
}

// maxToken is how many bytes the token of an import has at most: servers' have some
// hundreds.
const maxToken = 16 << 10

// wrongKey says whether the key is another, or the account's pickle was changed: it may
// open others.
func (r *databaseReader) wrongKey(err error) error {
	for _, query := range []string{
		"SELECT session FROM crypto_olm_session WHERE account_id=$1 LIMIT 20",
		"SELECT session FROM crypto_megolm_inbound_session WHERE account_id=$1 AND session IS NOT NULL LIMIT 20",
	} {
		opens := false
		failed := r.each(query, 1, func(row row) error {
			content, err := pickle.Open(r.how.PickleKey, row.text(0))
			clear(content)
			opens = opens || err == nil
			return nil
		}, r.id)
		if failed != nil {
			return failed
		}
		if opens {
			return fmt.Errorf("the account: %w", pickle.Damaged("it was changed: sessions open with the key"))
		}
	}
	return fmt.Errorf("%w: it opens nothing in the database; it is what the program gave to NewCryptoHelper (bridges: encryption.pickle_key; older ones used %q or %q)",
		err, PickleKeys[0], PickleKeys[1])
}

// whose finds out whose the device is.
func (r *databaseReader) whose() error {
	d := &r.out.Import
	for _, name := range []string{string(r.how.User), r.id, string(r.owner)} {
		if user, err := matrix.ParseUserID(name); err == nil {
			d.UserID = user
			return nil
		} else if name != "" && name == string(r.how.User) {
			return notMautrix("the user: %v", err)
		}
	}
	return fmt.Errorf("%w: give the user of %s", ErrWhose, d.DeviceID)
}

// CheckPlace fails with ErrMautrixDatabase or ErrStore where NewCryptoHelper would, if it
// was given this path.
func CheckPlace(path string) error {
	_, err := placeOf(path)
	return err
}
