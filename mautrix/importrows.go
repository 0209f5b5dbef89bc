package pawlmautrix

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"strings"
	"time"

	"maunium.net/go/mautrix/id"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/pickle"
	"github.com/pawlkv/pawl/internal/pickle/libolm"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/ratchet"
)

// databaseReader reads a device.
type databaseReader struct {
	ctx    context.Context
	tx     *sql.Tx
	how    DatabaseImport
	lite   bool      // SQLite
	digest hash.Hash // of all that was read

	id      string                     // of the account
	owner   id.UserID                  // who has a device with the account's keys
	known   map[ratchet.SessionID]bool // Olm sessions
	senders map[string]matrix.UserID   // of Curve25519 keys
	rooms   map[matrix.RoomID]bool
	out     DatabaseDevice
}

// row is one of a query, by columns.
type row []any

func (r row) text(i int) string {
	switch v := r[i].(type) {
	case string:
		return strings.TrimRight(v, " ") // of CHAR
	case []byte:
		return string(v)
	case nil:
		return ""
	default:
		return fmt.Sprint(v)
	}
}

func (r row) boolean(i int) bool {
	switch v := r[i].(type) {
	case bool:
		return v
	case int64:
		return v != 0
	}
	return false
}

func (r row) integer(i int) int64 {
	n, _ := r[i].(int64)
	return n
}

// each calls do for the rows of a query. Its error ends that.
func (r *databaseReader) each(query string, columns int, do func(row) error, args ...any) (err error) {
	found, err := r.tx.QueryContext(r.ctx, query, args...)
	if err != nil {
		return fmt.Errorf("failed to read the database: %w", err)
	}
	defer func() { err = errors.Join(err, found.Close()) }()
	for found.Next() {
		values, into := make(row, columns), make([]any, columns)
		for i := range values {
			into[i] = &values[i]
		}
		if err := found.Scan(into...); err != nil {
			return fmt.Errorf("failed to read the database: %w", err)
		}
		for i := range values {
			fmt.Fprintf(r.digest, "%d %s ", len(values.text(i)), values.text(i))
		}
		if err := do(values); err != nil {
			return err
		}
	}
	if err := found.Err(); err != nil {
		return fmt.Errorf("failed to read the database: %w", err)
	}
	return nil
}

// rowsOf takes the rows of a table, but for those that cannot be read. Its key is the
// first columns, none of a hash.
func (r *databaseReader) rowsOf(table, query string, columns, key int, take func(row) error, args ...any) error {
	return r.each(query, columns, func(row row) error {
		if err := take(row); err != nil {
			var names []string
			for i := range key {
				names = append(names, row.text(i))
			}
			if errors.Is(err, pickle.ErrKey) { // the key opens the account
				err = pickle.Damaged("the pickle was changed, or is under another key")
			}
			r.out.Unread = append(r.out.Unread, UnreadRow{table, strings.Join(names, " "), err})
		}
		return nil
	}, args...)
}

// extra adds an extra record, as a Store keeps it.
func (r *databaseReader) extra(space, name string, v any) error {
	value, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if name == "" || len(name) > pawl.MaxExtraName || len(value) > pawl.MaxExtraValue {
		return fmt.Errorf("%w: a name of %d and a value of %d bytes", pawl.ErrExtra, len(name), len(value))
	}
	r.out.Import.Extras = append(r.out.Import.Extras, pawl.ImportExtra{Space: space, Name: name, Value: value})
	return nil
}

func (r *databaseReader) olmSessions() error {
	return r.rowsOf("crypto_olm_session",
		"SELECT sender_key, session_id, session, created_at, last_decrypted, last_encrypted FROM crypto_olm_session WHERE account_id=$1 ORDER BY session_id",
		6, 2, r.takeOlm, r.id)
}

// unused is how much later than its creation a session was used: mautrix-go has the
// time of the creation where it was not.
const unused = time.Millisecond

func (r *databaseReader) takeOlm(row row) error {
	own := r.out.Import.Identity.Public()
	s, err := libolm.Session(r.how.PickleKey, row.text(2), own)
	if err != nil {
		return err
	}
	peer, err := ratchet.ParsePublicKey(row.text(0))
	switch {
	case err != nil:
		return err
	case s.Initiated() && s.PreKeys().Identity != own, !s.Initiated() && s.PreKeys().Identity != peer:
		return errors.New("it is another device's session")
	case r.known[s.ID()]:
		return errors.New("the session is there twice")
	}
	r.known[s.ID()] = true
	one := pawl.ImportSession{Ratchet: s, Peer: peer, Created: moment(row[3])}
	if at := moment(row[4]); s.HasReceived() && !at.IsZero() {
		one.Received = at
	}
	if at := moment(row[5]); at.Sub(one.Created) > unused {
		one.Sent = at
	}
	r.out.Import.Sessions = append(r.out.Import.Sessions, one)
	return nil
}

// since names columns that a schema does not have yet.
func (r *databaseReader) since(version int, columns ...string) string {
	if r.out.Schema >= version {
		return strings.Join(columns, ", ")
	}
	return strings.Repeat(", NULL", len(columns))[2:]
}

func (r *databaseReader) roomKeys() error {
	r.rooms = map[matrix.RoomID]bool{}
	return r.rowsOf("crypto_megolm_inbound_session",
		"SELECT room_id, session_id, sender_key, signing_key, session, forwarding_chains, withheld_code, withheld_reason, ratchet_safety, received_at, "+
			"max_age, max_messages, is_scheduled, key_backup_version, key_source, "+r.since(21, "shared_history", "source_user")+
			" FROM crypto_megolm_inbound_session WHERE account_id=$1 ORDER BY session_id",
		17, 2, r.takeInbound, r.id)
}

func (r *databaseReader) takeInbound(row row) error {
	room, err := matrix.ParseRoomID(row.text(0))
	if err != nil {
		return err
	}
	r.rooms[room] = true
	if row.text(6) != "" {
		return r.takeWithheld(row, room)
	}
	in, err := libolm.Inbound(r.how.PickleKey, row.text(4))
	if err != nil {
		return err
	}
	if in.Key.ID().String() != row.text(1) {
		return errors.New("the pickle is of another session")
	}
	with := inbound{
		ReceivedAt: moment(row[9]), MaxAge: row.integer(10), MaxMessages: int(row.integer(11)), Scheduled: row.boolean(12),
		BackupVersion: id.KeyBackupVersion(row.text(13)), Source: id.KeySource(row.text(14)), User: id.UserID(row.text(16)),
	}
	if chains := row.text(5); chains != "" {
		with.Chains = strings.Split(chains, ",")
	}
	if safety := row.text(8); safety != "" {
		if err := json.Unmarshal([]byte(safety), &with.Safety); err != nil {
			return errors.New("ratchet_safety is no JSON of mautrix-go's")
		}
	}
	if row[15] != nil {
		shared := row.boolean(15)
		with.SharedHistory = &shared
	}
	source, err := sourceIn(row, in.Signed, with)
	if err != nil {
		return err
	}
	if err := r.extra(spaceInbound, row.text(1), with); err != nil {
		return err
	}
	r.out.Import.RoomKeys = append(r.out.Import.RoomKeys, pawl.RoomKey{Room: room, Key: in.Key, Source: source})
	return nil
}

// sourceIn says where a key came from, and no more than its pickle agrees with: who made
// the session gave the key only if the pickle says that it was signed. Rows from before
// mautrix-go noted it say nothing.
func sourceIn(row row, signed bool, with inbound) (s group.Source, err error) {
	if s.Sender, err = ratchet.ParsePublicKey(row.text(2)); err != nil {
		return s, fmt.Errorf("sender_key: %w", err)
	}
	if key := row.text(3); key != "" {
		if s.Claimed, err = account.ParseVerifyKey(key); err != nil {
			return s, fmt.Errorf("signing_key: %w", err)
		}
	}
	s.SharedHistory = with.SharedHistory != nil && *with.SharedHistory
	s.Provenance = provenances[with.Source]
	if with.Source == "" {
		s.Provenance = group.Direct
		if len(with.Chains) > 0 {
			s.Provenance = group.Forwarded
		}
	}
	if s.Provenance == group.Direct && !signed {
		s.Provenance = group.File
	}
	if s.Provenance == group.Forwarded {
		n := len(with.Chains)
		if n > 0 {
			s.Giver, err = ratchet.ParsePublicKey(with.Chains[n-1])
		}
		if n == 0 || err != nil {
			s.Provenance = group.File // nobody knows who gave it
		}
	}
	if s.Provenance == 0 {
		s.Provenance = group.File
	}
	return s, nil
}
