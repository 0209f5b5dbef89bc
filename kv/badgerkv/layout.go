package badgerkv

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/dgraph-io/badger/v4"

	"github.com/pawlkv/pawl/kv"
)

// The first byte of each key in Badger says what it is.
const (
	spanPrefix    = 'a' // the first key of all, written by Flatten
	chunkPrefix   = 'c' // version / slots: IDs that were applied at that many versions
	entryPrefix   = 'e' // a key of the caller's: its value, or the first piece
	piecePrefix   = 'p' // a key of the caller's and a number: a further piece
	refusalPrefix = 'r' // version: IDs that were refused for good at it
	slotPrefix    = 's' // version mod slots: what each version has; the last keys of all
)

func entryKey(key string) []byte { return append([]byte{entryPrefix}, key...) }

// pieceKey names piece n of a value, from 1 on; the entry has piece 0.
func pieceKey(key string, n int) []byte {
	return append(append([]byte{piecePrefix}, key...), byte(n))
}

func slotKey(version uint64) []byte { return []byte{slotPrefix, byte(version % slots)} }

func chunkKey(number uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{chunkPrefix}, number)
}

func refusalKey(version uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{refusalPrefix}, version)
}

// put is one key of a Badger transaction.
type put struct {
	key, value []byte
	pieces     byte // that follow the first
	delete     bool
}

func (p *put) into(txn *badger.Txn) error {
	if p.delete {
		return txn.Delete(p.key)
	}
	return txn.SetEntry(badger.NewEntry(p.key, p.value).WithMeta(p.pieces))
}

// pieces returns how many pieces a value takes after the first.
func pieces(value []byte) int { return max(0, len(value)-1) / piece }

// splits knows the entries whose values are in pieces, of which there are few,
// so that pieces go when their entry goes.
type splits map[string]int

// puts appends what a write comes to.
func (s splits) puts(to []put, w kv.Write) []put {
	value, more := w.Value, pieces(w.Value)
	if w.Delete {
		value, more = nil, 0
	}
	to = append(to, put{key: entryKey(w.Key), value: value[:min(piece, len(value))], pieces: byte(more), delete: w.Delete})
	for n := 1; n <= more; n++ {
		to = append(to, put{key: pieceKey(w.Key, n), value: value[n*piece : min((n+1)*piece, len(value))]})
	}
	for n := more + 1; n <= s[w.Key]; n++ {
		to = append(to, put{key: pieceKey(w.Key, n), delete: true})
	}
	return to
}

// applied notes a write.
func (s splits) applied(w kv.Write) {
	if more := pieces(w.Value); more > 0 && !w.Delete {
		s[w.Key] = more
	} else if len(s) > 0 {
		delete(s, w.Key)
	}
}

// load finds the pieces in the database.
func (s splits) load(txn *badger.Txn) {
	it := txn.NewIterator(badger.IteratorOptions{Prefix: []byte{piecePrefix}})
	defer it.Close()
	for it.Rewind(); it.Valid(); it.Next() {
		key := bytes.Clone(it.Item().Key())
		name, n := string(key[1:len(key)-1]), int(key[len(key)-1])
		s[name] = max(s[name], n)
	}
}

// slots is how many versions pass before a slot is written again, and a chunk
// takes what the slots hold.
const slots = 64

const (
	layoutFormat = 1         // the first byte of each of our own values
	slotHeader   = 1 + 8 + 8 // format, synced, floor
	idSize       = 8 + 16    // began, random
	chunkID      = 8 + idSize
)

// slot is what each version writes beside its entries. The newest of the slots
// carries the head of the store as its version in Badger.
type slot struct {
	synced uint64 // the newest version that was on disk before this commit
	floor  uint64 // IDs of this version and older are no longer kept
	ids    []kv.CommitID
}

func (s *slot) encode() []byte {
	b := make([]byte, 0, slotHeader+len(s.ids)*idSize)
	b = append(b, layoutFormat)
	b = binary.BigEndian.AppendUint64(b, s.synced)
	b = binary.BigEndian.AppendUint64(b, s.floor)
	for _, id := range s.ids {
		b = appendID(b, id)
	}
	return b
}

func decodeSlot(b []byte) (slot, error) {
	if len(b) < slotHeader || b[0] != layoutFormat || (len(b)-slotHeader)%idSize != 0 {
		return slot{}, fmt.Errorf("%w: the entry of a version is not readable", kv.ErrCorrupt)
	}
	s := slot{synced: binary.BigEndian.Uint64(b[1:]), floor: binary.BigEndian.Uint64(b[9:])}
	for b = b[slotHeader:]; len(b) > 0; b = b[idSize:] {
		s.ids = append(s.ids, decodeID(b))
	}
	return s, nil
}

// syncedBy tells which versions had been synced when a log entry was written.
func syncedBy(key, value []byte) (uint64, bool) {
	if len(key) != 2 || key[0] != slotPrefix {
		return 0, false
	}
	s, err := decodeSlot(value)
	return s.synced, err == nil
}

// recordedID is a commit ID and the version at which it was applied or refused.
type recordedID struct {
	id      kv.CommitID
	version uint64
}

// encodeChunk makes a value of the versions and IDs of a chunk.
func encodeChunk(ids []recordedID) []byte {
	b := make([]byte, 0, 1+len(ids)*chunkID)
	b = append(b, layoutFormat)
	for _, r := range ids {
		b = binary.BigEndian.AppendUint64(b, r.version)
		b = appendID(b, r.id)
	}
	return b
}

func decodeChunk(b []byte) ([]recordedID, error) {
	if len(b) == 0 || b[0] != layoutFormat || (len(b)-1)%chunkID != 0 {
		return nil, fmt.Errorf("%w: a chunk of commit IDs is not readable", kv.ErrCorrupt)
	}
	ids := make([]recordedID, 0, len(b)/chunkID)
	for b = b[1:]; len(b) > 0; b = b[chunkID:] {
		ids = append(ids, recordedID{id: decodeID(b[8:]), version: binary.BigEndian.Uint64(b)})
	}
	return ids, nil
}

// encodeIDs makes a value of the IDs that were refused at one version.
func encodeIDs(ids []kv.CommitID) []byte {
	b := append(make([]byte, 0, 1+len(ids)*idSize), layoutFormat)
	for _, id := range ids {
		b = appendID(b, id)
	}
	return b
}

func decodeIDs(b []byte) ([]kv.CommitID, error) {
	if len(b) == 0 || b[0] != layoutFormat || (len(b)-1)%idSize != 0 {
		return nil, fmt.Errorf("%w: refused commit IDs are not readable", kv.ErrCorrupt)
	}
	var ids []kv.CommitID
	for b = b[1:]; len(b) > 0; b = b[idSize:] {
		ids = append(ids, decodeID(b))
	}
	return ids, nil
}

func appendID(b []byte, id kv.CommitID) []byte {
	return append(binary.BigEndian.AppendUint64(b, uint64(id.Began)), id.Random[:]...)
}

func decodeID(b []byte) kv.CommitID {
	id := kv.CommitID{Began: kv.Version(binary.BigEndian.Uint64(b))}
	copy(id.Random[:], b[8:idSize])
	return id
}
