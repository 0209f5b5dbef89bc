//go:build linux || darwin || freebsd

package sharekv

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
)

// maxSocketPath is how long the name of a socket may be on every system.
const maxSocketPath = 103

// Listen implements Transport. It removes the socket that an owner before has
// left.
func (UnixSocket) Listen(place *Place) (net.Listener, error) {
	path := place.File(socketName)
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("sharekv: remove the old socket: %w", err)
	}
	var listener *net.UnixListener
	err := shortly(place.Path, func(name string) (err error) {
		listener, err = net.ListenUnix("unix", &net.UnixAddr{Name: name, Net: "unix"})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("sharekv: make the socket: %w", err)
	}
	listener.SetUnlinkOnClose(false)                 // by a name that leads elsewhere by then
	if err := os.Chmod(path, fileMode); err != nil { // the directory's mode keeps others out meanwhile
		return nil, errors.Join(err, listener.Close())
	}
	return &unixListener{listener, place}, nil
}

// unixListener accepts processes of this user only.
type unixListener struct {
	*net.UnixListener
	place *Place
}

// Accept implements net.Listener.
func (l *unixListener) Accept() (net.Conn, error) {
	conn, err := l.AcceptUnix()
	if err != nil {
		return nil, err
	}
	if err := checkPeer(conn); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
}

// Close implements net.Listener. It removes the socket as long as it is ours.
func (l *unixListener) Close() error {
	err := l.UnixListener.Close()
	if l.place.holds() {
		if e := os.Remove(l.place.File(socketName)); e != nil && !errors.Is(e, fs.ErrNotExist) {
			err = errors.Join(err, e)
		}
	}
	return err
}

// Dial implements Transport, and makes sure that the owner is of the same user.
func (UnixSocket) Dial(ctx context.Context, dir string) (net.Conn, error) {
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
	path := filepath.Join(dir, socketName)
	if len(path) <= maxSocketPath {
		return fn(path)
	}
	if _, err := os.Stat(dir); err != nil {
		return err
	}
	return throughShort(dir, fn)
}

// processOf returns the id of the process at the other end of a connection, which
// need not answer for that, or 0 if the system does not tell.
func processOf(conn net.Conn) (pid int) {
	c, ok := conn.(*net.UnixConn)
	if !ok {
		return 0
	}
	if raw, err := c.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) { pid = peerProcess(int(fd)) })
	}
	return pid
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
		return fmt.Errorf("sharekv: who is at the other end of the socket: %w", failure)
	}
	if int(uid) != os.Geteuid() {
		return fmt.Errorf("%w: the other process is of user %d, this one of %d", ErrStranger, uid, os.Geteuid())
	}
	return nil
}
