package sqlitekv

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/ncruces/go-sqlite3"

	"github.com/pawlkv/pawl/internal/files"
	"github.com/pawlkv/pawl/internal/files/private"
	"github.com/pawlkv/pawl/kv"
)

// ErrRewritten is a kv.ErrCorrupt of a file that another program has written to
// (VACUUM, a statement by hand, a restored dump; or it closed a store that a killed
// process had left with a log). All of it can be read, but no longer checked: what
// that program did, nobody knows. [Salvage] returns what there is, for a new store.
var ErrRewritten = fmt.Errorf("%w: another program has written to its file", kv.ErrCorrupt)

// explained is why a store cannot be used: by another program's doing, if that is
// what it looks like.
func explained(path string, why error) error {
	if !errors.Is(why, kv.ErrCorrupt) && !errors.Is(why, ErrForeign) && !errors.Is(why, ErrNewer) || !startsAsOurs(path) {
		return why
	}
	set := defaults()
	data, log, _, err := readFiles(path, &set)
	if err != nil {
		return why
	}
	return rewrittenOr(why, path, data, log)
}

// rewrittenOr is an ErrRewritten if that is what the files of a store look like.
func rewrittenOr(why error, path string, data, log []byte) error {
	if _, _, rewritten := readRewritten(data, log); rewritten != nil {
		return fmt.Errorf("%w: %s: what there is can be copied to a new store (see Salvage)", rewritten, path)
	}
	return why
}

// explainer explains the first damage that is met in a store that is open, for
// which all of its files are read, and says the same of later ones.
type explainer struct {
	path string
	once sync.Once
	why  error // nil if it does not look like another program's doing
}

// explain is for callers who do not have the gate, locked for who has it.
func (e *explainer) explain(err error) error { return e.first(err, e.unlocked) }
func (e *explainer) locked(err error) error  { return e.first(err, e.withGate) }

func (e *explainer) unlocked(err error) error { return explained(e.path, err) }

func (e *explainer) withGate(err error) error {
	data, log, _, failed := readLocked(e.path)
	if failed != nil {
		return err
	}
	return rewrittenOr(err, e.path, data, log)
}

func (e *explainer) first(err error, explained func(error) error) error {
	if e == nil || !errors.Is(err, kv.ErrCorrupt) || errors.Is(err, ErrRewritten) {
		return err
	}
	e.once.Do(func() {
		if why := explained(err); errors.Is(why, ErrRewritten) {
			e.why = why
		}
	})
	if e.why != nil {
		return e.why
	}
	return err
}

// ourTable is how the schema, which is in the first page, begins to describe a
// store.
const ourTable = "CREATE TABLE entries (key BLOB PRIMARY KEY, version INTEGER"

// startsAsOurs keeps large files of others from being read, and what is no file from
// being waited for.
func startsAsOurs(path string) bool {
	file, err := files.OpenRegular(path, os.O_RDONLY)
	if err != nil {
		return false
	}
	defer file.Close()
	first, err := io.ReadAll(io.LimitReader(file, 1<<16)) // the largest page
	return err == nil && bytes.HasPrefix(first, []byte(magic)) && bytes.Contains(first, []byte(ourTable))
}

// readRewritten returns what is in a database that another program has written to,
// its newest version, and an ErrRewritten that says what shows it; nil if it is
// not one, or is not whole in SQLite's eyes either.
func readRewritten(data, log []byte) (entries []kv.Entry, head kv.Version, rewritten error) {
	signs := signsOf(data)
	if signs == "" {
		return nil, 0, nil
	}
	entries, head, err := readCopy(data, log)
	if err != nil {
		return nil, 0, nil
	}
	return entries, head, fmt.Errorf("%w: %s", ErrRewritten, signs)
}

// unchecked returns what SQLite reads beyond the entries whose pages could be checked,
// nothing if it does not find the database whole: a program that writes single pages
// leaves them with their old checksums, and nothing tells them from a changed bit.
func unchecked(checked []kv.Entry, data, log []byte) (more []kv.Entry) {
	all, head, err := readCopy(data, log)
	if err != nil {
		return nil
	}
	known := map[string]kv.Entry{}
	for _, e := range checked {
		known[e.Key] = e
	}
	for _, e := range all {
		k, is := known[e.Key]
		longer := k.Version == e.Version && len(k.Value) < len(e.Value) && bytes.HasPrefix(e.Value, k.Value)
		if (!is || longer) && e.Version <= head {
			more = append(more, e)
		}
	}
	return more
}

// readCopy reads a copy of a database, in which SQLite may do what it likes, without
// looking at checksums.
func readCopy(data, log []byte) (entries []kv.Entry, head kv.Version, err error) {
	const copies = "pawl-rewritten-"
	private.RemoveDead(copies)
	dir, err := private.New(copies)
	if err != nil {
		return nil, 0, err
	}
	defer dir.Remove()
	path := filepath.Join(dir.Path(), "store.db")
	if err := os.WriteFile(path, data, fileMode); err != nil {
		return nil, 0, err
	}
	if len(log) > 0 {
		if err := os.WriteFile(path+logSuffix, log, fileMode); err != nil {
			return nil, 0, err
		}
	}
	return readUnchecked(path)
}

// signsOf says what shows that another program has written a database. A page that
// only damage has changed still has a checksum, if a wrong one; SQLite itself
// writes none, and its number into the first page.
func signsOf(data []byte) string {
	if len(data) < headerSize || !bytes.HasPrefix(data, []byte(magic)) {
		return ""
	}
	if size := binary.BigEndian.Uint16(data[atPageSize:]); size != pageSize {
		return fmt.Sprintf("it has pages of %d bytes", int(size))
	}
	if data[atReserved] != reserved {
		return "its pages have no room for checksums"
	}
	bad, without, pages := 0, 0, len(data)/pageSize
	for n := range pages {
		page := data[n*pageSize:][:pageSize]
		if pageHolds(page) {
			continue
		}
		bad++
		if binary.BigEndian.Uint64(page[pageSize-reserved:]) == 0 && hasCells(page) {
			without++
		}
	}
	first := pages > 0 && !pageHolds(data[:pageSize])
	writer := binary.BigEndian.Uint32(data[atWriter:])
	switch {
	case without > 0:
		return fmt.Sprintf("%d of its %d pages have no checksum", bad, pages)
	case first && writer != ownNumber():
		return fmt.Sprintf("%d of its %d pages have none of our checksums, and its SQLite was %d.%d.%d",
			bad, pages, writer/1_000_000, writer/1000%1000, writer%1000)
	}
	return ""
}

// hasCells tells a page that was written from a free one, which is zeros and has
// the checksum zero, and that the disk has changed.
func hasCells(page []byte) (has bool) {
	eachCell(page, func(byte, []byte) { has = true })
	return has
}

// atWriter is where the header has the number of the SQLite that wrote it last.
const atWriter = 96

// ownNumber is that of the SQLite here, 0 if it does not say.
func ownNumber() uint32 {
	db, err := sqlite3.Open(":memory:")
	if err != nil {
		return 0
	}
	defer db.Close()
	stmt, _, err := db.Prepare(`SELECT sqlite_version()`)
	if err != nil {
		return 0
	}
	defer stmt.Close()
	var major, minor, patch uint32
	if !stmt.Step() {
		return 0
	}
	if n, _ := fmt.Sscanf(stmt.ColumnText(0), "%d.%d.%d", &major, &minor, &patch); n != 3 {
		return 0
	}
	return major*1_000_000 + minor*1000 + patch
}

// readUnchecked reads all entries of a database that SQLite finds whole, and its
// newest version, without looking at checksums.
func readUnchecked(path string) (entries []kv.Entry, head kv.Version, err error) {
	defer guard(&err)
	db, err := sqlite3.OpenFlags(path, sqlite3.OPEN_READWRITE)
	if err != nil {
		return nil, 0, translate(err)
	}
	c := &conn{db: db, ctx: context.Background()}
	defer func() { err = errors.Join(err, c.close()) }()
	if err := c.trust(); err != nil {
		return nil, 0, err
	}
	found, err := c.pragma("integrity_check(1)")
	if err == nil && found != "ok" {
		err = fmt.Errorf("%w: %s", kv.ErrCorrupt, strings.Join(strings.Fields(found), " "))
	}
	if err == nil {
		err = c.prepareAll()
	}
	if err != nil {
		return nil, 0, err
	}
	err = c.scan("", "", func(row *sqlite3.Stmt) (bool, error) {
		entries = append(entries, kv.Entry{
			Key: string(row.ColumnRawBlob(0)), Version: kv.Version(row.ColumnInt64(1)), Value: row.ColumnBlob(2, []byte{}),
		})
		return true, nil
	})
	if err != nil {
		return nil, 0, err
	}
	head, err = c.number(qHead)
	return entries, head, err
}
