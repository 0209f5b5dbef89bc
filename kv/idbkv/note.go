package idbkv

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/internal/turns"
)

// turnLife is how long a turn lasts that nobody releases: the timers of a hidden page
// come once a second.
const turnLife = time.Second

// grantLife is how long a turn is granted among stores: whoever of a store it is passed on
// to has it for as long as a turn lasts.
const grantLife = turnLife + passWithin

// passWithin is how long after it was granted a turn is passed on.
const passWithin = 250 * time.Millisecond

// note is a turn that was granted, as the store has it while it lasts. It is advice: what
// is not readable, or was left behind, holds up nobody.
type note struct {
	owner  uint64 // a store that is open somewhere
	ticket uint64 // random
	until  int64  // milliseconds since 1970
	keys   []uint64
}

const noteHeader = 3 * 8

func (n note) encode() []byte {
	b := binary.BigEndian.AppendUint64(nil, n.owner)
	b = binary.BigEndian.AppendUint64(b, n.ticket)
	b = binary.BigEndian.AppendUint64(b, uint64(n.until))
	for _, key := range n.keys {
		b = binary.BigEndian.AppendUint64(b, key)
	}
	return b
}

func decodeNote(b []byte) (n note, err error) {
	if len(b) < noteHeader || len(b)%8 != 0 {
		return n, fmt.Errorf("%w: the note of a turn is not readable", kv.ErrCorrupt)
	}
	n = note{owner: binary.BigEndian.Uint64(b), ticket: binary.BigEndian.Uint64(b[8:]), until: int64(binary.BigEndian.Uint64(b[16:]))}
	for b = b[noteHeader:]; len(b) > 0; b = b[8:] {
		n.keys = append(n.keys, binary.BigEndian.Uint64(b))
	}
	return n, nil
}

// holdsUp reports whether a turn of another store is to be waited for by a commit that
// writes some keys, hashed. One that lasts longer than any turn was noted under another
// clock, and counts for nothing.
func (n note) holdsUp(owner uint64, now int64, keys []uint64) bool {
	return n.owner != owner && n.until > now && n.until <= now+grantLife.Milliseconds() && turns.Meet(n.keys, keys)
}
