package sqlitekv

import (
	"encoding/binary"
	"hash/crc32"
	"os"
	"slices"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/internal/turns"
)

// boardState is what the board says.
type boardState struct {
	last  uint64 // ticket
	notes []note // in the order of tickets
}

// The file: at boardAt checksum of what follows (4), number of notes (4), last
// ticket (8), and the notes: ticket (8), process (8), until (8), granted (1),
// number of keys (2), their hashes (8 each). Integers are big-endian.
const (
	boardAt     = 8 // Windows keeps the bytes that are locked from being read
	boardHeader = 4 + 4 + 8
	noteHeader  = 8 + 8 + 8 + 1 + 2
	maxBoard    = 64 << 10
)

func (s *boardState) find(ticket uint64) int {
	return slices.IndexFunc(s.notes, func(n note) bool { return n.ticket == ticket })
}

// blocked reports whether somebody stands before the note.
func (s *boardState) blocked(i int) bool {
	return slices.ContainsFunc(s.notes[:i], func(n note) bool { return turns.Meet(n.keys, s.notes[i].keys) })
}

// expire drops notes that are over, and those that last longer than any may:
// the clock was set back.
func (s *boardState) expire() {
	now, latest := inTime(0), inTime(2*kv.EmbeddedTurnLife)
	s.notes = slices.DeleteFunc(s.notes, func(n note) bool { return n.until < now || n.until > latest })
}

// readBoard returns what the file says, and whether it is readable.
func readBoard(file *os.File) (boardState, bool) {
	buf := make([]byte, 512)
	n, _ := file.ReadAt(buf, boardAt)
	if n == len(buf) {
		buf = make([]byte, maxBoard)
		n, _ = file.ReadAt(buf, boardAt)
	}
	return decodeBoard(buf[:n])
}

func decodeBoard(b []byte) (s boardState, ok bool) {
	if len(b) < boardHeader {
		return s, false
	}
	sum, count := binary.BigEndian.Uint32(b), binary.BigEndian.Uint32(b[4:])
	s.last = binary.BigEndian.Uint64(b[8:])
	at := boardHeader
	for range count {
		if len(b)-at < noteHeader {
			return boardState{}, false
		}
		h := b[at:]
		n := note{
			ticket: binary.BigEndian.Uint64(h), process: binary.BigEndian.Uint64(h[8:]),
			until: int64(binary.BigEndian.Uint64(h[16:])), granted: h[24] == 1,
		}
		keys := int(binary.BigEndian.Uint16(h[25:]))
		if at += noteHeader; (len(b)-at)/8 < keys {
			return boardState{}, false
		}
		for range keys {
			n.keys = append(n.keys, binary.BigEndian.Uint64(b[at:]))
			at += 8
		}
		s.notes = append(s.notes, n)
	}
	if crc32.Checksum(b[4:at], castagnoli) != sum {
		return boardState{}, false
	}
	return s, true
}

func (s *boardState) encode() []byte {
	b := make([]byte, 4, boardHeader)
	b = binary.BigEndian.AppendUint32(b, uint32(len(s.notes)))
	b = binary.BigEndian.AppendUint64(b, s.last)
	for _, n := range s.notes {
		granted := byte(0)
		if n.granted {
			granted = 1
		}
		b = binary.BigEndian.AppendUint64(b, n.ticket)
		b = binary.BigEndian.AppendUint64(b, n.process)
		b = binary.BigEndian.AppendUint64(b, uint64(n.until))
		b = append(b, granted)
		b = binary.BigEndian.AppendUint16(b, uint16(len(n.keys)))
		for _, key := range n.keys {
			b = binary.BigEndian.AppendUint64(b, key)
		}
	}
	binary.BigEndian.PutUint32(b, crc32.Checksum(b[4:], castagnoli))
	return b
}

// write puts the notes into the file, without those that it has no room for.
func (s *boardState) write(file *os.File) {
	b := s.encode()
	for len(b) > maxBoard {
		s.notes = s.notes[:len(s.notes)-1]
		b = s.encode()
	}
	file.WriteAt(b, boardAt) // what cannot be written is not advised
}
