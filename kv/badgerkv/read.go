package badgerkv

import (
	"errors"
	"fmt"
	"strings"

	"github.com/dgraph-io/badger/v4"

	"github.com/pawlkv/pawl/kv"
)

// read calls fn with the database, which stays open meanwhile.
func (d *database) read(fn func(db *badger.DB) error) (err error) {
	d.gate.RLock()
	defer d.gate.RUnlock()
	if d.closed {
		return kv.ErrClosed
	}
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: Badger cannot read it: %v", kv.ErrCorrupt, r)
		}
	}()
	return fn(d.db)
}

func (d *database) checkOpen() error {
	return d.read(func(*badger.DB) error { return nil })
}

// get reads the keys at a version.
func (d *database) get(version kv.Version, keys []string) (entries []kv.Entry, err error) {
	err = d.read(func(db *badger.DB) error {
		entries = make([]kv.Entry, len(keys))
		missing := d.latest.At(version, keys, entries)
		if len(missing) == 0 {
			return nil
		}
		txn := db.NewTransactionAt(uint64(version), false)
		defer txn.Discard()
		for _, i := range missing {
			if entries[i], err = getEntry(txn, keys[i]); err != nil {
				return err
			}
			d.latest.Read(version, entries[i])
		}
		return nil
	})
	return entries, err
}

func getEntry(txn *badger.Txn, key string) (kv.Entry, error) {
	item, err := txn.Get(entryKey(key))
	switch {
	case errors.Is(err, badger.ErrKeyNotFound):
		return kv.Entry{Key: key}, nil
	case err != nil:
		return kv.Entry{}, unreadable(key, err)
	}
	value, err := valueOf(txn, item, key)
	return kv.Entry{Key: key, Value: value, Version: kv.Version(item.Version())}, err
}

// valueOf returns a copy of an entry's value, put together from its pieces. The
// item's user meta is the number of pieces after the first.
func valueOf(txn *badger.Txn, item *badger.Item, key string) ([]byte, error) {
	value, err := item.ValueCopy(make([]byte, 0, item.ValueSize()))
	if err != nil {
		return nil, unreadable(key, err)
	}
	for n := 1; n <= int(item.UserMeta()); n++ {
		part, err := txn.Get(pieceKey(key, n))
		if err != nil {
			return nil, unreadable(key, err)
		}
		if part.Version() != item.Version() {
			return nil, unreadable(key, errors.New("its pieces do not belong together"))
		}
		if err := part.Value(func(v []byte) error { value = append(value, v...); return nil }); err != nil {
			return nil, unreadable(key, err)
		}
	}
	return value, nil
}

// versionAt returns the version of a key's entry at that of the transaction, 0 if
// there is none.
func (d *database) versionAt(txn *badger.Txn, key string) (kv.Version, error) {
	if version, known := d.latest.VersionAt(kv.Version(txn.ReadTs()), key); known {
		return version, nil
	}
	item, err := txn.Get(entryKey(key))
	switch {
	case errors.Is(err, badger.ErrKeyNotFound):
		return 0, nil
	case err != nil:
		return 0, unreadable(key, err)
	}
	return kv.Version(item.Version()), nil
}

// unreadable says that Badger failed at an entry that it had.
func unreadable(key string, err error) error {
	return fmt.Errorf("%w: entry %q: %v", kv.ErrCorrupt, key, err)
}

// scanPart bounds what a scan reads at a time, in entries and bytes: between
// two parts nothing is held, so that the store can be closed.
const (
	scanPart      = 512
	scanPartBytes = 1 << 20
)

// scanFrom reads entries with the prefix at a version, beginning with the first
// that is not less than from, and returns where to go on, "" at the end.
func (d *database) scanFrom(version kv.Version, prefix, from string) (entries []kv.Entry, next string, err error) {
	err = d.read(func(db *badger.DB) error {
		txn := db.NewTransactionAt(uint64(version), false)
		defer txn.Discard()
		size := 0
		return eachItem(txn, prefix, from, func(item *badger.Item, key string) (bool, error) {
			if len(entries) == scanPart || size > scanPartBytes {
				next = key
				return false, nil
			}
			value, err := valueOf(txn, item, key)
			if err != nil {
				return false, err
			}
			size += len(value)
			entries = append(entries, kv.Entry{Key: key, Value: value, Version: kv.Version(item.Version())})
			return true, nil
		})
	})
	return entries, next, err
}

// eachItem calls fn for the entries with the prefix, from a key on, until it
// returns false.
func eachItem(txn *badger.Txn, prefix, from string, fn func(item *badger.Item, key string) (bool, error)) error {
	it := txn.NewIterator(badger.IteratorOptions{Prefix: entryKey(prefix)})
	defer it.Close()
	for it.Seek(entryKey(from)); it.Valid(); it.Next() {
		item := it.Item()
		more, err := fn(item, string(item.Key()[1:]))
		if err != nil || !more {
			return err
		}
	}
	return nil
}

// validate checks the reads of a batch without writes against the newest
// version.
func (d *database) validate(b *kv.Batch) (kv.Version, error) {
	version := d.versions.open()
	defer d.versions.release(version)
	err := d.read(func(db *badger.DB) error {
		txn := db.NewTransactionAt(uint64(version), false)
		defer txn.Discard()
		return d.checkReads(txn, b)
	})
	if err != nil {
		return 0, err
	}
	return version, nil
}

// checkReads returns a *kv.ConflictError for reads and scans that hold no more.
func (d *database) checkReads(txn *badger.Txn, b *kv.Batch) error {
	var stale kv.ConflictError
	for _, r := range b.Reads {
		version, err := d.versionAt(txn, r.Key)
		if err != nil {
			return err
		}
		if version != r.Version {
			stale.Keys = append(stale.Keys, r.Key)
		}
	}
	for _, scan := range b.Scans {
		same, err := yieldsSame(txn, scan)
		if err != nil {
			return err
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
func yieldsSame(txn *badger.Txn, scan kv.ScanRead) (bool, error) {
	rest := scan.Entries
	err := eachItem(txn, scan.Prefix, scan.Prefix, func(item *badger.Item, key string) (bool, error) {
		if len(rest) == 0 || rest[0] != (kv.Read{Key: key, Version: kv.Version(item.Version())}) {
			rest = []kv.Read{{}} // anything but empty
			return false, nil
		}
		rest = rest[1:]
		return true, nil
	})
	return len(rest) == 0, err
}

// overlaps reports whether a batch read or writes one of the keys, which are
// not yet visible.
func overlaps(b *kv.Batch, keys map[string]struct{}) bool {
	for _, w := range b.Writes {
		if _, in := keys[w.Key]; in {
			return true
		}
	}
	for _, r := range b.Reads {
		if _, in := keys[r.Key]; in {
			return true
		}
	}
	for _, scan := range b.Scans {
		for key := range keys {
			if strings.HasPrefix(key, scan.Prefix) {
				return true
			}
		}
	}
	return false
}
