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
	"unicode/utf8"

	"maunium.net/go/mautrix/id"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/internal/pickle"
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
			r.leaveOut(table, strings.Join(names, " "), err)
		}
		return nil
	}, args...)
}

// maxRowName is how many bytes are said of a row: three ids of Matrix are shorter.
const maxRowName = 1000

// leaveOut lists what could not be read.
func (r *databaseReader) leaveOut(table, row string, err error) {
	if len(row) > maxRowName {
		row = strings.ToValidUTF8(row[:maxRowName], "") + "..."
	}
	r.out.Unread = append(r.out.Unread, UnreadRow{table, row, err})
}

// extra adds an extra record, as a Store keeps it.
func (r *databaseReader) extra(space, name string, v any) error {
	value, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if name == "" || len(name) > pawl.MaxExtraName || len(value) > pawl.MaxExtraValue || !utf8.ValidString(name) {
		return fmt.Errorf("%w: a name of %d and a value of %d bytes, or no text", pawl.ErrExtra, len(name), len(value))
	}
	r.out.Import.Extras = append(r.out.Import.Extras, pawl.ImportExtra{Space: space, Name: name, Value: value})
	return nil
}

// has reports whether there is a table.
func (r *databaseReader) has(table string) (bool, error) {
	query := "SELECT count(*) FROM information_schema.tables WHERE table_schema=ANY(current_schemas(false)) AND table_name=$1"
	if r.lite {
		query = "SELECT count(*) FROM sqlite_schema WHERE type='table' AND name=$1"
	}
	var n int
	if err := r.tx.QueryRowContext(r.ctx, query, table).Scan(&n); err != nil {
		return false, fmt.Errorf("failed to read the database: %w", err)
	}
	return n > 0, nil
}

// since names columns that a schema does not have yet.
func (r *databaseReader) since(version int, columns ...string) string {
	if r.out.Schema >= version {
		return strings.Join(columns, ", ")
	}
	return strings.Repeat(", NULL", len(columns))[2:]
}

// moment is a time that a database has; zero: none, or one that nobody can read.
func moment(v any) time.Time {
	switch t := v.(type) {
	case time.Time:
		return t
	case int64:
		return time.UnixMilli(t)
	case []byte:
		return moment(string(t))
	case string:
		for _, layout := range []string{
			"2006-01-02 15:04:05.999999999-07:00", time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999",
			"2006-01-02 15:04:05.999999999 -0700 MST",
		} {
			text, _, _ := strings.Cut(t, " m=")
			if at, err := time.Parse(layout, text); err == nil {
				return at
			}
		}
	}
	return time.Time{}
}
