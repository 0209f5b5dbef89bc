package witness

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc64"

	"github.com/pawlkv/pawl/kv"
)

// A witness file has one page: a header that never changes, then slots, one for
// each process at best, of which the greatest is the head. Integers are
// big-endian.
//
//	0    magic (16)
//	16   store id (16) | generation (8) | inode (8) | birth (8) | checksum (8)
//	64   volume (8) | checksum of all before (8); all zero: no volume
//	256  240 times: version (8) | checksum (8); all zero: empty
const (
	magic      = "pawl witness 1\n\x00"
	headerSize = 64
	volumeSize = 16
	firstSlot  = 256
	slotSize   = 16
	fileSize   = 4096
	slots      = (fileSize - firstSlot) / slotSize
)

var polynomial = crc64.MakeTable(crc64.ECMA)

// header is what a file says of itself.
type header struct {
	store      StoreID
	generation uint64
	identity   identity
}

func (h header) of(m Mark) bool { return h.store == m.Store && h.generation == m.Generation }

func (h header) encode() []byte {
	b := append(make([]byte, 0, headerSize+volumeSize), magic...)
	b = append(b, h.store[:]...)
	b = binary.BigEndian.AppendUint64(b, h.generation)
	b = binary.BigEndian.AppendUint64(b, h.identity.inode)
	b = binary.BigEndian.AppendUint64(b, h.identity.birth)
	b = binary.BigEndian.AppendUint64(b, crc64.Checksum(b, polynomial))
	if h.identity.volume == 0 {
		return b[:headerSize+volumeSize]
	}
	b = binary.BigEndian.AppendUint64(b, h.identity.volume)
	return binary.BigEndian.AppendUint64(b, crc64.Checksum(b, polynomial))
}

// decodeHeader fails with ErrDamaged.
func decodeHeader(page []byte) (header, error) {
	if len(page) != fileSize {
		return header{}, fmt.Errorf("%w: it has %d bytes, not %d", ErrDamaged, len(page), fileSize)
	}
	var h header
	copy(h.store[:], page[16:])
	h.generation = binary.BigEndian.Uint64(page[32:])
	h.identity = identity{
		inode: binary.BigEndian.Uint64(page[40:]), birth: binary.BigEndian.Uint64(page[48:]),
		volume: binary.BigEndian.Uint64(page[headerSize:]),
	}
	if !bytes.Equal(h.encode(), page[:headerSize+volumeSize]) {
		return header{}, fmt.Errorf("%w: its header is not as it was written", ErrDamaged)
	}
	return h, nil
}

// slotSum binds a slot to its file's store and generation.
func (h header) slotSum(version []byte) uint64 {
	var seed [24]byte
	copy(seed[:], h.store[:])
	binary.BigEndian.PutUint64(seed[16:], h.generation)
	return crc64.Update(crc64.Checksum(seed[:], polynomial), polynomial, version)
}

func (h header) encodeSlot(version kv.Version) (slot [slotSize]byte) {
	binary.BigEndian.PutUint64(slot[:], uint64(version))
	binary.BigEndian.PutUint64(slot[8:], h.slotSum(slot[:8]))
	return slot
}

// decodeSlot returns 0 for an empty slot, and false for one that is damaged or
// being written.
func (h header) decodeSlot(slot []byte) (kv.Version, bool) {
	if [slotSize]byte(slot) == [slotSize]byte{} {
		return 0, true
	}
	ok := binary.BigEndian.Uint64(slot[8:]) == h.slotSum(slot[:8])
	return kv.Version(binary.BigEndian.Uint64(slot)), ok
}

// decodeHead returns the greatest of all slots. It fails with ErrDamaged.
func (h header) decodeHead(page []byte) (head kv.Version, err error) {
	for at := firstSlot; at < fileSize; at += slotSize {
		version, ok := h.decodeSlot(page[at : at+slotSize])
		if !ok {
			return 0, fmt.Errorf("%w: the slot at byte %d", ErrDamaged, at)
		}
		head = max(head, version)
	}
	return head, nil
}
