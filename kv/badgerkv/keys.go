package badgerkv

import "encoding/binary"

// The first byte of each key in Badger says what it is.
const (
	markPrefix  = 'a' // the first key of all, written by Flatten
	entryPrefix = 'e' // a key of the caller's: its value, or the first piece
	piecePrefix = 'p' // a key of the caller's and a number: a further piece
	slotPrefix  = 's' // version mod slots: a commit's record; the last keys of all
	chunkPrefix = 'c' // version / slots: commit IDs of that many versions
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

// pieces returns how many pieces a value takes after the first.
func pieces(value []byte) int { return max(0, len(value)-1) / piece }
