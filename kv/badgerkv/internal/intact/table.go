package intact

import (
	"encoding/binary"
	"hash/crc32"
	"os"
	"sync"

	"github.com/dgraph-io/badger/v4/fb"
	"github.com/dgraph-io/badger/v4/pb"
	"google.golang.org/protobuf/proto"

	"github.com/pawlkv/pawl/internal/files"
)

// A table is its blocks, the index, the index's length, the index's checksum
// and that one's length. A block ends with its checksum and that one's length,
// too. Lengths are 4 bytes, big-endian.
const (
	lengthSize = 4
	// maxChecksum is more than the longest encoded checksum has.
	maxChecksum = 32
	// readSize is how much of a table is read at a time, unless a block is
	// longer: enough to make calls cheap, little enough to cost no memory.
	readSize = 256 << 10
)

// checkTable reads the table from end to end and returns its newest version.
func checkTable(path string) (version uint64, err error) {
	defer guard(path, &err)
	t, err := openTable(path)
	if err != nil {
		return 0, err
	}
	defer t.close()
	index, err := t.readIndex()
	if err != nil {
		return 0, err
	}
	return index.MaxVersion(), t.checkBlocks(index)
}

func openTable(path string) (*tableFile, error) {
	file, err := files.OpenRegular(path, os.O_RDONLY)
	if err != nil {
		return nil, unreadable(path, err)
	}
	info, err := file.Stat()
	if err != nil {
		file.Close()
		return nil, unreadable(path, err)
	}
	return &tableFile{File: file, size: info.Size(), room: rooms.Get().(*room)}, nil
}

func (t *tableFile) close() {
	t.File.Close()
	rooms.Put(t.room)
}

// room is what a table is read into. It is used again for the next table, since
// there are many: garbage would stay with the process as memory.
type room struct{ index, blocks []byte }

var rooms = sync.Pool{New: func() any { return &room{blocks: make([]byte, readSize)} }}

// grow returns n bytes of buf, which it replaces if it has fewer.
func grow(buf *[]byte, n int64) []byte {
	if int64(len(*buf)) < n {
		*buf = make([]byte, n)
	}
	return (*buf)[:n]
}

type tableFile struct {
	*os.File
	size   int64
	blocks int64 // where the blocks end and the index begins
	room   *room
}

// readIndex reads the table's end backwards.
func (t *tableFile) readIndex() (*fb.TableIndex, error) {
	sum, end, err := t.sized(t.size, maxChecksum, nil)
	if err != nil {
		return nil, err
	}
	index, end, err := t.sized(end, t.size, &t.room.index)
	if err != nil {
		return nil, err
	}
	if !checksumHolds(index, sum) {
		return nil, damaged(t.Name(), "the checksum of its index does not hold")
	}
	t.blocks = end
	return fb.GetRootAsTableIndex(index, 0), nil
}

// sized reads the part before end that is followed by its length, and returns
// where it begins. It reads into buf, if there is one.
func (t *tableFile) sized(end, limit int64, buf *[]byte) ([]byte, int64, error) {
	if buf == nil {
		buf = new([]byte)
	}
	var length [lengthSize]byte
	end -= lengthSize
	if end < 0 {
		return nil, 0, damaged(t.Name(), "it is too short (%d bytes)", t.size)
	}
	if _, err := t.ReadAt(length[:], end); err != nil {
		return nil, 0, unreadable(t.Name(), err)
	}
	n := int64(binary.BigEndian.Uint32(length[:]))
	if n > limit || n > end {
		return nil, 0, damaged(t.Name(), "its end is bad")
	}
	part := grow(buf, n)
	if _, err := t.ReadAt(part, end-n); err != nil {
		return nil, 0, unreadable(t.Name(), err)
	}
	return part, end - n, nil
}

// checkBlocks checks that the blocks fill the file up to the index, and each.
func (t *tableFile) checkBlocks(index *fb.TableIndex) error {
	var at int64
	var first, next fb.BlockOffset
	n := index.OffsetsLength()
	for i := 0; i < n; {
		if !index.Offsets(&first, i) {
			return damaged(t.Name(), "its index is short")
		}
		// Read as many blocks at once as fit.
		run := []int{int(first.Len())}
		size := int64(first.Len())
		for i++; i < n && index.Offsets(&next, i) && size+int64(next.Len()) <= readSize; i++ {
			run = append(run, int(next.Len()))
			size += int64(next.Len())
		}
		if int64(first.Offset()) != at || at+size > t.blocks {
			return damaged(t.Name(), "block %d is not where it should be", i)
		}
		if err := t.checkRun(at, size, run); err != nil {
			return err
		}
		at += size
	}
	if at != t.blocks || n == 0 {
		return damaged(t.Name(), "its blocks end at %d, not at %d", at, t.blocks)
	}
	return nil
}

// checkRun checks blocks that lie side by side.
func (t *tableFile) checkRun(at, size int64, lengths []int) error {
	run := grow(&t.room.blocks, size)
	if _, err := t.ReadAt(run, at); err != nil {
		return unreadable(t.Name(), err)
	}
	for _, length := range lengths {
		if !blockHolds(run[:length]) {
			return damaged(t.Name(), "the checksum of the block at byte %d does not hold", at)
		}
		run, at = run[length:], at+int64(length)
	}
	return nil
}

func blockHolds(block []byte) bool {
	end := len(block) - lengthSize
	if end < 0 {
		return false
	}
	n := int(binary.BigEndian.Uint32(block[end:]))
	if n > maxChecksum || n > end {
		return false
	}
	return checksumHolds(block[:end-n], block[end-n:end])
}

// checksumHolds checks data against an encoded checksum. We write CRC-32C only.
func checksumHolds(data, encoded []byte) bool {
	var want pb.Checksum
	if err := proto.Unmarshal(encoded, &want); err != nil {
		return false
	}
	return want.Algo == pb.Checksum_CRC32C && want.Sum == uint64(crc32.Checksum(data, castagnoli))
}
