//go:build linux

package fleet

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"
)

// Network is hosts that reach each other.
type Network struct {
	bridge *thread // in the namespace of the bridge; nil without namespaces
	starts *thread // starts processes where there are no namespaces
	number uint32  // where there are none, of its addresses

	mu    sync.Mutex
	hosts []*Host
	doors []door
}

// networks counts those of this process, whose addresses of the loopback device differ.
var networks atomic.Uint32

// door is a proxy that takes the place of the network between two hosts.
type door struct {
	from, to *Host
	proxy    *Proxy
}

// New makes a network that is gone when the test is over: of namespaces, with the rights to.
func New(t testing.TB) *Network {
	t.Helper()
	n := NewOfProxies(t)
	bridge := newThread(unshared)
	why := bridge.failed
	if why == nil {
		why = bridge.run("ip", "link", "add", "bridge", "type", "bridge", "forward_delay", "0")
	}
	if why == nil {
		why = bridge.run("ip", "link", "set", "bridge", "up")
	}
	if why != nil {
		bridge.end()
		t.Logf("WITHOUT NETWORK NAMESPACES, hosts are addresses of the loopback device with proxies between them: %v", why)
		return n
	}
	n.bridge = bridge
	t.Cleanup(bridge.end)
	return n
}

// NewOfProxies makes a network as it is without the rights to namespaces.
func NewOfProxies(t testing.TB) *Network {
	n := &Network{starts: newThread(nil), number: networks.Add(1) % 250}
	t.Cleanup(n.starts.end)
	return n
}

// Namespaces reports whether hosts are network namespaces.
func (n *Network) Namespaces() bool { return n.bridge != nil }

// Host adds a host.
func (n *Network) Host(t testing.TB, name string) *Host {
	t.Helper()
	n.mu.Lock()
	defer n.mu.Unlock()
	number := len(n.hosts) + 1
	h := &Host{Name: name, network: n, doors: make(map[string]*Proxy)}
	n.hosts = append(n.hosts, h)
	if !n.Namespaces() {
		h.Address = fmt.Sprintf("127.%d.%d.%d", 10+os.Getpid()%200, n.number, number)
		return h
	}
	h.Address, h.port = fmt.Sprintf("10.77.0.%d", number), "port"+strconv.Itoa(number)
	h.thread = newThread(unshared)
	if h.thread.failed != nil {
		t.Fatal(h.thread.failed)
	}
	t.Cleanup(h.thread.end)
	for _, err := range []error{
		n.bridge.run("ip", "link", "add", h.port, "type", "veth", "peer", "name", "eth0", "netns", strconv.Itoa(h.thread.id)),
		n.bridge.run("ip", "link", "set", h.port, "master", "bridge", "up"),
		h.thread.run("ip", "address", "add", h.Address+"/24", "dev", "eth0"),
		h.thread.run("ip", "link", "set", "eth0", "up"),
		h.thread.run("ip", "link", "set", "lo", "up"),
	} {
		if err != nil {
			t.Fatalf("host %s: %v", name, err)
		}
	}
	return h
}

// note notes a proxy that is cut with either host.
func (n *Network) note(from, to *Host, p *Proxy) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.doors = append(n.doors, door{from, to, p})
}

// cut cuts a host off in a direction, or joins it.
func (n *Network) cut(t testing.TB, h *Host, d Direction, off bool) {
	t.Helper()
	if n.Namespaces() {
		// What a host sends goes out of its own end of the pair, what is sent to it out of
		// the bridge's.
		where, device := h.thread, "eth0"
		if d == In {
			where, device = n.bridge, h.port
		}
		length := "1000"
		if off {
			length = "0"
		}
		if err := where.run("tc", "qdisc", "replace", "dev", device, "root", "pfifo", "limit", length); err != nil {
			t.Fatal(err)
		}
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, one := range n.doors {
		if one.from == h {
			one.proxy.hold(d == Out, off)
		}
		if one.to == h {
			one.proxy.hold(d == In, off)
		}
	}
}

// run runs a program on the thread.
func (t *thread) run(args ...string) (err error) {
	t.do(func() {
		cmd := exec.Command(args[0], args[1:]...)
		if out, failed := cmd.CombinedOutput(); failed != nil {
			err = fmt.Errorf("%v: %w: %s", args, failed, out)
		}
	})
	return err
}

// unshared gives the thread that calls it a network namespace of its own.
func unshared() error {
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("unshare the network: %w (root may)", err)
	}
	return nil
}
