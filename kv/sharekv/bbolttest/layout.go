package bbolttest

import (
	"encoding/binary"
	"errors"
	"slices"

	"go.etcd.io/bbolt"

	"github.com/pawlkv/pawl/kv"
)

// Buckets. Numbers are 8 bytes, most significant first.
var (
	entriesBucket = []byte("entries") // key: version, value
	idsBucket     = []byte("ids")     // began and random: version, and one byte more if it was refused
	orderBucket   = []byte("order")   // version: began and random
	stateBucket   = []byte("state")   // the names below
)

var (
	headName    = []byte("head")    // the newest version
	countName   = []byte("count")   // IDs that are kept
	droppedName = []byte("dropped") // version of the newest ID that was dropped
)

func makeBuckets(tx *bbolt.Tx) error {
	for _, name := range [][]byte{entriesBucket, idsBucket, orderBucket, stateBucket} {
		if _, err := tx.CreateBucketIfNotExists(name); err != nil {
			return err
		}
	}
	return nil
}

func number(v uint64) []byte { return binary.BigEndian.AppendUint64(nil, v) }

func state(tx *bbolt.Tx, name []byte) uint64 {
	if stored := tx.Bucket(stateBucket).Get(name); stored != nil {
		return binary.BigEndian.Uint64(stored)
	}
	return 0
}

func setState(tx *bbolt.Tx, name []byte, v uint64) error {
	return tx.Bucket(stateBucket).Put(name, number(v))
}

func head(tx *bbolt.Tx) kv.Version { return kv.Version(state(tx, headName)) }

func setHead(tx *bbolt.Tx, version kv.Version) error { return setState(tx, headName, uint64(version)) }

// entryOf copies what is stored, which is bbolt's.
func entryOf(key string, stored []byte) kv.Entry {
	return kv.Entry{
		Key: key, Version: kv.Version(binary.BigEndian.Uint64(stored)),
		Value: append([]byte{}, stored[8:]...),
	}
}

func get(tx *bbolt.Tx, key string) kv.Entry {
	stored := tx.Bucket(entriesBucket).Get([]byte(key))
	if stored == nil {
		return kv.Entry{Key: key}
	}
	return entryOf(key, stored)
}

func write(tx *bbolt.Tx, b *kv.Batch, version kv.Version) error {
	entries := tx.Bucket(entriesBucket)
	for _, w := range b.Writes {
		key, err := []byte(w.Key), error(nil)
		if w.Delete {
			err = entries.Delete(key)
		} else {
			err = entries.Put(key, slices.Concat(number(uint64(version)), w.Value))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func idKey(id kv.CommitID) []byte { return append(number(uint64(id.Began)), id.Random[:]...) }

// resolve returns the version at which an ID was applied, kv.ErrRefused if it was
// refused for good, 0 if it certainly was neither, and kv.ErrExpired if it may
// have been dropped.
func resolve(tx *bbolt.Tx, id kv.CommitID) (kv.Version, error) {
	stored := tx.Bucket(idsBucket).Get(idKey(id))
	switch {
	case len(stored) > 8:
		return 0, kv.ErrRefused
	case stored != nil:
		return kv.Version(binary.BigEndian.Uint64(stored)), nil
	case uint64(id.Began) < state(tx, droppedName):
		return 0, kv.ErrExpired
	}
	return 0, nil
}

// remember keeps an ID that is applied or refused at a version, and drops the
// oldest beyond keep.
func remember(tx *bbolt.Tx, id kv.CommitID, version kv.Version, refused bool, keep int) error {
	ids, order := tx.Bucket(idsBucket), tx.Bucket(orderBucket)
	stored := number(uint64(version))
	if refused {
		stored = append(stored, 1)
	}
	err := errors.Join(ids.Put(idKey(id), stored), order.Put(number(uint64(version)), idKey(id)))
	if err != nil {
		return err
	}
	count := state(tx, countName) + 1
	if count > uint64(keep) {
		oldest, key := order.Cursor().First()
		dropped := binary.BigEndian.Uint64(oldest)
		if err := errors.Join(ids.Delete(key), order.Delete(oldest), setState(tx, droppedName, dropped)); err != nil {
			return err
		}
		count--
	}
	return setState(tx, countName, count)
}
