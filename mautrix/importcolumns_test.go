package pawlmautrix

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/kv/memkv"
)

// strange is what stands in a column that should have something else.
var strange = map[string]string{
	"nothing": "NULL", "empty": "''", "words": "'no such thing'", "bytes": "x'00ff80'", "negative": "-1", "large": "9223372036854775807",
	"a fraction": "1.5", "long": "replace(hex(zeroblob(600)), '0', '@')", "JSON": `'{"a":1}'`,
	"very long": "replace(hex(zeroblob(400000)), '0', '@')", "zeros": "'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'",
}

// Whatever stands in one column of one row, of any table, the device is imported with all
// other rows: the account's own apart, without which there is none.
func TestDatabaseColumns(t *testing.T) {
	f := newFixture(t, liteFile(t), "SQLite")
	f.exec("PRAGMA ignore_check_constraints=1")
	f.exec("PRAGMA foreign_keys=0") // else all goes with the account
	all, err := f.imports()
	f.must(err)
	changed := 0
	for _, table := range f.tables() {
		if table == "crypto_version" {
			continue
		}
		f.exec("CREATE TABLE whole AS SELECT * FROM " + table)
		for _, column := range f.columns(table) {
			if table == "crypto_account" && column != "sync_token" && column != "key_backup_version" {
				continue
			}
			for name, value := range strange {
				if _, err := f.raw.Exec(fmt.Sprintf("UPDATE %s SET \"%s\"=%s WHERE rowid=(SELECT max(rowid) FROM %[1]s)", table, column, value)); err != nil {
					continue // the database itself refuses it
				}
				changed++
				d, err := f.imports()
				if err != nil {
					t.Errorf("%s in %s of %s: %v", name, column, table, err)
				}
				if got, want := d.count(), all.count(); got < want-2 || len(d.Unread) > 1 {
					t.Errorf("%s in %s of %s: %d things are imported, and were %d; not read: %v", name, column, table, got, want, d.Unread)
				}
				for _, u := range d.Unread {
					if n := len(u.Row) + len(u.Err.Error()); n > 2000 {
						t.Errorf("%s in %s of %s: %d bytes are said of a row", name, column, table, n)
					}
				}
				f.exec("DELETE FROM " + table)
				f.exec(fmt.Sprintf("INSERT INTO %s SELECT * FROM whole", table))
			}
		}
		f.exec("DROP TABLE whole")
	}
	if changed < 300 {
		t.Errorf("%d columns were changed", changed)
	}
}

// imports reads the device and puts it into a new store.
func (f *fixture) imports() (d DatabaseDevice, err error) {
	p, err := pawl.Open(f.t.Context(), memkv.New(), pawl.WithKey([32]byte{1}))
	f.must(err)
	if d, err = ReadDatabase(f.t.Context(), f.raw, DatabaseImport{PickleKey: []byte("pickles"), Retired: true, User: alice}); err == nil {
		_, err = p.Import(f.t.Context(), d.Import)
	}
	if err != nil {
		return d, err
	}
	m, err := p.Machine(f.t.Context(), d.Import.UserID, d.Import.DeviceID)
	f.must(err)
	for _, e := range d.Import.Extras { // what was taken can be read
		if _, err := m.Extras(f.t.Context(), e.Space); err != nil {
			return d, err
		}
	}
	return d, nil
}

// count is how much is imported.
func (d DatabaseDevice) count() int {
	i := d.Import
	return len(i.Sessions) + len(i.RoomKeys) + len(i.Withheld) + len(i.Messages) + len(i.Users) + len(i.Identities) + len(i.Rooms) + len(i.Extras)
}

// tables are those that have rows.
func (f *fixture) tables() (names []string) {
	f.t.Helper()
	for _, name := range f.texts("SELECT name FROM sqlite_schema WHERE type='table' AND (name LIKE 'crypto_%' OR name='mx_room_state')") {
		if f.texts("SELECT count(*) FROM " + name)[0] != "0" {
			names = append(names, name)
		}
	}
	if len(names) < 12 {
		f.t.Fatalf("there are rows in %s", strings.Join(names, ", "))
	}
	slices.Sort(names)
	return names
}

func (f *fixture) columns(table string) []string {
	return f.texts("SELECT name FROM pragma_table_info($1)", table)
}

func (f *fixture) texts(query string, args ...any) (all []string) {
	f.t.Helper()
	rows, err := f.raw.QueryContext(f.t.Context(), query, args...)
	f.must(err)
	defer rows.Close()
	for rows.Next() {
		var text string
		f.must(rows.Scan(&text))
		all = append(all, text)
	}
	f.must(rows.Err())
	return all
}
