//go:build linux

package fleet

import (
	"bufio"
	"fmt"
	"net"
	"testing"
	"time"
)

// each runs a test on each kind of network, or on one twice.
func each(t *testing.T, test func(*testing.T, *Network)) {
	t.Run("namespaces", func(t *testing.T) { test(t, New(t)) })
	t.Run("proxies", func(t *testing.T) { test(t, NewOfProxies(t)) })
}

// pair is two hosts of a network, of which the second echoes lines.
func pair(t *testing.T, n *Network) (client, server *Host, address string) {
	t.Helper()
	client, server = n.Host(t, "client"), n.Host(t, "server")
	l, err := server.Listen(7)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go echo(l)
	return client, server, client.Door(t, server, 7)
}

func echo(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer conn.Close()
			for lines := bufio.NewReader(conn); ; {
				line, err := lines.ReadString('\n')
				if err != nil {
					return
				}
				fmt.Fprint(conn, line)
			}
		}()
	}
}

// line is a connection of a client that says numbers and hears them.
type line struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Reader
}

func connect(t *testing.T, from *Host, address string) line {
	t.Helper()
	conn, err := from.Dial(net.Dialer{Timeout: patience}, "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return line{t, conn, bufio.NewReader(conn)}
}

const (
	patience = 20 * time.Second
	// silence is for how long nothing may come from a host that is cut off: longer than the
	// network takes for anything.
	silence = 300 * time.Millisecond
)

func (l line) says(n int) {
	l.t.Helper()
	if _, err := fmt.Fprintf(l.conn, "%d\n", n); err != nil {
		l.t.Fatal(err)
	}
}

// hears checks that a number comes.
func (l line) hears(n int) {
	l.t.Helper()
	_ = l.conn.SetReadDeadline(time.Now().Add(patience))
	if got, err := l.in.ReadString('\n'); err != nil || got != fmt.Sprintf("%d\n", n) {
		l.t.Fatalf("heard %q, %v; want %d", got, err, n)
	}
}

// hearsNothing checks that nothing comes for a while.
func (l line) hearsNothing(when string) {
	l.t.Helper()
	_ = l.conn.SetReadDeadline(time.Now().Add(silence))
	if got, err := l.in.ReadString('\n'); err == nil {
		l.t.Fatalf("%s: heard %q", when, got)
	}
}

// TestCutOff: nothing gets through to a host that is cut off, in either direction, and all
// does when it is joined again.
func TestCutOff(t *testing.T) {
	each(t, func(t *testing.T, network *Network) {
		client, server, address := pair(t, network)
		n := 0
		for _, host := range []*Host{client, server} {
			for _, d := range []Direction{Out, In} {
				l := connect(t, client, address)
				n++
				l.says(n)
				l.hears(n)
				host.Cut(t, d)
				n++
				l.says(n)
				l.hearsNothing(host.Name + " is cut off " + string(d))
				host.Join(t)
				l.hears(n)
			}
		}
	})
}

// TestProcessOnHost: a process on a host is in its network alone.
func TestProcessOnHost(t *testing.T) {
	n := New(t)
	client, server, _ := pair(t, n)
	if !n.Namespaces() {
		t.Skip("without network namespaces, all hosts have one network")
	}
	for _, h := range []*Host{client, server} {
		if out, err := h.output("hostname", "-I"); err != nil || out != h.Address {
			t.Errorf("%s has %q, %v; want %q", h.Name, out, err, h.Address)
		}
	}
}

// TestLateBytes: what a connection has sent that is held reaches the server after its
// client has gone, and after what its successor has sent.
func TestLateBytes(t *testing.T) {
	n := New(t)
	client, server := n.Host(t, "client"), n.Host(t, "server")
	l, err := server.Listen(7)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	lines := make(chan string)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				for in := bufio.NewScanner(conn); in.Scan(); {
					lines <- in.Text()
				}
			}()
		}
	}()
	p := NewProxy(t, client, client.Door(t, server, 7))
	said := func(want string) {
		t.Helper()
		select {
		case got := <-lines:
			if got != want {
				t.Fatalf("the server hears %q, want %q", got, want)
			}
		case <-time.After(patience):
			t.Fatalf("the server does not hear %q", want)
		}
	}
	first := connect(t, client, p.Address)
	first.says(1)
	said("1")
	if held := p.HoldOpen(); held != 1 {
		t.Fatalf("%d connections are held, want 1", held)
	}
	first.says(2)
	first.conn.Close()
	second := connect(t, client, p.Address)
	second.says(3)
	said("3")
	if held := p.Release(); held != 1 {
		t.Errorf("%d connections had sent something that was held, want 1", held)
	}
	said("2")
	p.AwaitLate(2)
	if late := p.Late(); late != 2 {
		t.Errorf("%d bytes were late, want 2", late)
	}
}

// TestDelayAndCut: a proxy delays, and cuts what it has taken.
func TestDelayAndCut(t *testing.T) {
	client, _, address := pair(t, New(t))
	p := NewProxy(t, client, address)
	p.Delay(20 * time.Millisecond)
	l := connect(t, client, p.Address)
	began := time.Now()
	l.says(1)
	l.hears(1)
	if took := time.Since(began); took < 40*time.Millisecond {
		t.Errorf("there and back took %v, with 20 ms each way", took)
	}
	p.Cut()
	_ = l.conn.SetReadDeadline(time.Now().Add(patience))
	if _, err := l.in.ReadString('\n'); err == nil {
		t.Error("a connection that was cut goes on")
	}
}
