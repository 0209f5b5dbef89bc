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
	for _, w := range tx.written {
		if strings.HasPrefix(w.key, prefix) {
			keys = append(keys, w.key)
		}
	}
	slices.Sort(keys)
	return slices.Compact(keys), nil
}

// isScanned reports whether a scan that the commit checks had all that there is beside
// a key. What it has not yielded is not there.
func (tx *Tx) isScanned(key string) bool { return tx.scanAround(key) != nil }

// scanAround returns a scan of this attempt that had all there is beside a key, nil if
// there was none.
func (tx *Tx) scanAround(key string) *scan {
	for at := 0; len(tx.scanOf) > 0; at++ {
		next := strings.IndexByte(key[at:], '/')
		if next < 0 {
			break
		}
		at += next
		if s := tx.scanOf[key[:at+1]]; s != nil {
			return s
		}
	}
	return nil
}

// under returns the part of a scan that has a longer prefix.
func (s *scan) under(prefix string) *scan {
	all := s.read.Entries
	from, _ := slices.BinarySearchFunc(all, prefix, func(e kv.Read, p string) int { return strings.Compare(e.Key, p) })
	to := from
	for to < len(all) && strings.HasPrefix(all[to].Key, prefix) {
		to++
	}
	return &scan{prefix: prefix, read: kv.ScanRead{Prefix: prefix, Entries: all[from:to]}}
}

// scanned returns what there is with a prefix. What is part of a wider scan is not asked
// of the store again, nor checked twice.
func (tx *Tx) scanned(prefix string) (*scan, error) {
	if s := tx.scanOf[prefix]; s != nil {
		return s, nil
	}
	if s := tx.scanAround(prefix); s != nil {
		return s.under(prefix), nil
	}
	if tx.fault != nil {
		return nil, tx.fault
	}
	s := &scan{prefix: prefix, read: kv.ScanRead{Prefix: prefix}}
	start := time.Now()
	err := tx.scanStore(s)
	tx.t.report.countRead(start)
	if err != nil {
		return nil, tx.fail(err)
	}
	tx.tookScan(s)
	return s, nil
}

// tookScan puts a scan whose entries were taken into the read set.
func (tx *Tx) tookScan(s *scan) {
	if tx.scanOf == nil {
		tx.scanOf = make(map[string]*scan)
	}
	tx.scans, tx.scanOf[s.prefix] = append(tx.scans, s), s
}

func (tx *Tx) scanStore(s *scan) error {
	tx.fixed = true
	for e, err := range tx.snap.Scan(tx.ctx, s.prefix) {
		if err != nil {
			return err
		}
		tx.takeScanned(s, e)
	}
	return nil
}

// takeScanned puts an entry that a scan yielded into the read set.
func (tx *Tx) takeScanned(s *scan, e kv.Entry) {
	s.read.Entries = append(s.read.Entries, kv.Read{Key: e.Key, Version: e.Version})
	if known := tx.reads[e.Key]; known == nil {
		tx.remember(&read{key: e.Key, version: e.Version, sealed: e.Value, scanned: true})
	} else if known.version == e.Version {
		known.scanned = true
		known.sealed = e.Value // unless it was there, it came from the cache
	} // else the cache was behind: fn sees what it saw before, and the commit conflicts
}
