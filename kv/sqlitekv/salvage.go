package sqlitekv

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/ncruces/go-sqlite3"

	"github.com/pawlkv/pawl/internal/files"
	"github.com/pawlkv/pawl/kv"
)

// Salvaged is what can be read of a store that does not open, or of which some
// pages cannot be read.
type Salvaged struct {
	// Entries are those that can be read, in the order of their keys. They need
	// not fit together: of what one commit wrote some may be there and some not.
	Entries []kv.Entry
	// Unchecked are more, or longer ones of the same version, in pages whose checksums
	// do not hold, where SQLite finds the database whole: another program may have
	// written them, or the disk. They are for who can check them, as by a seal.
	Unchecked []kv.Entry
	// Faults are all that is wrong with the files, each a kv.ErrCorrupt. There are
	// none of a store of which everything can be read.
	Faults []error
}

// Salvage reads what can be read in the files of a store, page by page, and says
// all that is wrong with them. It changes nothing, and keeps others from
// committing while it reads the files. Errors: ErrForeign, ErrNewer, kv.ErrUnavailable (a process
// is stopped while it commits), and those of the file system.
func Salvage(path string) (found Salvaged, err error) {
	if path, err = resolve(path); err != nil {
		return found, fmt.Errorf("sqlitekv: salvage the store: %w", err)
	}
	exists, foreign := inspect(path)
	ours := startsAsOurs(path) // whatever the rest of the header says
	if foreign != nil && !errors.Is(foreign, ErrForeign) && !(ours && errors.Is(foreign, ErrNewer)) || foreign == nil && !exists {
		return found, fmt.Errorf("sqlitekv: salvage the store: %w", errors.Join(foreign, missing(path, exists)))
	}
	set := defaults()
	data, log, noted, err := readFiles(path, &set)
	if err != nil {
		return found, fmt.Errorf("sqlitekv: salvage the store: %w", err)
	}
	if ours {
		if entries, head, rewritten := readRewritten(data, log); rewritten != nil {
			found.Entries, found.Faults = entries, []error{rewritten}
			if err := missingTail(noted, head); err != nil {
				found.Faults = append(found.Faults, err)
			}
			return found, nil
		}
	}
	if errors.Is(foreign, ErrNewer) {
		return found, fmt.Errorf("sqlitekv: salvage the store: %w", foreign)
	}
	p := readPages(data)
	p.overlay(log)
	if len(p.good) == 0 {
		return found, fmt.Errorf("sqlitekv: salvage the store: %w: %s: none of its pages is one of a store", ErrForeign, path)
	}
	p.cut = p.missing(p.expected(log))
	found.Entries = p.entries()
	found.Faults = p.faults()
	if len(p.bad) > 0 && p.cut == 0 {
		found.Unchecked = unchecked(found.Entries, data, log)
	}
	if err := missingTail(noted, p.head()); err != nil {
		found.Faults = append(found.Faults, err)
	}
	if len(found.Faults) == 0 && foreign == nil {
		found.Faults = structure(path, &set, len(log) > 0)
	}
	if foreign != nil {
		found.Faults = append(found.Faults, fmt.Errorf("%w: its file: the header is not that of a store", kv.ErrCorrupt))
	}
	return found, nil
}

// readFiles reads a store's files while nobody commits, and what the gate knows of
// the newest commit, 0 if nothing: it may be lost at any time.
func readFiles(path string, set *settings) (data, log []byte, noted kv.Version, err error) {
	if err := files.ClearIrregular(path + gateSuffix); err != nil {
		return nil, nil, 0, translate(err)
	}
	g := newGate(path)
	defer g.close()
	if err := enter(g, set); err != nil {
		return nil, nil, 0, err
	}
	return readLocked(path)
}

// readLocked is readFiles for who has the gate.
func readLocked(path string) (data, log []byte, noted kv.Version, err error) {
	if data, err = files.ReadRegular(path); err != nil {
		return nil, nil, 0, translate(err)
	}
	log, err = files.ReadRegular(path + logSuffix)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, 0, translate(err)
	}
	if h, err := openHeadFile(path); err == nil {
		noted = h.newest()
		h.close()
	}
	return data, log, noted, nil
}

// structure lets SQLite look whether pages that can all be read belong together.
// What it cannot look at is for who opens the store to say.
func structure(path string, set *settings, logged bool) []error {
	c, err := openConn(path, set)
	if err == nil && logged { // what is in the log stays there
		_, err = c.db.Config(sqlite3.DBCONFIG_NO_CKPT_ON_CLOSE, true)
	}
	found := ""
	if err == nil {
		found, err = c.pragma("integrity_check(1)")
	}
	if c != nil {
		err = errors.Join(err, c.close())
	}
	switch {
	case err == nil && found != "ok":
		return []error{fmt.Errorf("%w: its pages do not belong together: %s", kv.ErrCorrupt, strings.Join(strings.Fields(found), " "))}
	case errors.Is(err, kv.ErrCorrupt):
		return []error{err}
	}
	return nil
}

func missing(path string, exists bool) error {
	if exists {
		return nil
	}
	return &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
}

// pages are the pages of a database as they are with its log, those whose
// checksums hold.
type pages struct {
	good map[uint32][]byte
	bad  map[uint32]bool // of the file, and not in the log
	old  map[uint32]bool // good ones, of which a newer state in the log cannot be read
	cut  uint32          // how many there should be more
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

// atPages is where the header of a database says how many pages it has.
const atPages = 28

// expected returns how many pages the database has: the last commit in the log
// says so, or else the header. It is 0 where neither can be read.
func (p *pages) expected(log []byte) uint32 {
	if len(log) >= logHeaderSize {
		frames, last, _ := framesOf(log)
		if last > 0 {
			return frames[last-1].pages
		}
	}
	if first, ok := p.good[1]; ok && string(first[:len(magic)]) == magic {
		return binary.BigEndian.Uint32(first[atPages:])
	}
	return 0
}

// missing returns how many pages are neither in the file nor in the log. They were
// at the end of a file that was cut off.
func (p *pages) missing(expected uint32) (n uint32) {
	n = expected
	for _, there := range []iter.Seq[uint32]{maps.Keys(p.good), maps.Keys(p.bad)} {
		for page := range there {
			if page <= expected {
				n--
			}
		}
	}
	return n
}

// pageHolds checks a page against the checksum in its reserved bytes: SQLite's
// cksumvfs, two sums over words of 4 bytes, little-endian.
func pageHolds(page []byte) bool {
	one, two := pageSums(page)
	sums := page[pageSize-reserved:]
	return binary.LittleEndian.Uint32(sums) == one && binary.LittleEndian.Uint32(sums[4:]) == two
}

func pageSums(page []byte) (one, two uint32) {
	for rest := page[:pageSize-reserved]; len(rest) > 0; rest = rest[8:] {
		one += binary.LittleEndian.Uint32(rest) + two
		two += binary.LittleEndian.Uint32(rest[4:]) + one
	}
	return one, two
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
	if p.cut > 0 {
		all = append(all, fmt.Errorf("%w: its file is cut off: %d pages are missing", kv.ErrCorrupt, p.cut))
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
	for _, page := range p.good {
		head = max(head, newestRow(page))
	}
	for _, e := range p.entries() {
		head = max(head, e.Version)
	}
	return head
}
