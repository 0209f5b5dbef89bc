package badgerkv

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/dgraph-io/badger/v4"

	"github.com/pawlkv/pawl/kv"
)

// idLog remembers the newest commit IDs that were applied or refused for good, at
// least keep of them. IDs of slots versions make a chunk; the oldest chunk goes
// when the rest is enough. Only the committer uses it.
type idLog struct {
	keep   int
	known  map[kv.CommitID]recorded
	chunks []idChunk // full ones in the order of numbers, and the one that grows
	floor  uint64    // IDs of this version and older are no longer kept
	stale  []uint64  // versions of refusals that another program has left behind the floor
}

// recorded is the version at which an ID was applied or refused. Versions stay
// below 2^53, so that there is room for which of them it was.
type recorded uint64

const wasRefused recorded = 1 << 63

type idChunk struct {
	number  uint64 // version / slots
	applied []recordedID
	refused []recordedID
}

func newIDLog(keep int) *idLog {
	return &idLog{keep: keep, known: make(map[kv.CommitID]recorded)}
}

// resolve returns the version at which the ID was applied, kv.ErrRefused if it was
// refused for good, 0 if it certainly was neither, and kv.ErrExpired if it may
// have been dropped: an attempt is recorded at a later version than it began, so
// one that began at the floor or after it cannot be among the dropped.
func (l *idLog) resolve(id kv.CommitID) (uint64, error) {
	r, known := l.known[id]
	switch {
	case r&wasRefused != 0:
		return 0, kv.ErrRefused
	case known:
		return uint64(r), nil
	case uint64(id.Began) < l.floor:
		return 0, kv.ErrExpired
	}
	return 0, nil
}

// add remembers the IDs of a version. Versions rise from call to call.
func (l *idLog) add(version uint64, applied, refused []kv.CommitID) {
	chunk := l.chunk(version / slots)
	for _, id := range applied {
		chunk.applied = append(chunk.applied, recordedID{id, version})
		l.known[id] = recorded(version)
	}
	for _, id := range refused {
		chunk.refused = append(chunk.refused, recordedID{id, version})
		l.known[id] = recorded(version) | wasRefused
	}
}

// chunk returns the one with a number, which is that of the last or follows it.
func (l *idLog) chunk(number uint64) *idChunk {
	if n := len(l.chunks); n == 0 || l.chunks[n-1].number != number {
		l.chunks = append(l.chunks, idChunk{number: number})
	}
	return &l.chunks[len(l.chunks)-1]
}

// closing returns what the chunk that ends with the version holds of applied IDs,
// given those of that version.
func (l *idLog) closing(version uint64, ids []kv.CommitID) []recordedID {
	var all []recordedID
	if n := len(l.chunks); n > 0 && l.chunks[n-1].number == version/slots {
		all = slices.Clone(l.chunks[n-1].applied)
	}
	for _, id := range ids {
		all = append(all, recordedID{id, version})
	}
	return all
}

// surplus is the oldest chunks that are not needed, and the floor without them.
type surplus struct {
	chunks int
	stale  int
	keys   [][]byte // of what they are in Badger
	floor  uint64
}

// maxDrops bounds the keys that one transaction deletes for it, more or less.
const maxDrops = 256

// surplus returns what may go. What is too much for now goes later.
func (l *idLog) surplus() surplus {
	s := surplus{floor: l.floor}
	left := len(l.known)
	for _, chunk := range l.chunks {
		if left -= len(chunk.applied) + len(chunk.refused); left < l.keep || len(s.keys) > maxDrops {
			break
		}
		s.chunks++
		s.keys = append(s.keys, chunkKey(chunk.number))
		for i, r := range chunk.refused {
			if i == 0 || r.version != chunk.refused[i-1].version {
				s.keys = append(s.keys, refusalKey(r.version))
			}
		}
		s.floor = max(s.floor, chunk.number*slots+slots-1)
	}
	for _, version := range l.stale {
		if len(s.keys) > maxDrops {
			break
		}
		s.stale++
		s.keys = append(s.keys, refusalKey(version))
	}
	return s
}

// drop forgets what surplus has returned.
func (l *idLog) drop(s surplus) {
	for _, chunk := range l.chunks[:s.chunks] {
		for _, r := range chunk.applied {
			delete(l.known, r.id)
		}
		for _, r := range chunk.refused {
			delete(l.known, r.id)
		}
	}
	l.chunks, l.stale, l.floor = l.chunks[s.chunks:], l.stale[s.stale:], s.floor
}

// load reads the chunks, the slots that are newer than the newest of them, and
// the refusals.
func (l *idLog) load(txn *badger.Txn, head uint64) error {
	if head == 0 {
		return nil
	}
	refused, err := loadRefusals(txn)
	if err != nil {
		return err
	}
	end, err := l.loadChunks(txn, refused)
	if err != nil {
		return err
	}
	recent, err := loadSlots(txn, head)
	if err != nil {
		return err
	}
	if full := (head + 1) / slots * slots; full > 0 && end != full-1 {
		return fmt.Errorf("%w: the commit IDs up to version %d are missing", kv.ErrCorrupt, full-1)
	}
	l.floor = recent[head].floor
	for version := max(end, head-min(head, slots)) + 1; version <= head; version++ {
		s, there := recent[version]
		if !there {
			return fmt.Errorf("%w: the entry of version %d is missing", kv.ErrCorrupt, version)
		}
		l.add(version, s.ids, refused[version])
		delete(refused, version)
	}
	// What is left was refused at versions whose chunks are gone.
	for version := range refused {
		l.stale = append(l.stale, version)
	}
	return nil
}

// loadChunks reads the chunks, takes what belongs to them from the refusals, and
// returns the last version of the newest chunk.
func (l *idLog) loadChunks(txn *badger.Txn, refused map[uint64][]kv.CommitID) (end uint64, err error) {
	err = eachEntry(txn, chunkPrefix, func(key, value []byte, _ uint64) error {
		ids, err := decodeChunk(value)
		if err != nil {
			return err
		}
		number := binary.BigEndian.Uint64(key[1:])
		chunk := l.chunk(number) // also one without IDs
		for _, r := range ids {
			chunk.applied = append(chunk.applied, r)
			l.known[r.id] = recorded(r.version)
		}
		end = number*slots + slots - 1
		for version := number * slots; version <= end; version++ {
			l.add(version, nil, refused[version])
			delete(refused, version)
		}
		return nil
	})
	return end, err
}

func loadRefusals(txn *badger.Txn) (map[uint64][]kv.CommitID, error) {
	refused := make(map[uint64][]kv.CommitID)
	err := eachEntry(txn, refusalPrefix, func(key, value []byte, _ uint64) error {
		ids, err := decodeIDs(value)
		refused[binary.BigEndian.Uint64(key[1:])] = ids
		return err
	})
	return refused, err
}

// loadSlots reads the slots, of which the newest must be that of the head.
func loadSlots(txn *badger.Txn, head uint64) (map[uint64]slot, error) {
	recent, newest := make(map[uint64]slot, slots), uint64(0)
	err := eachEntry(txn, slotPrefix, func(_, value []byte, version uint64) error {
		s, err := decodeSlot(value)
		recent[version], newest = s, max(newest, version)
		return err
	})
	if err == nil && newest != head {
		err = fmt.Errorf("%w: the entry of version %d is missing", kv.ErrCorrupt, head)
	}
	return recent, err
}

// eachEntry calls fn for our own entries with a prefix, in the order of keys.
func eachEntry(txn *badger.Txn, prefix byte, fn func(key, value []byte, version uint64) error) error {
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
