package sqlitekv

import (
	"encoding/binary"

	"github.com/ncruces/go-sqlite3"

	"github.com/pawlkv/pawl/kv"
)

// encodeID is a commit ID in a row of the table commits. Each commit and each
// refusal has a version and a row of its own, so the newest n IDs are those of
// the newest n versions.
func encodeID(id kv.CommitID) []byte {
	b := binary.BigEndian.AppendUint64(make([]byte, 0, 8+len(id.Random)), uint64(id.Began))
	return append(b, id.Random[:]...)
}

// encodeRefused is the ID of a batch that was refused although it came again, at
// a version of its own. A process of a program that knows no refusals finds no
// such ID.
func encodeRefused(id kv.CommitID) []byte { return append(encodeID(id), 1) }

// resolve returns the version at which the ID was applied, kv.ErrRefused if it
// was refused for good, 0 if it certainly was neither, and kv.ErrExpired if it
// may have been dropped: an attempt is recorded at a later version than it began,
// so one that began at the newest dropped version or after it cannot be among
// the dropped. The newest version is head: of an attempt that began there nothing is
// recorded, and nothing dropped.
func (c *conn) resolve(id kv.CommitID, head kv.Version) (version kv.Version, err error) {
	if id.Began >= head {
		return 0, nil
	}
	refused := false
	err = c.rows(qFindID, func(row *sqlite3.Stmt) (bool, error) {
		version, refused = kv.Version(row.ColumnInt64(0)), row.ColumnInt(1) != len(encodeID(id))
		return false, nil
	}, id.Began, encodeID(id), encodeRefused(id))
	switch {
	case err != nil:
		return 0, err
	case refused:
		return 0, kv.ErrRefused
	case version != 0:
		return version, nil
	}
	oldest, err := c.number(qOldestID)
	if err == nil && id.Began+1 < oldest {
		err = kv.ErrExpired
	}
	return 0, err
}

// maxSurplus bounds how many rows more than wanted are kept, so that a commit
// that drops them is not much slower than others.
const maxSurplus = 256

// newestRows is a table with a row for each version, of which the newest are kept.
type newestRows struct {
	keep     int
	oldest   kv.Version // or one that other processes have dropped
	min      query
	dropUpTo query
}

// prune drops the oldest rows when there are enough of them to be worth it.
func (n *newestRows) prune(c *conn, head kv.Version) (err error) {
	limit := kv.Version(n.keep + min(maxSurplus, n.keep))
	if head < n.oldest+limit {
		return nil
	}
	if n.oldest, err = c.number(n.min); err != nil || head < n.oldest+limit {
		return err
	}
	if err := c.run(n.dropUpTo, head-kv.Version(n.keep)); err != nil {
		return err
	}
	n.oldest = head - kv.Version(n.keep) + 1
	return nil
}
