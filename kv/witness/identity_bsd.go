//go:build darwin || freebsd || netbsd

package witness

import (
	"os"
	"syscall"
)

// renewable: a file that others have open can be replaced.
const renewable = true

// identityOf asks the file system who a file is.
func identityOf(file *os.File) (id identity, blind string, err error) {
	found, err := stat(file)
	if err != nil {
		return identity{}, "", err
	}
	id = identity{inode: uint64(found.Ino), birth: uint64(found.Birthtimespec.Nano())}
	return id, id.blindness(false), nil
}

// standingOf asks the system what became of a file that is open.
func standingOf(file *os.File) (standing, error) {
	found, err := stat(file)
	if err != nil {
		return standing{}, err
	}
	return standing{size: found.Size, replaced: found.Nlink == 0}, nil
}

func stat(file *os.File) (*syscall.Stat_t, error) {
	var found syscall.Stat_t
	if err := syscall.Fstat(int(file.Fd()), &found); err != nil {
		return nil, &os.PathError{Op: "stat", Path: file.Name(), Err: err}
	}
	return &found, nil
}
