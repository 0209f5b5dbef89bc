package sqlitekv

import (
	"fmt"

	"github.com/ncruces/go-sqlite3"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/internal/latest"
)

// entry reads a key.
func (c *conn) entry(key string) (kv.Entry, error) {
	e := kv.Entry{Key: key}
	err := c.rows(qGet, func(row *sqlite3.Stmt) (bool, error) {
		e.Version = kv.Version(row.ColumnInt64(0))
		e.Value = row.ColumnBlob(1, []byte{})
		return false, nil
	}, []byte(key))
	return e, named(key, err)
}

// named says which key could not be read.
func named(key string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: at key %q", err, key)
}

// partEntries and partBytes bound what a scan reads at a time: between two parts
// nothing is held.
const (
	partEntries = 512
	partBytes   = 1 << 20
)

// scanPart reads entries with the prefix, beginning with the first that is not
// less than from, and reports whether there are more.
func (c *conn) scanPart(prefix, from string) (entries []kv.Entry, more bool, err error) {
	size := 0
	err = c.scan(prefix, from, func(row *sqlite3.Stmt) (bool, error) {
		if len(entries) == partEntries || size > partBytes {
			more = true
			return false, nil
		}
		value := row.ColumnBlob(2, []byte{})
		size += len(value)
		entries = append(entries, kv.Entry{Key: string(row.ColumnRawBlob(0)), Value: value, Version: kv.Version(row.ColumnInt64(1))})
		return true, nil
	})
	return entries, more, err
}

// scan calls fn for the entries with the prefix from a key on: key, version and
// value, until it returns false.
func (c *conn) scan(prefix, from string, fn func(*sqlite3.Stmt) (bool, error)) error {
	if end := successor(prefix); end != nil {
		return c.rows(qScan, fn, []byte(from), end)
	}
	return c.rows(qScanToEnd, fn, []byte(from))
}

// successor returns the first key after all that have the prefix, nil if there
// is none.
func successor(prefix string) []byte {
	end := []byte(prefix)
	for len(end) > 0 && end[len(end)-1] == 0xff {
		end = end[:len(end)-1]
	}
	if len(end) == 0 {
		return nil
	}
	end[len(end)-1]++
	return end
}

// check returns a *kv.ConflictError for reads and scans that hold no more.
// The connection reads the state at a version.
func (c *conn) check(b *kv.Batch, at kv.Version, known *latest.Entries) error {
	var stale kv.ConflictError
	for _, r := range b.Reads {
		version, remembered := known.VersionAt(at, r.Key)
		if !remembered {
			var err error
			if version, err = c.number(qVersion, []byte(r.Key)); err != nil { // 0 if absent
				return named(r.Key, err)
			}
		}
		if version != r.Version {
			stale.Keys = append(stale.Keys, r.Key)
		}
	}
	for _, scan := range b.Scans {
		same, err := c.yieldsSame(scan)
		if err != nil {
			return named(scan.Prefix, err)
		}
		if !same {
			stale.Prefixes = append(stale.Prefixes, scan.Prefix)
		}
	}
	if len(stale.Keys)+len(stale.Prefixes) > 0 {
		return &stale
	}
	return nil
}

// yieldsSame reports whether a scan still yields what it yielded.
func (c *conn) yieldsSame(scan kv.ScanRead) (bool, error) {
	rest := scan.Entries
	err := c.scan(scan.Prefix, scan.Prefix, func(row *sqlite3.Stmt) (bool, error) {
		now := kv.Read{Key: string(row.ColumnRawBlob(0)), Version: kv.Version(row.ColumnInt64(1))}
		if len(rest) == 0 || rest[0] != now {
			rest = []kv.Read{{}} // anything but empty
			return false, nil
		}
		rest = rest[1:]
		return true, nil
	})
	return len(rest) == 0, err
}
