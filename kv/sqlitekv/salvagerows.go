package sqlitekv

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strings"

	"github.com/pawlkv/pawl/kv"
)

// Kinds of pages, and the layout of their headers. See "B-tree Pages" in SQLite's
// documentation. Entries are an index, since their table has no row IDs: its inner
// pages have entries of their own. Nothing else in a store is an index, and pages
// that are free are zeros.
const (
	innerIndex = 0x02
	leafIndex  = 0x0a
	leafTable  = 0x0d

	fileHeader = 100 // before the header of page 1
	usable     = pageSize - reserved

	// maxPayload is more than a commit can hold. Pages that are not where they were
	// would have us follow any chain.
	maxPayload = 4 << 20

	// How much of an index's payload is in its page, at most and at least, before
	// the rest overflows.
	maxLocal = (usable-12)*64/255 - 23
	minLocal = (usable-12)*32/255 - 23
)

// entries returns what the pages hold, each key in its newest version.
func (p *pages) entries() []kv.Entry {
	newest := map[string]kv.Entry{}
	for _, page := range p.good {
		p.eachEntry(page, func(e kv.Entry) {
			if had, ok := newest[e.Key]; !ok || had.Version < e.Version {
				newest[e.Key] = e
			}
		})
	}
	all := make([]kv.Entry, 0, len(newest))
	for _, e := range newest {
		all = append(all, e)
	}
	slices.SortFunc(all, func(a, b kv.Entry) int { return strings.Compare(a.Key, b.Key) })
	return all
}

// eachEntry calls each with the entries of a page, if it has any. A page that is
// none of ours is passed over: its checksum holds, and so it is not damaged.
func (p *pages) eachEntry(page []byte, each func(kv.Entry)) {
	eachCell(page, func(kind byte, cell []byte) {
		switch kind {
		case innerIndex:
			cell = cell[4:] // a child
		case leafIndex:
		default:
			return
		}
		size, cell := varint(cell)
		if size > maxPayload {
			return
		}
		if e, ok := decodeEntry(p.payload(int(size), cell)); ok {
			each(e)
		}
	})
}

// newestRow returns the highest row ID of a page of a table. Commits and changes
// have their versions as that.
func newestRow(page []byte) (newest kv.Version) {
	eachCell(page, func(kind byte, cell []byte) {
		if kind == leafTable {
			_, cell = varint(cell)
			id, _ := varint(cell)
			newest = max(newest, kv.Version(id))
		}
	})
	return newest
}

// eachCell calls each with all that follows the beginning of each cell.
func eachCell(page []byte, each func(kind byte, cell []byte)) {
	header := page
	if bytes.HasPrefix(page, []byte(magic)) { // wherever it is now
		header = page[fileHeader:]
	}
	kind, size := header[0], 8
	if kind == innerIndex {
		size = 12
	}
	if kind != innerIndex && kind != leafIndex && kind != leafTable {
		return
	}
	count := int(binary.BigEndian.Uint16(header[3:]))
	pointers := header[size:]
	for i := range min(count, len(pointers)/2) {
		if at := int(binary.BigEndian.Uint16(pointers[2*i:])); at < usable-4 {
			each(kind, page[at:usable])
		}
	}
}

// payload returns the payload of a cell, which may go on in other pages. Where one
// of them cannot be read it is cut off.
func (p *pages) payload(size int, cell []byte) []byte {
	local := size
	if size > maxLocal {
		if local = minLocal + (size-minLocal)%(usable-4); local > maxLocal {
			local = minLocal
		}
	}
	if local > len(cell) {
		return nil
	}
	whole := slices.Clone(cell[:local])
	if local == size || len(cell) < local+4 {
		return whole
	}
	for next := binary.BigEndian.Uint32(cell[local:]); next != 0 && len(whole) < size; {
		page, ok := p.good[next]
		if !ok || p.old[next] {
			break
		}
		whole = append(whole, page[4:4+min(usable-4, size-len(whole))]...)
		next = binary.BigEndian.Uint32(page)
	}
	return whole
}

// decodeEntry reads a record of a key, a version and a value, of which the end
// may be missing.
func decodeEntry(record []byte) (e kv.Entry, ok bool) {
	size, rest := varint(record)
	own := len(record) - len(rest)
	if size < uint64(own)+3 || size > uint64(len(record)) {
		return e, false
	}
	header, body := rest[:int(size)-own], record[size:]
	var types [3]uint64
	for i := range types {
		if len(header) == 0 {
			return e, false
		}
		types[i], header = varint(header)
	}
	key, version, value := blobSize(types[0]), integerSize(types[1]), blobSize(types[2])
	if len(header) != 0 || key <= 0 || version < 0 || value < 0 || len(body) < key+version {
		return e, false
	}
	e.Key = string(body[:key])
	e.Version = integer(types[1], body[key:key+version])
	body = body[key+version:]
	e.Value = body[:min(value, len(body))]
	return e, true
}

func blobSize(t uint64) int {
	if t < 12 || t%2 != 0 || t > 1<<31 {
		return -1
	}
	return int(t-12) / 2
}

func integerSize(t uint64) int {
	if t > 9 || t == 0 || t == 7 {
		return -1
	}
	return [...]int{0, 1, 2, 3, 4, 6, 8, 0, 0, 0}[t]
}

func integer(t uint64, b []byte) (v kv.Version) {
	if t == 9 {
		return 1
	}
	for _, c := range b {
		v = v<<8 | kv.Version(c)
	}
	return v
}

// varint reads SQLite's: 7 bits in each of up to 8 bytes, and 8 in a ninth.
func varint(b []byte) (v uint64, rest []byte) {
	for i := 0; i < 9 && i < len(b); i++ {
		if i == 8 {
			return v<<8 | uint64(b[i]), b[9:]
		}
		v = v<<7 | uint64(b[i]&0x7f)
		if b[i] < 0x80 {
			return v, b[i+1:]
		}
	}
	return 0, nil
}
