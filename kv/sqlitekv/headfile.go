package sqlitekv

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"os"

	"github.com/pawlkv/pawl/internal/files"
	"github.com/pawlkv/pawl/kv"
)

// headFile remembers, in a file of its own, the newest version that was synced.
// It is written after the sync, so it is never ahead; a store that is behind it
// has lost commits that were acknowledged, as when the log is cut or damaged,
// which SQLite takes for the log's end.
type headFile struct{ file *os.File }

const (
	headFileAt   = 8 // Windows keeps the bytes that are locked from being read
	headFileSize = 8 + 4
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func openHeadFile(path string) (*headFile, error) {
	file, err := files.OpenOwn(path+gateSuffix, os.O_RDWR|os.O_CREATE)
	if err != nil {
		return nil, fmt.Errorf("sqlitekv: open the store: %w", translate(err))
	}
	return &headFile{file: file}, nil
}

// newest returns what was noted last, 0 if that is not readable.
func (h *headFile) newest() kv.Version {
	var b [headFileSize]byte
	if _, err := h.file.ReadAt(b[:], headFileAt); err != nil || crc32.Checksum(b[:8], castagnoli) != binary.BigEndian.Uint32(b[8:]) {
		return 0
	}
	return kv.Version(binary.BigEndian.Uint64(b[:]))
}

// note remembers a version. Callers hold the gate.
func (h *headFile) note(version kv.Version) error {
	b := binary.BigEndian.AppendUint64(make([]byte, 0, headFileSize), uint64(version))
	b = binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
	_, err := h.file.WriteAt(b, headFileAt)
	return err
}

// check compares a store's newest version, read after newest, with it.
func (h *headFile) check(noted, head kv.Version) error { return missingTail(noted, head) }

func missingTail(noted, head kv.Version) error {
	if head >= noted {
		return nil
	}
	return fmt.Errorf("%w: its newest commits are missing: it goes to version %d, and %d was committed (see WithLostTail)", kv.ErrCorrupt, head, noted)
}

func (h *headFile) close() { h.file.Close() }
