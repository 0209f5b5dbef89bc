//go:build linux || darwin || freebsd

package badgerkv

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
)

// sharing says whether processes can share a store on this system.
const sharing = true

// maxSockPath is how long the name of a socket may be on every system.
const maxSockPath = 103

// listen makes the owner's socket. Only who holds the lock may call it: it
// removes one that an owner before has left.
func listen(dir string) (*net.UnixListener, error) {
	path := filepath.Join(dir, sockName)
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("badgerkv: remove the old socket: %w", err)
	}
	var listener *net.UnixListener
	err := shortly(dir, func(name string) (err error) {
		listener, err = net.ListenUnix("unix", &net.UnixAddr{Name: name, Net: "unix"})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("badgerkv: make the socket: %w", err)
	}
	listener.SetUnlinkOnClose(false)                 // by the name of now
	if err := os.Chmod(path, fileMode); err != nil { // the directory's mode keeps others out meanwhile
		return nil, errors.Join(err, listener.Close())
	}
	return listener, nil
}

// dial connects to the owner's socket and makes sure that the owner is of the
// same user.
func dial(ctx context.Context, dir string) (net.Conn, error) {
	var conn net.Conn
	err := shortly(dir, func(name string) (err error) {
		conn, err = new(net.Dialer).DialContext(ctx, "unix", name)
		return err
	})
	if err != nil {
		return nil, err
	}
	if err := checkPeer(conn.(*net.UnixConn)); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
}

// shortly calls fn with a name of the socket that is short enough, as long as
// fn runs.
func shortly(dir string, fn func(name string) error) error {
	path := filepath.Join(dir, sockName)
	if len(path) <= maxSockPath {
		return fn(path)
	}
	if _, err := os.Stat(dir); err != nil {
		return err
	}
	return throughShort(dir, fn)
}

// checkPeer refuses a process of another user.
func checkPeer(conn *net.UnixConn) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	uid, failure := uint32(0), error(nil)
	if err := raw.Control(func(fd uintptr) { uid, failure = peerUser(int(fd)) }); err != nil {
		return err
	}
	if failure != nil {
		return fmt.Errorf("badgerkv: who is at the other end of the socket: %w", failure)
	}
	if int(uid) != os.Geteuid() {
		return fmt.Errorf("%w: the other process is of user %d, this one of %d", errStranger, uid, os.Geteuid())
	}
	return nil
}
