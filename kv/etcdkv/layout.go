package etcdkv

import (
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/pawlkv/pawl/kv"
)

// maxSpace bounds the name of a store, which is part of every key.
const maxSpace = 256

// place is where a store's keys are: its name and a byte 0.
type place string

func placeOf(space string) (place, error) {
	if len(space) == 0 || len(space) > maxSpace || strings.ContainsRune(space, 0) {
		return "", fmt.Errorf("%w: a store's name has 1 to %d bytes and no byte 0, not %q", kv.ErrInvalid, maxSpace, space)
	}
	return place(space + "\x00"), nil
}

// Kinds of keys. Each is below the next letter, so that the end of its range is known.
const (
	kindEntry = "d"
	kindEpoch = "e"
	kindHead  = "h"
	kindID    = "i"
	kindMeta  = "m"
	kindLeads = "n"
	kindLeft  = "o"
	kindTurn  = "t"
	kindMark  = "w"
)

func (p place) meta() []byte  { return []byte(string(p) + kindMeta) }
func (p place) head() []byte  { return []byte(string(p) + kindHead) }
func (p place) epoch() []byte { return []byte(string(p) + kindEpoch) }

func (p place) leads() []byte { return []byte(string(p) + kindLeads) }
func (p place) left() []byte  { return []byte(string(p) + kindLeft) }

func (p place) witness() []byte { return []byte(string(p) + kindMark) }

// whole returns the range of everything in the place.
func (p place) whole() (from, end []byte) { return []byte(p), endOf([]byte(p)) }

func (p place) entry(key string) []byte { return []byte(string(p) + kindEntry + key) }

// entries returns the range of the entries with a prefix.
func (p place) entries(prefix string) (from, end []byte) {
	from = p.entry(prefix)
	return from, endOf(from)
}

// keyOf is the opposite of entry.
func (p place) keyOf(stored []byte) string { return string(stored[len(p)+len(kindEntry):]) }

func (p place) turn(id [16]byte) []byte { return append([]byte(string(p)+kindTurn), id[:]...) }

func (p place) turns() (from, end []byte) {
	from = []byte(string(p) + kindTurn)
	return from, endOf(from)
}

// id returns where an ID is that was recorded in an epoch.
func (p place) id(epoch uint64, id kv.CommitID) []byte {
	key := p.idsFrom(epoch)
	key = binary.BigEndian.AppendUint64(key, uint64(id.Began))
	return append(key, id.Random[:]...)
}

// idsFrom returns where the IDs of an epoch, and of those after it, begin.
func (p place) idsFrom(epoch uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte(string(p)+kindID), epoch)
}

// endOf returns the first key after those with a prefix, which has a byte below 0xff:
// there is a kind in it, or the byte 0 of a place.
func endOf(prefix []byte) []byte {
	end := append([]byte{}, prefix...)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i] < 0xff {
			end[i]++
			return end[:i+1]
		}
	}
	return []byte{0}
}

// after returns the first key after another.
func after(key []byte) []byte { return append(append([]byte{}, key...), 0) }
