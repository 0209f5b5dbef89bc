// Package record writes and reads Pawl's session record without Pawl's code:
// an independent reading of the format document. With it states move between
// implementations, and the record vectors get their bytes.
package record

import (
	"encoding/binary"
	"errors"
	"slices"

	"github.com/pawlkv/pawl/internal/proof/interop/pickle"
)

const version = 1

// Flags in the second byte.
const (
	flagInitiated = 1 << iota
	flagReceived
	flagSender
)

// ErrRecord is the failure to read a record.
var ErrRecord = errors.New("record: not a session record of version 1")

// Encode writes state as a record. Skipped keys of chains that are gone are
// left out: no message can ask for them.
func Encode(state pickle.Session) []byte {
	b := []byte{version, flags(state)}
	for _, k := range [][32]byte{state.IdentityKey, state.BaseKey, state.OneTimeKey, state.RootKey} {
		b = append(b, k[:]...)
	}
	if c := state.Sender; c != nil {
		b = append(b, c.Public[:]...)
		b = append(b, c.Private[:]...)
		b = append(b, c.ChainKey[:]...)
		b = binary.BigEndian.AppendUint32(b, c.Index)
	}
	b = append(b, byte(len(state.Receivers)))
	for _, c := range state.Receivers {
		b = append(b, c.RatchetKey[:]...)
		b = append(b, c.ChainKey[:]...)
		b = binary.BigEndian.AppendUint32(b, c.Index)
		skipped := SkippedOf(state, c.RatchetKey)
		b = append(b, byte(len(skipped)))
		for _, k := range skipped {
			b = binary.BigEndian.AppendUint32(b, k.Index)
			b = append(b, k.MessageKey[:]...)
		}
	}
	return b
}

// SkippedOf returns the skipped keys of one chain, ascending by index.
func SkippedOf(state pickle.Session, ratchetKey [32]byte) []pickle.SkippedKey {
	var keys []pickle.SkippedKey
	for _, k := range state.Skipped {
		if k.RatchetKey == ratchetKey {
			keys = append(keys, k)
		}
	}
	slices.SortFunc(keys, func(a, b pickle.SkippedKey) int { return int(a.Index) - int(b.Index) })
	return keys
}

func flags(state pickle.Session) (f byte) {
	if state.Initiated {
		f |= flagInitiated
	}
	if state.Received {
		f |= flagReceived
	}
	if state.Sender != nil {
		f |= flagSender
	}
	return f
}

// Decode reads a record. Skipped keys come newest first: by chain, then by
// index.
func Decode(b []byte) (pickle.Session, error) {
	r := &reader{b: b}
	if r.take(1)[0] != version {
		return pickle.Session{}, ErrRecord
	}
	f := r.take(1)[0]
	s := pickle.Session{
		Initiated: f&flagInitiated != 0, Received: f&flagReceived != 0,
		IdentityKey: r.key(), BaseKey: r.key(), OneTimeKey: r.key(), RootKey: r.key(),
	}
	if f&flagSender != 0 {
		s.Sender = &pickle.SenderChain{Public: r.key(), Private: r.key(), ChainKey: r.key(), Index: r.u32()}
	}
	for range r.take(1)[0] {
		c := pickle.ReceiverChain{RatchetKey: r.key(), ChainKey: r.key(), Index: r.u32()}
		s.Receivers = append(s.Receivers, c)
		var skipped []pickle.SkippedKey
		for range r.take(1)[0] {
			skipped = append(skipped, pickle.SkippedKey{RatchetKey: c.RatchetKey, Index: r.u32(), MessageKey: r.key()})
		}
		slices.Reverse(skipped)
		s.Skipped = append(s.Skipped, skipped...)
	}
	if r.short || len(r.b) > 0 {
		return pickle.Session{}, ErrRecord
	}
	return s, nil
}

// reader yields zeros, and sets short, where the record ends too early.
type reader struct {
	b     []byte
	short bool
}

func (r *reader) take(n int) []byte {
	if n > len(r.b) {
		r.b, r.short = nil, true
		return make([]byte, n)
	}
	out := r.b[:n]
	r.b = r.b[n:]
	return out
}

func (r *reader) key() [32]byte { return [32]byte(r.take(32)) }
func (r *reader) u32() uint32   { return binary.BigEndian.Uint32(r.take(4)) }
