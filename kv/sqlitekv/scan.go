package sqlitekv

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/ncruces/go-sqlite3"

	"github.com/pawlkv/pawl/kv"
)

// scan is one that is under way. What it has read ahead counts as long as the
// view has not moved on.
type scan struct {
	scanned
	view  *snapshot
	begun bool
	ahead []kv.Entry
	at    kv.Version // of the view when they were read
	rest  bool       // there may be more behind them
}

// next returns the next entry, if there is one.
func (s *scan) next(ctx context.Context) (entry kv.Entry, more bool, err error) {
	n := s.view
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.usable(ctx); err != nil {
		return entry, false, err
	}
	if !s.begun || len(s.ahead) == 0 && s.rest || len(s.ahead) > 0 && s.at != n.version {
		if err := n.read(ctx, s.readAhead); err != nil {
			return entry, false, err
		}
	}
	if len(s.ahead) == 0 {
		s.whole = true
		return entry, false, nil
	}
	entry, s.ahead = s.ahead[0], s.ahead[1:]
	s.yielded = append(s.yielded, kv.Read{Key: entry.Key, Version: entry.Version})
	return entry, true, nil
}

// readAhead reads a part. Callers hold the view's lock.
func (s *scan) readAhead(c *conn) (err error) {
	if s.ahead, s.rest, err = c.scanPart(s.prefix, s.end()); err != nil {
		return err
	}
	if !s.begun {
		s.begun = true
		s.view.returned.scans = append(s.view.returned.scans, &s.scanned)
	}
	s.at = s.view.version
	return nil
}

// scanned is what a scan has yielded so far.
type scanned struct {
	prefix  string
	yielded []kv.Read // in the order of their keys
	whole   bool      // it came to its end
}

// end is the first key that the scan has not passed over.
func (s *scanned) end() string {
	if len(s.yielded) == 0 {
		return s.prefix
	}
	return s.yielded[len(s.yielded)-1].Key + "\x00"
}

// passed reports whether the scan has yielded a key or passed over it, and the
// version it had, 0 for one that was absent.
func (s *scanned) passed(key string) (version kv.Version, passed bool) {
	if !strings.HasPrefix(key, s.prefix) || !s.whole && key >= s.end() {
		return 0, false
	}
	i, found := slices.BinarySearchFunc(s.yielded, key, func(r kv.Read, key string) int { return cmp.Compare(r.Key, key) })
	if !found {
		return 0, true
	}
	return s.yielded[i].Version, true
}

// standsIn reports whether the scan would yield the same as far as it has come.
func (s *scanned) standsIn(c *conn) (bool, error) {
	rest := s.yielded
	same := true
	err := c.scan(s.prefix, s.prefix, func(row *sqlite3.Stmt) (bool, error) {
		now := kv.Read{Key: string(row.ColumnRawBlob(0)), Version: kv.Version(row.ColumnInt64(1))}
		if len(rest) == 0 {
			same = !s.whole // it is past the end
			return false, nil
		}
		same = rest[0] == now
		rest = rest[1:]
		return same, nil
	})
	return same && len(rest) == 0, named(s.prefix, err)
}
