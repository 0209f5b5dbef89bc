package badgerkv

import (
	"encoding/binary"
	"fmt"

	"github.com/pawlkv/pawl/kv"
)

// slots is how many versions pass before a slot is written again, and a chunk
// takes what the slots hold.
const slots = 64

const (
	recordFormat = 1
	slotHeader   = 1 + 8 + 8 // format, synced, floor
	slotID       = 8 + 16    // began, random
	chunkHeader  = 1
	chunkID      = 8 + slotID // version, and the ID
)

// slot is the record that each commit writes beside its entries. The newest of
// the slots carries the head of the store as its version in Badger.
type slot struct {
	synced uint64 // the newest version that was on disk before this commit
	floor  uint64 // IDs of this version and older are no longer kept
	ids    []kv.CommitID
}

func (s *slot) encode() []byte {
	b := make([]byte, 0, slotHeader+len(s.ids)*slotID)
	b = append(b, recordFormat)
	b = binary.BigEndian.AppendUint64(b, s.synced)
	b = binary.BigEndian.AppendUint64(b, s.floor)
	for _, id := range s.ids {
		b = appendID(b, id)
	}
	return b
}

func decodeSlot(b []byte) (slot, error) {
	if len(b) < slotHeader || b[0] != recordFormat || (len(b)-slotHeader)%slotID != 0 {
		return slot{}, fmt.Errorf("%w: a commit's record is not readable", kv.ErrCorrupt)
	}
	s := slot{synced: binary.BigEndian.Uint64(b[1:]), floor: binary.BigEndian.Uint64(b[9:])}
	for b = b[slotHeader:]; len(b) > 0; b = b[slotID:] {
		s.ids = append(s.ids, decodeID(b))
	}
	return s, nil
}

// syncedBy tells which versions had been synced when a log entry was written.
func syncedBy(key, value []byte) (uint64, bool) {
	if len(key) != 2 || key[0] != slotPrefix {
		return 0, false
	}
	s, err := decodeSlot(value)
	return s.synced, err == nil
}

// appliedID is a commit ID and the version at which it was applied.
type appliedID struct {
	id      kv.CommitID
	version uint64
}

func encodeChunk(ids []appliedID) []byte {
	b := make([]byte, 0, chunkHeader+len(ids)*chunkID)
	b = append(b, recordFormat)
	for _, a := range ids {
		b = binary.BigEndian.AppendUint64(b, a.version)
		b = appendID(b, a.id)
	}
	return b
}

func decodeChunk(b []byte) ([]appliedID, error) {
	if len(b) < chunkHeader || b[0] != recordFormat || (len(b)-chunkHeader)%chunkID != 0 {
		return nil, fmt.Errorf("%w: a record of commit IDs is not readable", kv.ErrCorrupt)
	}
	ids := make([]appliedID, 0, len(b)/chunkID)
	for b = b[chunkHeader:]; len(b) > 0; b = b[chunkID:] {
		ids = append(ids, appliedID{id: decodeID(b[8:]), version: binary.BigEndian.Uint64(b)})
	}
	return ids, nil
}

func appendID(b []byte, id kv.CommitID) []byte {
	return append(binary.BigEndian.AppendUint64(b, uint64(id.Began)), id.Random[:]...)
}

func decodeID(b []byte) kv.CommitID {
	id := kv.CommitID{Began: kv.Version(binary.BigEndian.Uint64(b))}
	copy(id.Random[:], b[8:slotID])
	return id
}
