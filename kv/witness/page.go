package witness

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/pawlkv/pawl/internal/files"
	"github.com/pawlkv/pawl/kv"
)

// page is an open witness file and the slot in it that is ours. Another process
// may have chosen the same one: then a mark of one may replace a greater one of
// the other, if they save within a microsecond, and the witness lags by it.
type page struct {
	file *os.File
	header
	slot int64 // its offset; the first until another is chosen
}

// lookAt opens a page to be read, and for writing if that is allowed, though
// nothing is written. Where the file system has layers, as that of a container,
// a file of an image that is opened so is copied to the container's own layer,
// and the copy has a time of birth of its own: it shows that the file is not the
// container's, before anybody else's container has the same mark.
func lookAt(path string) (*page, error) {
	p, err := openPage(path, os.O_RDWR)
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS) {
		return openPage(path, os.O_RDONLY)
	}
	return p, err
}

// openPage fails with ErrNone or ErrDamaged, or why it cannot be read.
func openPage(path string, flag int) (*page, error) {
	file, err := files.OpenOwn(path, flag)
	return pageOf(path, file, err)
}

// pageOf is the page in a file that was opened, or not.
func pageOf(path string, file *os.File, err error) (*page, error) {
	if errors.Is(err, fs.ErrNotExist) {
		if files.IsLink(path) {
			return nil, fmt.Errorf("%w: %s is a link that leads nowhere", ErrDamaged, path)
		}
		return nil, fmt.Errorf("%w: %s", ErrNone, path)
	}
	if errors.Is(err, files.ErrIrregular) || errors.Is(err, syscall.EISDIR) {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if err != nil {
		return nil, err
	}
	p, err := newPage(file)
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return p, nil
}

func newPage(file *os.File) (*page, error) {
	content, err := readPage(file)
	if err != nil {
		return nil, err
	}
	h, err := decodeHeader(content)
	return &page{file: file, header: h, slot: firstSlot}, err
}

// readPage returns all of a file, or one byte more than a page.
func readPage(file *os.File) ([]byte, error) {
	return io.ReadAll(io.NewSectionReader(file, 0, fileSize+1))
}

// empty is the mark of the page before anything was seen.
func (p *page) empty() Mark { return Mark{Store: p.store, Generation: p.generation} }

// readings bounds how often a page is read until no slot is found half written.
const readings = 20

// mark returns the mark. It fails with ErrCopied, and the mark, or ErrDamaged.
func (p *page) mark() (Mark, error) {
	m := p.empty()
	var err error
	for range readings {
		var content []byte
		if content, err = readPage(p.file); err != nil {
			return m, err
		}
		if len(content) != fileSize {
			return m, errLength
		}
		if m.Head, err = p.decodeHead(content); err == nil {
			break
		}
	}
	if err != nil {
		return m, err
	}
	now, _, err := identityOf(p.file)
	if err == nil && !p.identity.is(now) {
		err = fmt.Errorf("%w: %s is not the file that was written", ErrCopied, p.file.Name())
	}
	return m, err
}

// standing is what became of a file that is open.
type standing struct {
	size     int64
	replaced bool // it has no name any more
}

// errLength: the file was cut, or grew.
var errLength = fmt.Errorf("%w: it has another length than before", ErrDamaged)

// raise writes a head to our slot unless there is a greater one. It fails with
// ErrDamaged where the file was cut before the end of the slot; that it was elsewhere
// its standing says.
func (p *page) raise(head kv.Version) error {
	var slot [slotSize]byte
	if _, err := p.file.ReadAt(slot[:], p.slot); errors.Is(err, io.EOF) {
		return errLength
	} else if err != nil {
		return err
	}
	// What another process is writing there is replaced by ours.
	if known, ok := p.decodeSlot(slot[:]); ok && known >= head {
		return nil
	}
	slot = p.encodeSlot(head)
	_, err := p.file.WriteAt(slot[:], p.slot)
	return err
}

// createPage makes a new file with a mark and has it placed at path. An old one
// stays until the new one is whole on the disk: after a power failure there is
// one or the other.
func createPage(path string, m Mark, place func(file, path string) error) (*page, error) {
	dir, name := filepath.Dir(path), filepath.Base(path)
	if err := removeLeftOvers(dir, name); err != nil {
		return nil, err
	}
	file, err := os.CreateTemp(dir, name+".*"+temporary) // mode 0600
	if err != nil {
		return nil, err
	}
	p, err := fillPage(file, m)
	if info, e := os.Lstat(path); err == nil && e == nil && info.IsDir() {
		err = files.Clear(path) // which no file can replace
	}
	if err == nil {
		err = place(file.Name(), path)
	}
	if err != nil {
		return nil, errors.Join(err, file.Close(), os.Remove(file.Name()))
	}
	if err := syncDir(dir); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return p, nil
}

// asFirst moves a file to a path where there is none, and fails with fs.ErrExist
// where there is one. File systems without links cannot tell.
func asFirst(file, path string) error {
	err := os.Link(file, path)
	switch {
	case err == nil:
		return os.Remove(file)
	case errors.Is(err, fs.ErrExist):
		return err
	}
	return os.Rename(file, path)
}

// fillPage writes a header and the first slot of a file that has nothing.
func fillPage(file *os.File, m Mark) (*page, error) {
	id, _, err := identityOf(file)
	if err != nil {
		return nil, err
	}
	h := header{m.Store, m.Generation, id}
	content := make([]byte, fileSize)
	copy(content, h.encode())
	slot := h.encodeSlot(m.Head)
	copy(content[firstSlot:], slot[:])
	if _, err := file.Write(content); err != nil {
		return nil, err
	}
	if err := syncFile(file); err != nil {
		return nil, err
	}
	return newPage(file)
}

const (
	temporary = ".new" // ends the names of files that are not finished
	leftAlone = time.Hour
)

// removeLeftOvers removes unfinished files that crashes left in a directory.
func removeLeftOvers(dir, name string) error {
	all, err := namesIn(dir)
	if err != nil {
		return err
	}
	for _, one := range all {
		if !strings.HasPrefix(one, name+".") || !strings.HasSuffix(one, temporary) {
			continue
		}
		one = filepath.Join(dir, one)
		info, err := os.Lstat(one)
		if err != nil || time.Since(info.ModTime()) < leftAlone {
			continue // another process is at it
		}
		if err := os.Remove(one); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// namesIn returns the names in a directory in any order: there may be thousands, and
// os.ReadDir sorts them.
func namesIn(dir string) ([]string, error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	names, err := d.Readdirnames(-1)
	return names, errors.Join(err, d.Close())
}

// syncFile is replaced by tests that look when it is called.
var syncFile = (*os.File).Sync

// syncDir makes a renaming durable.
func syncDir(dir string) error {
	if !renewable {
		return nil // a system without such a call
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
