package sqlitekv

import (
	"fmt"

	"github.com/pawlkv/pawl/kv"
)

// What the header of the file says of it.
const (
	applicationID = 0x5061776c // "Pawl"
	pageSize      = 4096
	reserved      = 8 // bytes at the end of each page, for its checksum
)

// schema is what a store holds. Values of up to about 1,000 bytes lie in the
// leaves of entries, beside their keys.
var schema = fmt.Sprintf(`
PRAGMA application_id = %d;
PRAGMA user_version = %d;
CREATE TABLE entries (key BLOB PRIMARY KEY, version INTEGER NOT NULL, value BLOB NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE commits (version INTEGER PRIMARY KEY, id BLOB NOT NULL) STRICT;
CREATE TABLE changes (version INTEGER PRIMARY KEY, keys BLOB NOT NULL) STRICT;
`, applicationID, kv.NewestFormat)

// query names a prepared statement.
type query int

const (
	qBegin query = iota
	qBeginImmediate
	qCommit
	qRollback
	qHead
	qGet
	qVersion
	qScan
	qScanToEnd
	qPut
	qDelete
	qFindID
	qOldestID
	qAddID
	qDropIDs
	qAddChange
	qChanges
	qOldestChange
	qDropChanges
	qDataVersion
	queries // how many there are
)

var sqlOf = [queries]string{
	qBegin:          `BEGIN`,
	qBeginImmediate: `BEGIN IMMEDIATE`,
	qCommit:         `COMMIT`,
	qRollback:       `ROLLBACK`,
	qHead:           `SELECT max(version) FROM commits`,
	qGet:            `SELECT version, value FROM entries WHERE key = ?`,
	qVersion:        `SELECT version FROM entries WHERE key = ?`,
	qScan:           `SELECT key, version, value FROM entries WHERE key >= ? AND key < ? ORDER BY key`,
	qScanToEnd:      `SELECT key, version, value FROM entries WHERE key >= ? ORDER BY key`,
	// In a table without a rowid that has no other index, REPLACE looks for nothing first.
	qPut:    `REPLACE INTO entries (key, version, value) VALUES (?, ?, ?)`,
	qDelete: `DELETE FROM entries WHERE key = ?`,
	// An ID was recorded after it began, so that few rows are looked at.
	qFindID:       `SELECT version, length(id) FROM commits WHERE version > ? AND id IN (?, ?)`,
	qOldestID:     `SELECT min(version) FROM commits`,
	qAddID:        `INSERT INTO commits (version, id) VALUES (?, ?)`,
	qDropIDs:      `DELETE FROM commits WHERE version <= ?`,
	qAddChange:    `INSERT INTO changes (version, keys) VALUES (?, ?)`,
	qChanges:      `SELECT version, keys FROM changes WHERE version > ? ORDER BY version`,
	qOldestChange: `SELECT min(version) FROM changes`,
	qDropChanges:  `DELETE FROM changes WHERE version <= ?`,
	qDataVersion:  `PRAGMA data_version`,
}
