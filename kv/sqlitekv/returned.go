package sqlitekv

import (
	"github.com/ncruces/go-sqlite3"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/internal/views"
	"github.com/pawlkv/pawl/kv/internal/watch"
)

// stands reports whether all that a view has returned, which stood at one version,
// stands at another, which the connection reads. It looks at what was committed since, and
// where that is no longer kept at all of it again.
func (c *conn) stands(r *views.Returned, version, now kv.Version) (bool, error) {
	switch {
	case r.Nothing():
		return true, nil
	case now < version: // not of this store's history
		return false, nil
	}
	oldest, err := c.number(qOldestChange)
	if err != nil {
		return false, err
	}
	if oldest > version+1 {
		return c.standsAnew(r)
	}
	stands := true
	err = c.rows(qChanges, func(row *sqlite3.Stmt) (bool, error) {
		writes, err := watch.DecodeChanges(row.ColumnRawBlob(1))
		for i := 0; i < len(writes) && stands && err == nil; i++ {
			stands, err = c.survives(r, writes[i].Key)
		}
		return stands, err
	}, version)
	return stands, err
}

// survives reports whether what was returned stands although a key was written.
func (c *conn) survives(r *views.Returned, key string) (bool, error) {
	if !r.Saw(key) {
		return true, nil
	}
	version, err := c.number(qVersion, []byte(key)) // 0 if absent
	return err == nil && r.Stands(key, version), named(key, err)
}

// standsAnew looks at all of it again.
func (c *conn) standsAnew(r *views.Returned) (bool, error) {
	for key, was := range r.Reads() {
		version, err := c.number(qVersion, []byte(key))
		if err != nil || version != was {
			return false, named(key, err)
		}
	}
	for _, s := range r.Scans() {
		if stands, err := c.yieldsAgain(s); err != nil || !stands {
			return false, err
		}
	}
	return true, nil
}

// yieldsAgain reports whether a scan would yield the same as far as it has come.
func (c *conn) yieldsAgain(s *views.Scan) (bool, error) {
	rest := s.Yielded
	same := true
	err := c.scan(s.Prefix, s.Prefix, func(row *sqlite3.Stmt) (bool, error) {
		now := kv.Read{Key: string(row.ColumnRawBlob(0)), Version: kv.Version(row.ColumnInt64(1))}
		if len(rest) == 0 {
			same = !s.Whole // it is past the end
			return false, nil
		}
		same = rest[0] == now
		rest = rest[1:]
		return same, nil
	})
	return same && len(rest) == 0, named(s.Prefix, err)
}
