package group

import (
	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/internal/record"
	"github.com/pawlkv/pawl/internal/secret"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/ratchet"
)

// What begins with rooms is of format 2 and has no version 1.
const (
	inboundVersion = 2
	inboundFields  = 4
	copyFields     = 7
	inboundSize    = 64  // beside room and copies
	copySize       = 256 // at most

	maxCopies = int(Direct)
)

// Encode returns the record: 330 bytes for one direct copy in a room with an id of
// 40 bytes, 1,700 at most. It fails with [ErrNoKey] for the zero Inbound.
func (in Inbound) Encode() ([]byte, error) {
	if in.room == "" {
		return nil, ErrNoKey
	}
	size := inboundSize + len(in.room) + copySize*len(in.copies)
	return record.Encode(inboundVersion, inboundFields, size, func(w *record.Writer) {
		w.Text(string(in.room))
		w.Bytes(in.id[:])
		w.Uint(in.floor)
		w.Count(len(in.copies) * copyFields)
		for i := range in.copies {
			in.copies[i].write(w)
		}
	}), nil
}

func (c *Copy) write(w *record.Writer) {
	w.Uint(uint64(c.Provenance))
	w.Uint(uint64(c.first))
	w.Bytes(c.Sender[:])
	writeKnown(w, c.Claimed)
	writeKnown(w, c.Giver)
	w.Bool(c.SharedHistory)
	var key [ratchetSize]byte
	w.Bytes(c.Key.ratchet.Peek().append(key[:0]))
}

// writeKnown writes 32 bytes, or none where they are zero: not known.
func writeKnown[K ~[32]byte](w *record.Writer, key K) {
	if key == (K{}) {
		w.Bytes(nil)
		return
	}
	w.Bytes(key[:])
}

// readKnown reads what writeKnown wrote.
func readKnown[K ~[32]byte](r *record.Reader) (key K) {
	b := r.Bytes(len(key))
	if len(b) == 0 {
		return key
	}
	r.Check(len(b) == len(key), "length of a key")
	copy(key[:], b)
	r.Check(key != (K{}), "key of zeros")
	return key
}

// DecodeInbound reads a record written by [Inbound.Encode]. It fails with
// [ErrFormat] or [ErrNewer]. That the copies are of one ratchet is not looked at.
func DecodeInbound(b []byte) (Inbound, error) {
	var in Inbound
	err := record.Decode("group-in", b, inboundVersion, inboundFields, func(r *record.Reader) {
		in.room = readRoom(r)
		r.Fixed(in.id[:])
		in.floor = r.Uint(Whole)
		n := r.Count(maxCopies * copyFields)
		r.Check(n%copyFields == 0 && (n == 0) == (in.floor == Whole), "number of copies")
		for range n / copyFields {
			if in.readCopy(r); !r.OK() {
				return
			}
		}
	})
	if err != nil {
		return Inbound{}, err
	}
	return in, nil
}

func readRoom(r *record.Reader) matrix.RoomID {
	room := matrix.RoomID(r.Text(matrix.MaxLength))
	r.Check(room.Check() == nil, "room id")
	return room
}

func (in *Inbound) readCopy(r *record.Reader) {
	var c Copy
	c.Provenance = Provenance(r.Uint(uint64(Direct)))
	c.first = uint32(r.Uint(maxIndex))
	r.Fixed(c.Sender[:])
	c.Claimed = readKnown[account.VerifyKey](r)
	c.Giver = readKnown[ratchet.PublicKey](r)
	c.SharedHistory = r.Bool()
	key := r.Bytes(ratchetSize)
	r.Check(len(key) == ratchetSize && c.Provenance >= File, "copy")
	if !r.OK() {
		return
	}
	st := readRatchet(key)
	r.Check(uint64(st.index) == max(uint64(c.first), in.floor), "index of a copy")
	if n := len(in.copies); n > 0 {
		before := &in.copies[n-1]
		r.Check(c.Provenance < before.Provenance && c.first < before.first, "order of copies")
	}
	c.Key = Key{id: in.id, ratchet: secret.Hide(st)}
	in.copies = append(in.copies, c)
}
