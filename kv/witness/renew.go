package witness

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/pawlkv/pawl/kv"
)

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

// isLost tells a file of which nothing is left that could say anything.
func isLost(err error) bool { return errors.Is(err, ErrNone) || errors.Is(err, ErrDamaged) }

// putBack makes the file again that was removed or damaged while it was in use, with
// a mark of the same store and generation and all that was ever saved through it.
// That takes nothing back: the mark says how far the store in that place has come.
func (f *File) putBack(m Mark, lost error) error {
	m.Head = max(m.Head, f.saved)
	if last, err := f.page.mark(); err == nil { // others may have saved more
		m.Head = max(m.Head, last.Head)
	}
	if !errors.Is(lost, ErrNone) {
		return f.put(m, os.Rename)
	}
	err := f.put(m, asFirst)
	if !errors.Is(err, fs.ErrExist) {
		return err
	}
	if err := f.follow(); err != nil { // another was first
		return err
	}
	return f.save(m)
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
		if now, err := standingOf(old.file); err != nil || now.replaced {
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
	case !renewable || f.stays || !mine:
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
	err = f.use(p)
	f.saved = max(f.saved, m.Head)
	return err
}
