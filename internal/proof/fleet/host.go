//go:build linux

package fleet

import (
	"errors"
	"fmt"
	"net"
	"os/exec"
	"strings"
	"sync"
	"testing"
)

// Direction is one in which a host is cut off.
type Direction string

// The directions.
const (
	Out Direction = "out" // what it sends is lost
	In  Direction = "in"  // what is sent to it is
)

// Host is one of a network. Its methods may be called from any number of goroutines.
type Host struct {
	Name    string
	Address string // without a port

	network *Network
	thread  *thread // in its namespace; nil without namespaces
	port    string  // the bridge's end of its pair

	mu    sync.Mutex
	doors map[string]*Proxy // without namespaces, by where they lead
}

// Start starts a process on the host. It ends with the test's process, if not before.
func (h *Host) Start(cmd *exec.Cmd) (err error) {
	ofItsHost(cmd)
	h.do(func() { err = cmd.Start() })
	return err
}

// do calls fn where the host is.
func (h *Host) do(fn func()) {
	if h.thread != nil {
		h.thread.do(fn)
		return
	}
	h.network.starts.do(fn)
}

// output returns what a program prints on the host.
func (h *Host) output(args ...string) (out string, err error) {
	h.do(func() {
		var b []byte
		b, err = exec.Command(args[0], args[1:]...).Output()
		out = strings.TrimSpace(string(b))
	})
	return out, err
}

// Dial connects to an address from the host.
func (h *Host) Dial(d net.Dialer, network, address string) (conn net.Conn, err error) {
	if h.thread == nil {
		return d.Dial(network, address)
	}
	failed := h.thread.beside(func() { conn, err = d.Dial(network, address) })
	return conn, errors.Join(failed, err)
}

// Listen listens at a port of the host, at any free one if it is 0.
func (h *Host) Listen(port int) (l net.Listener, err error) {
	h.do(func() { l, err = net.Listen("tcp", fmt.Sprintf("%s:%d", h.Address, port)) })
	return l, err
}

// Door returns the address by which processes on this host reach one of another host, so
// that cutting either off cuts them.
func (h *Host) Door(t testing.TB, to *Host, port int) string {
	t.Helper()
	address := fmt.Sprintf("%s:%d", to.Address, port)
	if h.thread != nil {
		return address
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.doors[address] == nil {
		h.doors[address] = NewProxy(t, h, address)
		h.network.note(h, to, h.doors[address])
	}
	return h.doors[address].Address
}

// Cut cuts the host off in one direction.
func (h *Host) Cut(t testing.TB, d Direction) {
	t.Helper()
	h.network.cut(t, h, d, true)
}

// Join undoes Cut, in both directions.
func (h *Host) Join(t testing.TB) {
	t.Helper()
	h.network.cut(t, h, Out, false)
	h.network.cut(t, h, In, false)
}
