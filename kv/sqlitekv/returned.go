package sqlitekv

import (
	"github.com/ncruces/go-sqlite3"

	"github.com/pawlkv/pawl/kv"
)

// returned is what a view has returned so far.
type returned struct {
	reads map[string]kv.Version // 0 for those that are absent
	scans []*scanned
}

func (r *returned) addReads(entries []kv.Entry) {
	if r.reads == nil {
		r.reads = make(map[string]kv.Version)
	}
	for _, e := range entries {
		r.reads[e.Key] = e.Version
	}
}

// standsIn reports whether all of it, which stood at one version, stands at
// another, which the connection reads. It looks at what was committed since, and
// where that is no longer kept at all of it again.
func (r *returned) standsIn(c *conn, version, now kv.Version) (bool, error) {
	switch {
	case len(r.reads) == 0 && len(r.scans) == 0:
		return true, nil
	case now < version: // not of this store's history
		return false, nil
	}
	oldest, err := c.number(qOldestChange)
	if err != nil {
		return false, err
	}
	if oldest > version+1 {
		return r.standsAnew(c)
	}
	stands := true
	err = c.rows(qChanges, func(row *sqlite3.Stmt) (bool, error) {
		writes, err := decodeChanges(row.ColumnRawBlob(1))
		for i := 0; i < len(writes) && stands && err == nil; i++ {
			stands, err = r.survives(c, writes[i].Key)
		}
		return stands, err
	}, version)
	return stands, err
}

// survives reports whether what was returned stands although a key was written.
func (r *returned) survives(c *conn, key string) (bool, error) {
	was, seen := r.reads[key]
	for i := 0; i < len(r.scans) && !seen; i++ {
		was, seen = r.scans[i].passed(key)
	}
	if !seen {
		return true, nil
	}
	version, err := c.number(qVersion, []byte(key)) // 0 if absent
	return version == was, named(key, err)
}

// standsAnew looks at all of it again.
func (r *returned) standsAnew(c *conn) (bool, error) {
	for key, was := range r.reads {
		version, err := c.number(qVersion, []byte(key))
		if err != nil || version != was {
			return false, named(key, err)
		}
	}
	for _, s := range r.scans {
		if stands, err := s.standsIn(c); err != nil || !stands {
			return false, err
		}
	}
	return true, nil
}
