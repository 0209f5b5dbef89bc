package sqlitekv

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/pawlkv/pawl/kv"
)

// Salvaged is what can be read of a store that does not open, or of which some
// pages cannot be read.
type Salvaged struct {
	// Entries are those that can be read, in the order of their keys. They need
	// not fit together: of what one commit wrote some may be there and some not.
	Entries []kv.Entry
	// Faults are all that is wrong with the files, each a kv.ErrCorrupt. There are
	// none of a store of which everything can be read.
	Faults []error
}

// Salvage reads what can be read in the files of a store, page by page, and says
// all that is wrong with them. It changes nothing, and keeps others from
// committing meanwhile. Errors: ErrForeign, ErrNewer, kv.ErrUnavailable (a process
// is stopped while it commits), and those of the file system.
func Salvage(path string) (found Salvaged, err error) {
	if path, err = resolve(path); err != nil {
		return found, fmt.Errorf("sqlitekv: salvage the store: %w", err)
	}
	exists, err := inspect(path)
	if err != nil && !errors.Is(err, ErrForeign) || err == nil && !exists {
		return found, fmt.Errorf("sqlitekv: salvage the store: %w", errors.Join(err, missing(path, exists)))
	}
	set := defaults()
	g := newGate(path)
	defer g.close()
	if err := enter(g, &set); err != nil {
		return found, fmt.Errorf("sqlitekv: salvage the store: %w", err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return found, fmt.Errorf("sqlitekv: salvage the store: %w", translate(err))
	}
	log, err := os.ReadFile(path + logSuffix)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return found, fmt.Errorf("sqlitekv: salvage the store: %w", translate(err))
	}
	p := readPages(data)
	p.overlay(log)
	if len(p.good) == 0 {
		return found, fmt.Errorf("sqlitekv: salvage the store: %w: %s: none of its pages is one of a store", ErrForeign, path)
	}
	found.Entries = p.entries()
	found.Faults = append(p.faults(), lostTailOf(path, p.head())...)
	return found, nil
}

func missing(path string, exists bool) error {
	if exists {
		return nil
	}
	return &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
}

// lostTailOf says that the newest commits are missing, if the gate knows of more
// than the files hold.
func lostTailOf(path string, head kv.Version) []error {
	h, err := openHeadFile(path)
	if err != nil {
		return nil // it may be lost at any time
	}
	defer h.close()
	if err := h.check(h.newest(), head); err != nil {
		return []error{err}
	}
	return nil
}

// pages are the pages of a database as they are with its log, those whose
// checksums hold.
type pages struct {
	good map[uint32][]byte
	bad  map[uint32]bool // of the file, and not in the log
	old  map[uint32]bool // good ones, of which a newer state in the log cannot be read
	torn int             // bytes at the end of the file that are no whole page
	log  error           // what is wrong with the log
}

func readPages(data []byte) *pages {
	p := &pages{good: map[uint32][]byte{}, bad: map[uint32]bool{}, old: map[uint32]bool{}, torn: len(data) % pageSize}
	for n := uint32(1); int(n)*pageSize <= len(data); n++ {
		page := data[int(n-1)*pageSize:][:pageSize]
		if pageHolds(page) {
			p.good[n] = page
		} else {
			p.bad[n] = true
		}
	}
	return p
}

// pageHolds checks a page against the checksum in its reserved bytes: SQLite's
// cksumvfs, two sums over words of 4 bytes, little-endian.
func pageHolds(page []byte) bool {
	var one, two uint32
	for rest := page[:pageSize-reserved]; len(rest) > 0; rest = rest[8:] {
		one += binary.LittleEndian.Uint32(rest) + two
		two += binary.LittleEndian.Uint32(rest[4:]) + one
	}
	sums := page[pageSize-reserved:]
	return binary.LittleEndian.Uint32(sums) == one && binary.LittleEndian.Uint32(sums[4:]) == two
}

// faults says what is wrong with each file.
func (p *pages) faults() (all []error) {
	var numbers []string
	for _, n := range slices.Sorted(maps.Keys(p.bad)) {
		numbers = append(numbers, fmt.Sprint(n))
	}
	if len(numbers) > 0 {
		const most = 20
		text := strings.Join(numbers[:min(most, len(numbers))], ", ")
		if len(numbers) > most {
			text += " ..."
		}
		all = append(all, fmt.Errorf("%w: its file: %d of %d pages cannot be read: %s", kv.ErrCorrupt, len(numbers), len(p.good)+len(p.bad), text))
	}
	if p.torn > 0 {
		all = append(all, fmt.Errorf("%w: its file is cut off within a page", kv.ErrCorrupt))
	}
	if p.log != nil {
		all = append(all, p.log)
	}
	return all
}

// head returns the newest version that an entry or a commit has.
func (p *pages) head() (head kv.Version) {
	for n, page := range p.good {
		head = max(head, newestRow(n, page))
	}
	for _, e := range p.entries() {
		head = max(head, e.Version)
	}
	return head
}
