package sqlitekv

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/ncruces/go-sqlite3"

	"github.com/pawlkv/pawl/internal/files"
	"github.com/pawlkv/pawl/kv"
)

const fileMode = 0o600

// Places in the header of an SQLite database.
const (
	magic         = "SQLite format 3\x00"
	atPageSize    = 16
	atReserved    = 20
	atUserVersion = 60
	atApplication = 68
	headerSize    = 100
)

// resolve returns the one name of a store's file: processes that open it by
// different names must meet at the same files beside it.
func resolve(path string) (string, error) {
	if path != "" && os.IsPathSeparator(path[len(path)-1]) {
		return "", fmt.Errorf("%w: %s is the name of a directory, and a store is a file", kv.ErrInvalid, path)
	}
	path, err := files.Resolve(path)
	return path, kv.OfSystem(err)
}

// inspect reports whether there is a store, before anything is touched. An
// empty file holds nothing that could be lost, and counts as none.
func inspect(path string) (exists bool, err error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if _, err := os.Stat(filepath.Dir(path)); err != nil {
			return false, fmt.Errorf("%w: the directory of %s must exist: %w", kv.ErrUnusable, path, err)
		}
		// The longest of the names beside it, before the first is made.
		if _, err := os.Lstat(path + newSuffix + journalSuffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return false, translate(err)
		}
		return false, nil
	case err != nil:
		return false, translate(err)
	case !info.Mode().IsRegular():
		return false, fmt.Errorf("%w: %s is not a regular file", ErrForeign, path)
	case info.Size() == 0:
		return false, nil
	}
	if err := checkNames(path, info); err != nil {
		return false, err
	}
	file, err := files.OpenOwn(path, os.O_RDONLY)
	if err != nil {
		return false, translate(err)
	}
	defer file.Close()
	var header [headerSize]byte
	if _, err := io.ReadFull(file, header[:]); err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return false, translate(err)
	}
	return true, checkHeader(path, header[:])
}

// checkNames refuses a file that has another name somewhere: the log and the locks
// lie beside each name, and whoever opened the file by the other one would commit
// past us.
func checkNames(path string, info fs.FileInfo) error {
	if err := files.OnlyName(path, info); err != nil {
		return fmt.Errorf("%w: %w", kv.ErrUnusable, err)
	}
	return nil
}

// checkHeader tells stores from other files. Of four signs one may be damaged:
// that is for SQLite and its checksums to say.
func checkHeader(path string, header []byte) error {
	signs := 0
	for _, sign := range []bool{
		string(header[:len(magic)]) == magic,
		binary.BigEndian.Uint16(header[atPageSize:]) == pageSize,
		header[atReserved] == reserved,
		binary.BigEndian.Uint32(header[atApplication:]) == applicationID,
	} {
		if sign {
			signs++
		}
	}
	version := binary.BigEndian.Uint32(header[atUserVersion:])
	switch {
	case signs < 3:
		return fmt.Errorf("%w: %s", ErrForeign, path)
	case signs == 4 && version > uint32(kv.NewestFormat) && version < damagedVersion:
		return fmt.Errorf("%w: %s has format %d, this one reads up to %d", ErrNewer, path, version, kv.NewestFormat)
	}
	return nil
}

// damagedVersion is more than a format will ever be.
const damagedVersion = 1 << 16

// create makes an empty store under another name, and gives it its own when it
// is whole. The gate is ours.
func create(path string, set *settings) (err error) {
	defer guard(&err)
	made := path + newSuffix
	for _, suffix := range []string{"", journalSuffix, logSuffix, indexSuffix} {
		if err := os.Remove(made + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return translate(err)
		}
	}
	file, err := os.OpenFile(made, os.O_RDWR|os.O_CREATE|os.O_EXCL, fileMode)
	if err != nil {
		return translate(err)
	}
	defer file.Close()
	if err := fill(made, set); err != nil {
		return errors.Join(err, os.Remove(made))
	}
	if err := errors.Join(file.Sync(), file.Close(), os.Rename(made, path)); err != nil {
		return translate(err)
	}
	return translate(syncDir(filepath.Dir(path)))
}

// fill makes an empty file an empty store.
func fill(path string, set *settings) error {
	db, err := sqlite3.OpenFlags(uri(path, set.vfs), sqlite3.OPEN_READWRITE|sqlite3.OPEN_URI)
	if err != nil {
		return translate(err)
	}
	c := &conn{db: db}
	err = c.exec(fullSyncs + fmt.Sprintf(`PRAGMA page_size = %d; PRAGMA synchronous = FULL`, pageSize))
	if err == nil {
		err = translate(db.EnableChecksums("main"))
	}
	if err == nil {
		err = c.exec(`BEGIN; ` + schema + ` COMMIT; PRAGMA journal_mode = WAL`)
	}
	return errors.Join(err, c.close())
}

// prepare makes the store if there is none, once for all processes that open it
// at the same time.
func prepare(path string, set *settings, g *gate) error {
	exists, err := inspect(path)
	if err != nil || exists {
		return err
	}
	if err := enter(g, set); err != nil {
		return err
	}
	defer g.release()
	if exists, err := inspect(path); err != nil || exists {
		return err
	}
	if err := checkNoLog(path); err != nil {
		return err
	}
	return create(path, set)
}

// checkNoLog refuses to make a store where another one's log lies, of which the
// file is gone: SQLite would bring what is in the log into the new one.
func checkNoLog(path string) error {
	info, err := os.Stat(path + logSuffix)
	switch {
	case errors.Is(err, fs.ErrNotExist), err == nil && info.Size() == 0:
		return nil
	case err != nil:
		return translate(err)
	}
	return fmt.Errorf("%w: %s is gone, and its log (%s) is there: put the file back, or remove that too", kv.ErrCorrupt, path, path+logSuffix)
}

// enter waits for the gate while the store is opened.
func enter(g *gate, set *settings) error {
	patience := time.NewTimer(set.wait)
	defer patience.Stop()
	select {
	case err := <-g.ask():
		return translate(err)
	case <-patience.C:
		g.release()
		return keptFor(strings.TrimSuffix(g.lock.Path(), gateSuffix), set.wait)
	}
}

// readySides looks whether the files beside a store are files. Of what is advice,
// or remembers only how far the store had come, another is made; SQLite's own are
// for a person to mend: processes that have the store open may have the right ones.
func readySides(path string) error {
	if uid, another := files.Another(path, filepath.Dir(path)); another {
		return fmt.Errorf("%w: %s belongs to user %d, and this process to user %d: run it as that one", kv.ErrUnusable, path, uid, os.Geteuid())
	}
	for _, suffix := range []string{gateSuffix, turnsSuffix, newSuffix} {
		if err := files.ClearIrregular(path + suffix); err != nil {
			return translate(err)
		}
	}
	for _, suffix := range []string{logSuffix, indexSuffix, journalSuffix} {
		info, err := os.Lstat(path + suffix)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return translate(err)
		case !info.Mode().IsRegular():
			return fmt.Errorf("%w: %s is not a regular file: put the file back, or remove what is there if it is gone", kv.ErrUnusable, path+suffix)
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm()&fileMode == fileMode {
		return nil
	}
	return makePrivate(path)
}

// makePrivate takes all rights from others.
func makePrivate(path string) error {
	for _, suffix := range []string{"", logSuffix, indexSuffix, gateSuffix, turnsSuffix, witnessSuffix} {
		info, err := os.Stat(path + suffix)
		if err == nil && info.Mode().Perm() != fileMode {
			err = os.Chmod(path+suffix, fileMode)
		}
		// SQLite's files come and go.
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("sqlitekv: make the store private: %w", translate(err))
		}
	}
	return nil
}

// syncDir makes sure that a file that was renamed is found after a crash.
func syncDir(path string) error {
	if runtime.GOOS == "windows" {
		return nil // does not sync directories
	}
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
