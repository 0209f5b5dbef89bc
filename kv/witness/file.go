package witness

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"sync"

	"github.com/pawlkv/pawl/internal/files"
	"github.com/pawlkv/pawl/kv"
)

// File is a Witness in a file, for any number of processes of one machine. It
// waits for no lock, so that a process that is frozen holds nobody up.
type File struct {
	path  string
	slot  func() int // chooses one, at random; tests replace it
	stays bool       // one that is whole is written on in place by the next opening

	mu     sync.Mutex
	closed bool
	page   *page      // nil before the first Save
	saved  kv.Version // the newest head that was saved in it
	blind  string     // what does not show by the page
}

var (
	_ Witness = (*File)(nil)
	_ Blind   = (*File)(nil)
)

// NewFile returns the witness in a file, which need not exist; its directory
// must when a mark is saved. It opens nothing yet.
func NewFile(path string) *File {
	return &File{path: path, slot: func() int { return rand.IntN(slots) }}
}

// NewHostFile is NewFile for what one of several hosts has seen of a store that is on none
// of them: whoever takes or restores a copy of the file has not copied the store. So an
// opening needs no new inode to show that, and leaves the file where it is: with thousands
// of stores open, and opened again, on a host that is what opening one costs there.
func NewHostFile(path string) *File {
	f := NewFile(path)
	f.stays = true
	return f
}

// Load implements Witness.
func (f *File) Load(context.Context) (Mark, error) { return load(lookAt(f.path)) }

// ReadFile is Load of a File for who only looks at a store: nothing is changed, not
// even the rights of a file that has lost them.
func ReadFile(path string) (Mark, error) {
	file, err := files.OpenRegular(path, os.O_RDONLY)
	return load(pageOf(path, file, err))
}

func load(p *page, err error) (Mark, error) {
	if err != nil {
		return Mark{}, ofSystem(err)
	}
	defer p.file.Close()
	m, err := p.mark()
	return m, ofSystem(err)
}

// ofSystem makes errors of the system kinds of kv, and leaves the answers of Load
// as they are.
func ofSystem(err error) error {
	if isVoid(err) {
		return err
	}
	return kv.OfSystem(err)
}

// Save implements Witness. The first call gives the file a new inode, for which
// there must be room (kv.ErrDiskFull), unless a host's file is whole; the others write in
// place. A file that was
// removed or damaged since is made again; one that was restored stays as it is, so
// that the next opening sees that.
func (f *File) Save(_ context.Context, m Mark) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return fmt.Errorf("witness: save in %s: %w", f.path, os.ErrClosed)
	}
	if err := ofSystem(f.save(m)); err != nil {
		return fmt.Errorf("witness: save in %s: %w", f.path, err)
	}
	return nil
}

// Keep makes the file again if it was removed or damaged since a mark was saved. It is
// for an engine that is being closed and knows that the store is still in its place:
// with the store, the file went on purpose.
func (f *File) Keep() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed || f.page == nil {
		return nil
	}
	m := f.page.empty()
	m.Head = f.saved
	err := f.look()
	switch {
	case isLost(err), errors.Is(err, fs.ErrPermission): // somebody else's now
		err = f.putBack(m, err)
	case err == nil:
		err = f.save(m)
	}
	if isVoid(err) {
		return nil // for the next opening to see
	}
	if err := ofSystem(err); err != nil {
		return fmt.Errorf("witness: keep %s: %w", f.path, err)
	}
	return nil
}

// look looks at the file that is at the path now.
func (f *File) look() error {
	p, err := openPage(f.path, os.O_RDONLY)
	if err != nil {
		return err
	}
	_, err = p.mark()
	return errors.Join(err, p.file.Close())
}

// Blind implements the interface of its name.
func (f *File) Blind() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.blind
}

// Close closes the file. Saving fails afterwards, so the stores that use the
// witness are closed before.
func (f *File) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	return f.use(nil)
}

// use goes on with another page.
func (f *File) use(p *page) error {
	old := f.page
	if f.page = p; p != nil && old != nil && p.empty() != old.empty() {
		f.saved = 0 // in another store, or before an older state of it was accepted
	}
	var err error
	if p != nil {
		p.slot = firstSlot + slotSize*int64(f.slot()%slots)
		_, f.blind, err = identityOf(p.file)
	}
	if old == nil {
		return err
	}
	return errors.Join(err, old.file.Close())
}

func (f *File) save(m Mark) error {
	if f.page == nil {
		return f.renew(m)
	}
	for f.page.of(m) {
		f.saved = max(f.saved, m.Head)
		// Written first and looked after then: whoever replaces the file reads
		// the old one once more afterwards. So one of the two sees the other.
		err := f.page.raise(f.saved)
		if err != nil && !isLost(err) {
			return err
		}
		now, e := standingOf(f.page.file)
		replaced := now.replaced
		switch {
		case replaced:
			err = f.follow()
		case e == nil && now.size != fileSize:
			err = errLength
		}
		switch {
		case e != nil:
			return e
		case isLost(err):
			return f.putBack(m, err)
		case err != nil, !replaced:
			return err
		}
	}
	if !m.Supersedes(f.page.empty()) {
		return nil // an older state was accepted since, and this store is not it
	}
	return f.renew(m)
}
