package wire

import (
	"context"
	"net"
	"sync"
	"time"

	"github.com/pawlkv/pawl/kv"
)

// conn is a server's side of a connection. Requests are read by one goroutine,
// which does at once what takes no time, and answered by one each.
type conn struct {
	server  *Server
	network net.Conn
	frames  *frames
	hello   Hello
	version uint64 // 0 before the welcome; changes under Server.mu
	ctx     context.Context
	cancel  context.CancelFunc
	ended   chan struct{} // closed when nothing runs any more

	sending  chan struct{} // has a token while somebody writes
	deadline time.Time     // for writing

	mu      sync.Mutex
	over    bool           // nothing begins any more
	running sync.WaitGroup // all that has begun
	cancels map[uint64]context.CancelFunc
	held    held
}

func newConn(s *Server, network net.Conn) *conn {
	ctx, cancel := context.WithCancel(context.Background())
	return &conn{
		server: s, network: network, frames: newFrames(network), ctx: ctx, cancel: cancel,
		ended:   make(chan struct{}),
		sending: make(chan struct{}, 1),
		cancels: make(map[uint64]context.CancelFunc),
		held:    newHeld(),
	}
}

// welcome agrees on the version. It is over within the patience.
func (c *conn) welcome() error {
	s := c.server
	if err := c.network.SetReadDeadline(time.Now().Add(s.Patience)); err != nil {
		return err
	}
	payload, err := c.frames.next()
	if err != nil {
		return err
	}
	if c.hello, err = parseHello(payload); err != nil {
		return err
	}
	version, err := s.admit(c)
	if err != nil {
		frame, _ := refusal(err)
		c.write(frame)
		return err
	}
	frame, err := (&Welcome{Version: version, Store: s.ID, Term: s.Term, PID: s.PID}).frame()
	if err != nil {
		return err
	}
	c.write(frame)
	return c.network.SetReadDeadline(time.Time{})
}

// start runs a handler, which ends with a call of c.send, in a goroutine.
func (c *conn) start(r *request, handle func(ctx context.Context)) {
	ctx, cancel := context.WithCancel(c.ctx)
	c.register(r, cancel)
	go func() {
		defer c.running.Done()
		defer c.forget(r.number, cancel)
		handle(ctx)
	}()
}

// register lets the client cancel a request.
func (c *conn) register(r *request, cancel context.CancelFunc) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cancels[r.number] = cancel
}

func (c *conn) forget(number uint64, cancel context.CancelFunc) {
	cancel()
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.cancels, number)
}

// drain lets nothing begin any more and waits for what has, so that the client
// gets its answers, then ends the connection.
func (c *conn) drain() {
	c.mu.Lock()
	c.over = true
	c.held.stop()
	c.mu.Unlock()
	c.running.Wait()
	c.end()
}

// end ends the connection and everything it holds. Ending twice is harmless.
func (c *conn) end() {
	c.mu.Lock()
	c.over = true
	c.mu.Unlock()
	c.network.Close() // first: what is cancelled now is not answered any more
	c.cancel()
	c.held.release()
}

// send writes a frame. A client that takes nothing for too long loses its
// connection; the reader notices.
func (c *conn) send(o *out) {
	frame, err := o.frame()
	if err != nil {
		c.network.Close()
		return
	}
	c.write(frame)
}

func (c *conn) write(frame []byte) {
	c.sending <- struct{}{}
	defer func() { <-c.sending }()
	if patience := c.server.Patience; time.Until(c.deadline) < patience {
		c.deadline = time.Now().Add(2 * patience) // set anew now and then: it is not free
		if c.network.SetWriteDeadline(c.deadline) != nil {
			return
		}
	}
	if _, err := c.network.Write(frame); err != nil {
		c.network.Close()
	}
}

func (c *conn) sendError(number uint64, err error) {
	o := answer(number, failed, 4)
	o.error(err, c.version)
	c.send(o)
}

func (c *conn) sendOutcome(number uint64, version kv.Version, err error) {
	if err != nil {
		c.sendError(number, err)
		return
	}
	o := answer(number, answered, 1)
	o.version(version)
	c.send(o)
}
