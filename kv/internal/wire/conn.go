package wire

import (
	"bufio"
	"context"
	"net"
	"sync"
	"time"

	"github.com/pawlkv/pawl/kv"
)

// conn is a server's side of a connection. Requests are read by one goroutine,
// which does at once what takes no time, and answered by one each.
//
// A get takes no time as a rule, and then the reader answers it: to wake up
// another goroutine for it takes longer. See atOnce for the exception.
type conn struct {
	server  *Server
	network net.Conn
	hello   Hello
	version uint64 // 0 before the welcome; changes under Server.mu
	ctx     context.Context
	cancel  context.CancelFunc
	ended   chan struct{} // closed when nothing runs any more

	sending sync.Mutex
	stall   time.Time // of the deadline for writing

	mu      sync.Mutex
	over    bool           // nothing begins any more
	running sync.WaitGroup // all that has begun
	cancels map[uint64]context.CancelFunc
	held    held
}

func newConn(s *Server, network net.Conn) *conn {
	ctx, cancel := context.WithCancel(context.Background())
	return &conn{
		server: s, network: network, ctx: ctx, cancel: cancel,
		ended:   make(chan struct{}),
		cancels: make(map[uint64]context.CancelFunc),
		held:    newHeld(),
	}
}

// welcome settles the version. It is over within the patience.
func (c *conn) welcome() error {
	s := c.server
	if err := c.network.SetReadDeadline(time.Now().Add(s.Patience)); err != nil {
		return err
	}
	payload, err := readFrame(c.network)
	if err != nil {
		return err
	}
	if c.hello, err = parseHello(payload); err != nil {
		return err
	}
	version, err := s.Versions.meet(c.hello.Versions)
	if err != nil {
		frame, _ := refusal(err)
		c.write(frame)
		return err
	}
	s.admit(c, version)
	frame, err := (&Welcome{Version: version, Store: s.ID, Epoch: s.Epoch, PID: s.PID}).frame()
	if err != nil {
		return err
	}
	c.write(frame)
	return c.network.SetReadDeadline(time.Time{})
}

// read begins what the client asks for until the connection ends.
func (c *conn) read() error {
	reader := &requests{c, bufio.NewReaderSize(c.network, 64<<10), make(chan error, 1)}
	reader.read()
	return <-reader.ended
}

// requests are what a client asks for, in its order. One goroutine reads them
// at any time.
type requests struct {
	*conn
	buffered *bufio.Reader
	ended    chan error // gets why nothing more comes
}

// read returns when nothing more comes, or when another goroutine reads on.
func (q *requests) read() {
	for {
		r, err := q.next()
		if err != nil {
			q.ended <- err
			return
		}
		if !q.begin(r) {
			return
		}
	}
}

// next returns a request that counts as running.
func (q *requests) next() (*request, error) {
	payload, err := readFrame(q.buffered)
	if err != nil {
		return nil, err
	}
	r, err := parseRequest(payload)
	if err != nil {
		return nil, err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.over {
		return nil, errClosing
	}
	q.running.Add(1)
	return r, nil
}

// begin starts what a request asks for, and reports whether the caller still is
// the one who reads.
func (q *requests) begin(r *request) (still bool) {
	switch r.op {
	case opClose, opRelease, opMore, opCancel, opPing:
		q.note(r)
		q.running.Done()
	case opTurn:
		q.inOrder(r)
	case opGet:
		return q.atOnce(r, q.handler(r))
	default:
		q.start(r, q.handler(r))
	}
	return true
}

// slow is when a get takes time after all: from then on somebody else reads what
// comes behind it, a ping perhaps.
const slow = 10 * time.Millisecond

// atOnce runs a handler like start, but in the reader's goroutine. It reports
// false if another reads meanwhile.
func (q *requests) atOnce(r *request, handle func(ctx context.Context)) (still bool) {
	ctx, cancel := context.WithCancel(q.ctx)
	q.mu.Lock()
	q.cancels[r.number] = cancel
	q.mu.Unlock()
	defer q.running.Done()
	defer q.forget(r.number, cancel)
	successor := time.AfterFunc(slow, q.read)
	handle(ctx)
	return successor.Stop()
}

// start runs a handler, which ends with a call of c.send, in a goroutine.
func (c *conn) start(r *request, handle func(ctx context.Context)) {
	ctx, cancel := context.WithCancel(c.ctx)
	c.mu.Lock()
	c.cancels[r.number] = cancel
	c.mu.Unlock()
	go func() {
		defer c.running.Done()
		defer c.forget(r.number, cancel)
		handle(ctx)
	}()
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
	c.cancel()
	c.network.Close()
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
	c.sending.Lock()
	defer c.sending.Unlock()
	if patience := c.server.Patience; time.Until(c.stall) < patience {
		c.stall = time.Now().Add(2 * patience) // set anew now and then: it is not free
		if c.network.SetWriteDeadline(c.stall) != nil {
			return
		}
	}
	if _, err := c.network.Write(frame); err != nil {
		c.network.Close()
	}
}

func (c *conn) sendError(number uint64, err error) {
	o := answer(number, failed, 4)
	o.error(err)
	c.send(o)
}

func (c *conn) sendVersion(number uint64, version kv.Version) {
	o := answer(number, answered, 1)
	o.version(version)
	c.send(o)
}
