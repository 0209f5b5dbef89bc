package sqlitekv

import (
	"errors"
	"io"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/vfs"
)

// wholePages is the system's file system for SQLite, which does not take a
// database that was cut for a whole one. SQLite asks for no page that it has not
// written, but for one that lies beyond the file's end it reads zeros, and for
// the missing part of one that lies across it too: entries would be gone without
// a word, or have other values, since a page that is not read as a whole is not
// verified.
const wholePages = "pawl-whole-pages"

func init() {
	if system, ok := vfs.Find("").(vfs.VFSFilename); ok { // it always is
		vfs.Register(wholePages, wholeFiles{system})
	}
}

type wholeFiles struct{ vfs.VFSFilename }

// OpenFilename implements vfs.VFSFilename.
func (w wholeFiles) OpenFilename(name *vfs.Filename, flags vfs.OpenFlag) (vfs.File, vfs.OpenFlag, error) {
	file, opened, err := w.VFSFilename.OpenFilename(name, flags)
	if err == nil && flags&vfs.OPEN_MAIN_DB != 0 {
		file = wholeFile{file}
	}
	return file, opened, err
}

type wholeFile struct{ vfs.File }

var _ vfs.FileSharedMemory = wholeFile{}

// Unwrap implements vfs.FileUnwrap.
func (f wholeFile) Unwrap() vfs.File { return f.File }

// SharedMemory implements vfs.FileSharedMemory.
func (f wholeFile) SharedMemory() vfs.SharedMemory {
	if shared, ok := f.File.(vfs.FileSharedMemory); ok {
		return shared.SharedMemory()
	}
	return nil
}

// ReadAt implements io.ReaderAt.
func (f wholeFile) ReadAt(p []byte, at int64) (int, error) {
	n, err := f.File.ReadAt(p, at)
	if errors.Is(err, io.EOF) && n < len(p) && len(p) == pageSize {
		return 0, sqlite3.IOERR_DATA // as a page whose checksum does not hold
	}
	return n, err
}

// uri names a file to be opened through a VFS.
func uri(path, through string) string {
	path = filepath.ToSlash(path)
	if !strings.HasPrefix(path, "/") {
		path = "/" + path // a drive's letter
	}
	return (&url.URL{Scheme: "file", Path: path, RawQuery: "vfs=" + url.QueryEscape(through)}).String()
}
