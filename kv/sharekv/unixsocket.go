//go:build linux || darwin || freebsd

package sharekv

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/pawlkv/pawl/internal/files"
)

// maxSocketPath is how long the name of a socket may be on every system.
const maxSocketPath = 103

// Listen implements Transport. It removes the socket that an owner before has
// left. A socket that is removed or replaced while the owner lives is made again.
func (UnixSocket) Listen(place *Place) (net.Listener, error) {
	inner, self, err := makeSocket(place)
	if err != nil {
		return nil, err
	}
	return &unixListener{place: place, inner: inner, self: self, closing: make(chan struct{})}, nil
}

// makeSocket listens at the socket's name, whatever was there.
func makeSocket(place *Place) (listener *net.UnixListener, self fs.FileInfo, err error) {
	path := place.File(socketName)
	if err := files.Clear(path); err != nil {
		return nil, nil, fmt.Errorf("sharekv: remove the old socket: %w", err)
	}
	err = shortly(place.Path, func(name string) (err error) {
		listener, err = net.ListenUnix("unix", &net.UnixAddr{Name: name, Net: "unix"})
		return err
	})
	if err != nil {
		return nil, nil, fmt.Errorf("sharekv: make the socket: %w", err)
	}
	listener.SetUnlinkOnClose(false) // by a name that leads elsewhere by then
	// The directory's mode keeps others out meanwhile.
	if err = os.Chmod(path, fileMode); err == nil {
		self, err = os.Lstat(path)
	}
	if err != nil {
		return nil, nil, errors.Join(err, listener.Close())
	}
	return listener, self, nil
}

// unixListener accepts processes of this user only.
type unixListener struct {
	place   *Place
	tending sync.Once
	tended  sync.WaitGroup
	closing chan struct{}

	mu     sync.Mutex
	closed bool
	inner  *net.UnixListener
	self   fs.FileInfo // of the socket
}

// Accept implements net.Listener.
func (l *unixListener) Accept() (net.Conn, error) {
	l.tending.Do(func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if !l.closed {
			l.tended.Go(l.tend)
		}
	})
	for {
		inner, closed := l.now()
		conn, err := inner.AcceptUnix()
		switch {
		case errors.Is(err, net.ErrClosed) && !closed && l.renewed(inner):
			continue
		case err != nil:
			return nil, err
		}
		if err := checkPeer(conn); err != nil {
			return nil, errors.Join(err, conn.Close())
		}
		return conn, nil
	}
}

func (l *unixListener) now() (inner *net.UnixListener, closed bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.inner, l.closed
}

// renewed reports whether another listener has taken the place of one.
func (l *unixListener) renewed(of *net.UnixListener) bool {
	inner, closed := l.now()
	return inner != of && !closed
}

// Addr implements net.Listener.
func (l *unixListener) Addr() net.Addr {
	inner, _ := l.now()
	return inner.Addr()
}

// socketLook is how often the owner looks whether newcomers find its socket.
const socketLook = 500 * time.Millisecond

// tend makes the socket again when it is removed or replaced, and gives the place
// up when the lock file is: newcomers would wait for both.
func (l *unixListener) tend() {
	look := time.NewTicker(socketLook)
	defer look.Stop()
	for {
		select {
		case <-look.C:
		case <-l.closing:
			return
		}
		switch {
		case l.isThere(), !l.place.IsThere():
		case !l.place.Held():
			return
		default:
			l.renew()
		}
	}
}

// isThere reports whether newcomers find the socket and the lock.
func (l *unixListener) isThere() bool {
	found, err := os.Lstat(l.place.File(socketName))
	l.mu.Lock()
	defer l.mu.Unlock()
	return err == nil && os.SameFile(found, l.self) && found.Mode().Perm() == fileMode && files.Owner(found) == files.Owner(l.self) &&
		l.place.IsLocked()
}

// renew listens at a new socket, or tries again after a while.
func (l *unixListener) renew() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return
	}
	inner, self, err := makeSocket(l.place)
	if err != nil {
		l.place.owner.logger.Warn("other processes cannot reach the store", slog.Any("error", err))
		return
	}
	old := l.inner
	l.inner, l.self = inner, self
	l.place.owner.logger.Warn("the store's socket was removed or replaced, and is there again")
	old.Close()
}

// Close implements net.Listener. It removes the socket as long as it is ours.
func (l *unixListener) Close() error {
	l.mu.Lock()
	if !l.closed {
		l.closed = true
		close(l.closing)
	}
	err := l.inner.Close()
	if l.place.IsLocked() {
		if e := os.Remove(l.place.File(socketName)); e != nil && !errors.Is(e, fs.ErrNotExist) {
			err = errors.Join(err, e)
		}
	}
	l.mu.Unlock()
	l.tended.Wait()
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
