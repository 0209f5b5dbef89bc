//go:build darwin || freebsd

package sharekv

import (
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// peerUser returns the user at the other end of a socket.
func peerUser(fd int) (uint32, error) {
	credentials, err := unix.GetsockoptXucred(fd, unix.SOL_LOCAL, unix.LOCAL_PEERCRED)
	if err != nil {
		return 0, err
	}
	return credentials.Uid, nil
}

// throughShort names the socket through a link in a private directory.
func throughShort(dir string, fn func(name string) error) error {
	full, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	private, err := os.MkdirTemp("", "pawl")
	if err != nil {
		return err
	}
	defer os.RemoveAll(private)
	link := filepath.Join(private, "s")
	if err := os.Symlink(full, link); err != nil {
		return err
	}
	return fn(filepath.Join(link, socketName))
}
