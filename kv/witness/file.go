package witness

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"sync"

	"github.com/pawlkv/pawl/kv"
)

// File is a Witness in a file, for any number of processes of one machine. It
// waits for no lock, so that a process that is frozen holds nobody up.
type File struct {
	path string
	slot func() int // chooses one, at random; tests replace it

	mu     sync.Mutex
	closed bool
	page   *page  // nil before the first Save
	blind  string // what does not show by the page
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

// Load implements Witness.
func (f *File) Load(context.Context) (Mark, error) {
	p, err := lookAt(f.path)
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
// there must be room (kv.ErrDiskFull); the others write in place.
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
	f.page = p
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
		// Written first and looked after then: whoever replaces the file reads
		// the old one once more afterwards. So one of the two sees the other.
		if err := f.page.raise(m.Head); err != nil {
			return err
		}
		replaced, err := isReplaced(f.page.file)
		if err != nil || !replaced {
			return err
		}
		if err := f.follow(); err != nil {
			return err
		}
	}
	if !m.Supersedes(f.page.empty()) {
		return nil // an older state was accepted since, and this store is not it
	}
	return f.renew(m)
}

// follow goes on with the file that replaced ours. It must be a successor: one
// that was restored over it stays as it is, so that the next opening sees that.
func (f *File) follow() error {
	next, err := openPage(f.path, os.O_RDWR)
	if err != nil {
		return err
	}
	_, err = next.mark()
	if err == nil && next.store != f.page.store {
		err = fmt.Errorf("%w: it is of another store now", ErrCopied)
	}
	if err != nil {
		return errors.Join(err, next.file.Close())
	}
	return f.use(next)
}

// renew puts a new file with the mark in the place of the one there is, with
// what that has seen of the same store and generation. One process at a time does:
// of two, the second would replace the file of the first without having read
// what others wrote there meanwhile.
func (f *File) renew(m Mark) error {
	for {
		old, err := openPage(f.path, os.O_RDWR)
		if errors.Is(err, ErrNone) {
			err = f.put(m, asFirst)
			if errors.Is(err, fs.ErrExist) {
				continue // another was first
			}
			return err
		}
		if isVoid(err) {
			return f.put(m, os.Rename)
		}
		if err != nil {
			return err
		}
		mine, err := claim(old.file)
		if err != nil {
			return errors.Join(err, old.file.Close())
		}
		if replaced, err := isReplaced(old.file); err != nil || replaced {
			if err := errors.Join(err, old.file.Close()); err != nil {
				return err
			}
			continue
		}
		return f.renewFrom(old, mine, m)
	}
}

// renewFrom is renew with the file there is, which it closes or uses. Whose the
// claim is not uses the file as it is: the one who has it makes the new one.
func (f *File) renewFrom(old *page, mine bool, m Mark) error {
	found, err := old.mark()
	switch {
	case err != nil && !isVoid(err):
		return errors.Join(err, old.file.Close())
	case err != nil, !old.of(m) && m.Supersedes(found):
		return errors.Join(f.put(m, os.Rename), old.file.Close())
	case !old.of(m):
		return f.use(old)
	case !renewable || !mine:
		return errors.Join(f.use(old), f.save(m))
	}
	return errors.Join(f.succeed(old, max(m.Head, found.Head)), old.file.Close())
}

// isVoid tells answers of Load, after which a mark is saved over what is there.
func isVoid(err error) bool {
	return errors.Is(err, ErrNone) || errors.Is(err, ErrCopied) || errors.Is(err, ErrDamaged)
}

// succeed replaces a file that others may still write to, and reads it once
// more afterwards.
func (f *File) succeed(old *page, head kv.Version) error {
	m := old.empty()
	m.Head = head
	if err := f.put(m, os.Rename); err != nil {
		return err
	}
	last, err := old.mark()
	if err != nil {
		return err
	}
	return f.save(last)
}

// put makes a new file with the mark, which becomes the page.
func (f *File) put(m Mark, place func(file, path string) error) error {
	p, err := createPage(f.path, m, place)
	if err != nil {
		return err
	}
	return f.use(p)
}
