package session

import (
	"github.com/pawlkv/pawl/internal/record"
	"github.com/pawlkv/pawl/ratchet"
)

// Mark is what is left of a session that was pruned or swept, for as long as the
// key of ours that opened it may still be used: its first message, sent again,
// would open it anew, with all its message keys.
type Mark struct {
	Session ratchet.SessionID
	Key     uint32 // the id of that key
}

// MaxMark is how long the record of a mark is, at most.
const MaxMark = 64

const (
	markVersion = 2
	markFields  = 2
)

// Encode returns the record.
func (m Mark) Encode() ([]byte, error) {
	return record.Encode(markVersion, markFields, MaxMark, func(w *record.Writer) {
		w.Bytes(m.Session[:])
		w.Uint(uint64(m.Key))
	}), nil
}

// DecodeMark reads a record written by [Mark.Encode]. It fails with [ErrFormat]
// or [ErrVersion].
func DecodeMark(b []byte) (Mark, error) {
	var m Mark
	err := record.Decode("mark", b, markVersion, markFields, func(r *record.Reader) {
		r.Fixed(m.Session[:])
		m.Key = uint32(r.Uint(1<<32 - 1))
		r.Check(m.Key != 0, "key id")
	})
	if err != nil {
		return Mark{}, err
	}
	return m, nil
}

// ID returns the session's id, which names the mark.
func (m Mark) ID() ratchet.SessionID { return m.Session }
