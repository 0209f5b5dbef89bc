package watch

import (
	"encoding/binary"
	"fmt"

	"github.com/pawlkv/pawl/kv"
)

// EncodeChanges lists the keys that a commit wrote, for an engine's log of changes: for
// each the length of the key, doubled and one more for a deletion, as a varint, and the
// key.
func EncodeChanges(writes []kv.Write) []byte {
	var b []byte
	for _, w := range writes {
		n := uint64(len(w.Key)) << 1
		if w.Delete {
			n |= 1
		}
		b = binary.AppendUvarint(b, n)
		b = append(b, w.Key...)
	}
	return b
}

// DecodeChanges reads such a list, without values. It fails with kv.ErrCorrupt.
func DecodeChanges(b []byte) ([]kv.Write, error) {
	var writes []kv.Write
	for len(b) > 0 {
		n, size := binary.Uvarint(b)
		if size <= 0 || n>>1 > uint64(len(b)-size) {
			return nil, fmt.Errorf("%w: the record of what changed is not readable", kv.ErrCorrupt)
		}
		end := size + int(n>>1)
		writes = append(writes, kv.Write{Key: string(b[size:end]), Delete: n&1 == 1})
		b = b[end:]
	}
	return writes, nil
}
