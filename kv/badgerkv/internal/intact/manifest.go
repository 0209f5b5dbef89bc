package intact

import (
	"encoding/binary"
	"hash/crc32"
	"io"
	"math"
	"os"
	"path/filepath"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"

	"github.com/pawlkv/pawl/internal/files"
)

const manifestName = badger.ManifestFilename

// manifestHeader is the length of what precedes the first record, and
// recordHeader that of a record's length and checksum, 4 bytes each.
const (
	manifestHeader = 8
	recordHeader   = 8
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

type manifest = badger.Manifest

// readManifest replays the manifest as Badger does and judges what Badger would
// cut off.
func (l *Layout) readManifest() (m manifest, err error) {
	defer guard(manifestName, &err)
	path := filepath.Join(l.Dir, manifestName)
	file, err := files.OpenRegular(path, os.O_RDONLY)
	if err != nil {
		return m, unreadable(path, err)
	}
	defer file.Close()
	m, end, err := badger.ReplayManifestFile(file, l.Magic, badger.Options{})
	if err != nil {
		return m, damaged(manifestName, "%v", err)
	}
	data, err := io.ReadAll(io.NewSectionReader(file, 0, math.MaxInt64))
	if err != nil {
		return m, unreadable(path, err)
	}
	if at := recordAfter(data, int(end)); at > 0 {
		return m, damaged(manifestName, "bytes %d to %d are bad, and a valid record follows", end, at)
	}
	return m, l.checkManifest(m)
}

func (l *Layout) checkManifest(m manifest) error {
	for n, table := range m.Tables {
		if int(table.Level) >= l.MaxLevels || table.KeyID != 0 || table.Compression != options.None {
			return damaged(manifestName, "table %d is described in a way that is not ours", n)
		}
	}
	return nil
}

// recordAfter returns where a valid record begins after the bad one at end, 0
// if nowhere. A torn append is the last thing in the file.
func recordAfter(data []byte, end int) int {
	for at := end + 1; at+recordHeader < len(data); at++ {
		length := int(binary.BigEndian.Uint32(data[at:]))
		body := data[at+recordHeader:]
		if length == 0 || length > len(body) {
			continue
		}
		if crc32.Checksum(body[:length], castagnoli) == binary.BigEndian.Uint32(data[at+4:]) {
			return at
		}
	}
	return 0
}
