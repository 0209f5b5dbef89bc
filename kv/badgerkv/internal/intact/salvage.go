package intact

import (
	"encoding/binary"
	"errors"
	"math"
	"path/filepath"

	"github.com/dgraph-io/badger/v4/fb"
	"github.com/dgraph-io/badger/v4/y"

	"github.com/pawlkv/pawl/kv"
)

// Entry is one version of a key of Badger's.
type Entry struct {
	Key     []byte // without the version
	Version uint64
	Value   []byte // not to be kept
	Meta    byte   // the owner's
	Deleted bool
}

const metaDeleted = 1 // Badger's bit of an entry that was deleted

// Salvage calls each with every entry that can be read in the files, in no order
// and with all versions that there are, and returns all that is wrong with the
// files. What Check would refuse is passed over: a bad block of a table, the bad
// part of a log. Where the manifest can be read, tables that it does not name are
// left out, as they hold what was deleted since. Nothing is changed.
func (l *Layout) Salvage(each func(Entry)) (faults []error) {
	note := func(err error) {
		if err != nil {
			faults = append(faults, err)
		}
	}
	m, err := l.readManifest()
	note(err)
	trusted := err == nil
	names, err := l.tableFiles()
	note(err)
	for n := range m.Tables {
		if _, there := names[n]; !there && trusted {
			note(damaged(tableName(n), "the table is missing"))
		}
	}
	for n, name := range names {
		if _, named := m.Tables[n]; trusted && !named {
			continue
		}
		note(salvageTable(filepath.Join(l.Dir, name), each))
	}
	faults = append(faults, l.salvageLogs(each)...)
	if len(faults) == 0 {
		// Each file is whole by itself: what Check says is about all of them.
		_, err := l.Check()
		note(err)
	}
	return faults
}

// salvageTable reads the blocks of a table whose checksums hold.
func salvageTable(path string, each func(Entry)) (fault error) {
	defer guard(path, &fault)
	t, err := openTable(path)
	if err != nil {
		return err
	}
	defer t.close()
	index, err := t.readIndex()
	if err != nil {
		return err // nobody knows where the blocks are
	}
	bad := 0
	for i := range index.OffsetsLength() {
		var at fb.BlockOffset
		if !index.Offsets(&at, i) || !t.salvageBlock(int64(at.Offset()), int64(at.Len()), each) {
			bad++
		}
	}
	if bad > 0 {
		return damaged(path, "%d of %d blocks cannot be read", bad, index.OffsetsLength())
	}
	return nil
}

func (t *tableFile) salvageBlock(at, size int64, each func(Entry)) (ok bool) {
	defer func() {
		if recover() != nil { // written for good bytes
			ok = false
		}
	}()
	if size <= 0 || at+size > t.blocks {
		return false
	}
	block := grow(&t.room.blocks, size)
	if _, err := t.ReadAt(block, at); err != nil || !blockHolds(block) {
		return false
	}
	eachOfBlock(block, each)
	return true
}

// eachOfBlock decodes a block: its entries, where each of them begins, how many
// there are, and the checksum. An entry is how much of the first one's key it
// shares and the length of the rest (2 bytes each, little-endian), the rest of the
// key with 8 bytes of inverted version, and the value.
func eachOfBlock(block []byte, each func(Entry)) {
	end := len(block) - lengthSize
	end -= int(binary.BigEndian.Uint32(block[end:])) + lengthSize
	n := int(binary.BigEndian.Uint32(block[end:]))
	offsets := block[end-4*n : end]
	data := block[:end-4*n]
	var base []byte
	for i := range n {
		from, to := int(binary.LittleEndian.Uint32(offsets[4*i:])), len(data)
		if i+1 < n {
			to = int(binary.LittleEndian.Uint32(offsets[4*i+4:]))
		}
		entry := data[from:to]
		shared, rest := int(binary.LittleEndian.Uint16(entry)), int(binary.LittleEndian.Uint16(entry[2:]))
		key := append(append([]byte{}, base[:shared]...), entry[4:4+rest]...)
		if i == 0 {
			base = key
		}
		var value y.ValueStruct
		value.Decode(entry[4+rest:])
		split := len(key) - versionSize
		each(Entry{
			Key: key[:split], Version: math.MaxUint64 - binary.BigEndian.Uint64(key[split:]),
			Value: value.Value, Meta: value.UserMeta, Deleted: value.Meta&metaDeleted != 0,
		})
	}
}

// salvageLogs reads the whole transactions of all logs, also those behind bad
// bytes.
func (l *Layout) salvageLogs(each func(Entry)) (faults []error) {
	numbers, err := l.numbered(".mem")
	if err != nil {
		faults = append(faults, err)
	}
	for _, n := range numbers {
		log, err := l.readLog(logName(n))
		if err != nil {
			faults = append(faults, err)
			continue
		}
		if err := log.salvage(each); err != nil {
			faults = append(faults, err)
		}
	}
	return faults
}

// salvage reads a log. What is missing between its transactions is a fault, and
// so are bad bytes behind which others had been stored.
func (f *logFile) salvage(each func(Entry)) (fault error) {
	if f.size == 0 {
		return nil
	}
	if f.size < logHeader || binary.BigEndian.Uint64(f.data) != 0 {
		fault = damaged(f.name, "its first bytes are bad")
	}
	var last uint64
	for rest := f.data[min(logHeader, len(f.data)):]; len(rest) > 0; {
		version, size := uint64(0), 0
		if plausible(rest) {
			version, size = nextTxn(rest)
		}
		if size == 0 {
			rest = rest[1:]
			continue
		}
		if last != 0 && version != last+1 && fault == nil {
			fault = damaged(f.name, "version %d follows version %d", version, last)
		}
		eachOfTxn(rest[:size], version, each)
		last, rest = version, rest[size:]
	}
	if fault == nil {
		// By itself it must be whole up to a torn end.
		_, fault = f.check(max(f.firstVersion(), 1) - 1)
	}
	if fault != nil && !errors.Is(fault, kv.ErrCorrupt) {
		return nil
	}
	return fault
}

// firstVersion returns the version of the log's first transaction, 0 if it has
// none.
func (f *logFile) firstVersion() uint64 {
	version, _ := nextTxn(f.data[min(logHeader, len(f.data)):])
	return version
}

func eachOfTxn(data []byte, version uint64, each func(Entry)) {
	for len(data) > 0 {
		e, ok := decodeEntry(data)
		if !ok {
			return
		}
		if e.flags&flagEnd == 0 {
			each(Entry{Key: e.key, Version: version, Value: e.value, Meta: e.userMeta, Deleted: e.flags&metaDeleted != 0})
		}
		data = data[e.size:]
	}
}
