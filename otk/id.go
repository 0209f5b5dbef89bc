package otk

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
)

// ID names a key among all that one account ever made, fallback keys
// included. The first is 1; none is given out twice.
type ID uint32

// idSize is 4 bytes in unpadded base64.
const idSize = 6

// String returns the id as uploads write it: "AAAAAQ" for 1.
func (id ID) String() string {
	return base64.RawStdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, uint32(id)))
}

// ParseID reads what String writes and nothing else, else [ErrMalformed].
func ParseID(s string) (ID, error) {
	b, err := base64.RawStdEncoding.Strict().DecodeString(s)
	if err != nil || len(b) != 4 || len(s) != idSize {
		return 0, fmt.Errorf("%w: want %d characters of unpadded base64", ErrMalformed, idSize)
	}
	return ID(binary.BigEndian.Uint32(b)), nil
}
