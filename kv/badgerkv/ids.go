package badgerkv

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/dgraph-io/badger/v4"

	"github.com/pawlkv/pawl/kv"
)

// idLog remembers the newest commit IDs that were applied, at least keep of
// them. IDs of slots versions make a chunk; the oldest chunk goes when the rest
// is enough. Only the committer uses it.
type idLog struct {
	keep     int
	versions map[kv.CommitID]uint64
	chunks   []idChunk // full ones in the order of numbers, and the one that grows
	floor    uint64    // IDs of this version and older are no longer kept
}

type idChunk struct {
	number uint64 // version / slots
	ids    []appliedID
}

func newIDLog(keep int) *idLog {
	return &idLog{keep: keep, versions: make(map[kv.CommitID]uint64)}
}

// resolve returns the version at which the ID was applied, 0 if it certainly
// was not, and kv.ErrExpired if it may have been dropped: an attempt is applied
// at a later version than it began, so one that began at the floor or after it
// cannot be among the dropped.
func (l *idLog) resolve(id kv.CommitID) (uint64, error) {
	if version, applied := l.versions[id]; applied {
		return version, nil
	}
	if uint64(id.Began) < l.floor {
		return 0, kv.ErrExpired
	}
	return 0, nil
}

// add remembers IDs. Versions rise from call to call.
func (l *idLog) add(version uint64, ids ...kv.CommitID) {
	number := version / slots
	if n := len(l.chunks); n == 0 || l.chunks[n-1].number != number {
		l.chunks = append(l.chunks, idChunk{number: number})
	}
	chunk := &l.chunks[len(l.chunks)-1]
	for _, id := range ids {
		chunk.ids = append(chunk.ids, appliedID{id: id, version: version})
		l.versions[id] = version
	}
}

// closing returns what the chunk that ends with the version holds, given the
// IDs of that version.
func (l *idLog) closing(version uint64, ids []kv.CommitID) []appliedID {
	var all []appliedID
	if n := len(l.chunks); n > 0 && l.chunks[n-1].number == version/slots {
		all = slices.Clone(l.chunks[n-1].ids)
	}
	for _, id := range ids {
		all = append(all, appliedID{id: id, version: version})
	}
	return all
}

// surplus is the oldest chunks that are not needed, and the floor without them.
type surplus struct {
	chunks []uint64
	floor  uint64
}

func (l *idLog) surplus() surplus {
	s := surplus{floor: l.floor}
	left := len(l.versions)
	for _, chunk := range l.chunks {
		if left -= len(chunk.ids); left < l.keep {
			break
		}
		s.chunks = append(s.chunks, chunk.number)
		s.floor = chunk.number*slots + slots - 1
	}
	return s
}

// drop forgets what surplus has returned.
func (l *idLog) drop(s surplus) {
	for _, chunk := range l.chunks[:len(s.chunks)] {
		for _, a := range chunk.ids {
			delete(l.versions, a.id)
		}
	}
	l.chunks, l.floor = l.chunks[len(s.chunks):], s.floor
}

// load reads the chunks, and the slots that are newer than the newest of them.
func (l *idLog) load(txn *badger.Txn, head uint64) error {
	var end uint64 // of the newest chunk
	err := eachRecord(txn, chunkPrefix, func(key, value []byte, _ uint64) error {
		ids, err := decodeChunk(value)
		for _, a := range ids {
			l.add(a.version, a.id)
		}
		end = binary.BigEndian.Uint64(key[1:])*slots + slots - 1
		return err
	})
	if err != nil || head == 0 {
		return err
	}
	recent, newest := make(map[uint64]slot, slots), uint64(0)
	err = eachRecord(txn, slotPrefix, func(_, value []byte, version uint64) error {
		s, err := decodeSlot(value)
		recent[version], newest = s, max(newest, version)
		return err
	})
	if err != nil {
		return err
	}
	if newest != head {
		return fmt.Errorf("%w: the record of version %d is missing", kv.ErrCorrupt, head)
	}
	if full := (head + 1) / slots * slots; full > 0 && end != full-1 {
		return fmt.Errorf("%w: the commit IDs up to version %d are missing", kv.ErrCorrupt, full-1)
	}
	l.floor = recent[head].floor
	for version := max(end, head-min(head, slots)) + 1; version <= head; version++ {
		s, there := recent[version]
		if !there {
			return fmt.Errorf("%w: the record of version %d is missing", kv.ErrCorrupt, version)
		}
		l.add(version, s.ids...)
	}
	return nil
}

// eachRecord calls fn for our own records with a prefix, in the order of keys.
func eachRecord(txn *badger.Txn, prefix byte, fn func(key, value []byte, version uint64) error) error {
	it := txn.NewIterator(badger.IteratorOptions{Prefix: []byte{prefix}})
	defer it.Close()
	for it.Rewind(); it.Valid(); it.Next() {
		item := it.Item()
		err := item.Value(func(value []byte) error { return fn(item.Key(), value, item.Version()) })
		if err != nil {
			return err
		}
	}
	return nil
}
