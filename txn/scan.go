package txn

import (
	"slices"
	"strings"
	"time"

	"github.com/pawlkv/pawl/kv"
)

// scan is a prefix and the reads it yielded, in the order of their keys.
type scan struct {
	prefix string
	read   kv.ScanRead
}

// scan returns the keys with a prefix, those written by this transaction among
// them, in order, and puts what the store yielded into the read set.
func (tx *Tx) scan(prefix string) ([]string, error) {
	s, err := tx.scanned(prefix)
	if err != nil {
		return nil, err
	}
	keys := make([]string, 0, len(s.read.Entries))
	for _, e := range s.read.Entries {
		keys = append(keys, e.Key)
	}
	for _, w := range tx.queue {
		if strings.HasPrefix(w.key, prefix) {
			keys = append(keys, w.key)
		}
	}
	slices.Sort(keys)
	return slices.Compact(keys), nil
}

func (tx *Tx) scanned(prefix string) (*scan, error) {
	for _, s := range tx.scans {
		if s.prefix == prefix {
			return s, nil
		}
	}
	if tx.fault != nil {
		return nil, tx.fault
	}
	s := &scan{prefix: prefix, read: kv.ScanRead{Prefix: prefix}}
	start := time.Now()
	err := tx.scanStore(s)
	tx.call.report.countRead(start)
	if err != nil {
		return nil, tx.fail(err)
	}
	tx.scans = append(tx.scans, s)
	return s, nil
}

func (tx *Tx) scanStore(s *scan) error {
	tx.fixed = true
	for e, err := range tx.snap.Scan(tx.ctx, s.prefix) {
		if err != nil {
			return err
		}
		s.read.Entries = append(s.read.Entries, kv.Read{Key: e.Key, Version: e.Version})
		if known := tx.reads[e.Key]; known == nil {
			tx.remember(&read{key: e.Key, version: e.Version, sealed: e.Value, scanned: true})
		} else if known.version == e.Version {
			known.scanned = true
		} // else the cache was behind: fn sees what it saw before, and the commit conflicts
	}
	return nil
}
