//go:build linux

package fleet

import (
	"bytes"
	"net"
	"slices"
	"sync"
	"testing"
	"time"
)

// Proxy is a place on the way of connections to an address, which delays what they carry,
// holds it, or cuts them. Its methods may be called from any number of goroutines.
type Proxy struct {
	Address string // to connect to

	listener net.Listener
	dial     func() (net.Conn, error)

	mu      sync.Mutex
	changed chan struct{} // closed when anything below changes
	up      bool          // what goes to the server is held
	down    bool
	delay   time.Duration // of each piece, in each direction
	open    []*passage
	next    []byte // what the next connection has in what it sends that is held from there
	late    int64  // bytes that reached the server after they were held
}

// passage is a connection through a proxy.
type passage struct {
	client, server net.Conn
	held           bool // beside what is held for all
	waits          bool // something that it has sent
}

// NewProxy makes a proxy on a host for an address, for one test.
func NewProxy(t testing.TB, on *Host, to string) *Proxy {
	t.Helper()
	listener, err := on.Listen(0)
	if err != nil {
		t.Fatal(err)
	}
	p := newProxy(listener, func() (net.Conn, error) { return on.Dial(net.Dialer{Timeout: connectTimeout}, "tcp", to) })
	t.Cleanup(p.close)
	return p
}

// connectTimeout is how long a proxy tries to reach the server.
const connectTimeout = 5 * time.Second

func newProxy(listener net.Listener, dial func() (net.Conn, error)) *Proxy {
	p := &Proxy{Address: listener.Addr().String(), listener: listener, dial: dial, changed: make(chan struct{})}
	go p.accept()
	return p
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		go p.pass(client)
	}
}

func (p *Proxy) close() {
	p.listener.Close()
	p.Cut()
	p.Release()
}

// pass connects a client to the server, until either is gone and nothing of it is held.
func (p *Proxy) pass(client net.Conn) {
	server, err := p.dial()
	if err != nil {
		client.Close()
		return
	}
	c := &passage{client: client, server: server}
	p.change(func() { p.open = append(p.open, c) })
	var both sync.WaitGroup
	both.Go(func() { p.copy(c, server, client, true) })
	both.Go(func() { p.copy(c, client, server, false) })
	both.Wait()
	client.Close()
	server.Close()
	p.change(func() { p.open = slices.DeleteFunc(p.open, func(o *passage) bool { return o == c }) })
}

// copy carries one direction: what was taken from a side that is gone gets to the other all
// the same.
func (p *Proxy) copy(c *passage, to, from net.Conn, up bool) {
	type piece struct {
		bytes []byte
		came  time.Time
	}
	pieces := make(chan piece, 1<<10)
	go func() {
		defer close(pieces)
		for {
			bytes := make([]byte, 32<<10)
			n, err := from.Read(bytes)
			if n > 0 {
				pieces <- piece{bytes[:n], time.Now()}
			}
			if err != nil {
				return
			}
		}
	}()
	for one := range pieces {
		if up {
			p.look(c, one.bytes)
		}
		late := p.await(c, up, one.came)
		if _, err := to.Write(one.bytes); err != nil {
			break
		}
		if late {
			p.change(func() { p.late += int64(len(one.bytes)) })
		}
	}
	if half, ok := to.(*net.TCPConn); ok {
		_ = half.CloseWrite()
	}
	for range pieces { // nobody takes them any more
	}
}

// look holds a connection if what it sends is what was waited for.
func (p *Proxy) look(c *passage, piece []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.next != nil && bytes.Contains(piece, p.next) {
		p.next, c.held = nil, true
	}
}

// await waits until what came has been on its way for the delay, and while a direction is
// held. It reports whether this connection alone was.
func (p *Proxy) await(c *passage, up bool, came time.Time) (late bool) {
	p.mu.Lock()
	delay := time.Until(came.Add(p.delay))
	p.mu.Unlock()
	if delay > 0 {
		<-time.After(delay)
	}
	for {
		p.mu.Lock()
		held, changed := (up && (p.up || c.held)) || (!up && p.down), p.changed
		if up {
			c.waits = held
			late = late || c.held
		}
		p.mu.Unlock()
		if !held {
			return late
		}
		<-changed
	}
}

func (p *Proxy) change(fn func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fn()
	close(p.changed)
	p.changed = make(chan struct{})
}

// hold holds what goes to the server, or what comes from it, of all connections.
func (p *Proxy) hold(up, held bool) {
	p.change(func() {
		if up {
			p.up = held
		} else {
			p.down = held
		}
	})
}

// Delay makes all that is sent take so long in each direction.
func (p *Proxy) Delay(d time.Duration) { p.change(func() { p.delay = d }) }

// HoldOpen holds what the connections that there are send from now on, and returns how many
// there are. Those that are made later pass.
func (p *Proxy) HoldOpen() (held int) {
	p.change(func() {
		for _, c := range p.open {
			c.held = true
		}
		held = len(p.open)
	})
	return held
}

// HoldNext holds the next connection that sends a text, from there on. Others pass.
func (p *Proxy) HoldNext(text string) { p.change(func() { p.next = []byte(text) }) }

// Release lets pass what is held, also of connections whose client is gone: it reaches the
// server after what came later. It returns how many connections had sent something that was
// held for them alone.
func (p *Proxy) Release() (late int) {
	p.change(func() {
		p.up, p.down, p.next = false, false, nil
		for _, c := range p.open {
			if c.held && c.waits {
				late++
			}
			c.held = false
		}
	})
	return late
}

// AwaitLate returns when so many bytes have reached the server late, or no connection is
// left.
func (p *Proxy) AwaitLate(bytes int64) {
	for {
		p.mu.Lock()
		over := p.late >= bytes || len(p.open) == 0
		changed := p.changed
		p.mu.Unlock()
		if over {
			return
		}
		<-changed
	}
}

// Late returns how many bytes have reached the server after the connection that they are of
// was held.
func (p *Proxy) Late() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.late
}

// Cut cuts all connections, and what they hold is lost.
func (p *Proxy) Cut() {
	p.change(func() {
		for _, c := range p.open {
			c.held = false
			c.client.Close()
			c.server.Close()
		}
	})
}
