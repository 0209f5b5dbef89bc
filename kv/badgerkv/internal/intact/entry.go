package intact

import (
	"encoding/binary"
	"hash/crc32"
	"math"
)

// An entry of a log is a header, the key, 8 bytes of inverted version that
// count as part of the key, the value and a CRC-32C of all that. The header is
// two bytes of flags and three varints: length of key, length of value, expiry.
const (
	logHeader   = 20 // number of an encryption key (none: 0) and a nonce
	versionSize = 8
	maxLogKey   = 1 << 16

	flagTxn = 1 << 6 // one of a transaction
	flagEnd = 1 << 7 // ends a transaction; the value is its version in decimal
)

type entry struct {
	flags      byte
	userMeta   byte
	key, value []byte // key without the version
	version    uint64
	size       int // in the log
}

// decodeEntry decodes the entry that data begins with, and reports whether a
// whole and valid one is there.
func decodeEntry(data []byte) (entry, bool) {
	if len(data) < 2 {
		return entry{}, false
	}
	at := 2
	var lengths [3]uint64
	for i := range lengths {
		v, n := binary.Uvarint(data[at:])
		if n <= 0 {
			return entry{}, false
		}
		lengths[i], at = v, at+n
	}
	key, value := lengths[0], lengths[1]
	if key <= versionSize || key > maxLogKey || value > uint64(len(data)) || lengths[2] != 0 {
		return entry{}, false
	}
	end := at + int(key) + int(value)
	if end+crc32.Size > len(data) || crc32.Checksum(data[:end], castagnoli) != binary.BigEndian.Uint32(data[end:]) {
		return entry{}, false
	}
	name := data[at : at+int(key)]
	split := len(name) - versionSize
	return entry{
		flags: data[0], userMeta: data[1],
		key:     name[:split],
		value:   data[at+int(key) : end],
		version: math.MaxUint64 - binary.BigEndian.Uint64(name[split:]),
		size:    end + crc32.Size,
	}, true
}

// plausible is a cheap test for where an entry of ours may begin, for searches.
func plausible(data []byte) bool {
	return len(data) > logHeader && data[0]&(flagTxn|flagEnd) != 0 && data[1] < 16
}
