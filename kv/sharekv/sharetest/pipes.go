package sharetest

import (
	"context"
	"net"
	"sync"
	"syscall"

	"github.com/pawlkv/pawl/kv/sharekv"
)

// Pipes is a transport between the stores of one process. The zero value is
// ready.
type Pipes struct {
	mu     sync.Mutex
	owners map[string]*pipeListener // by directory
}

var _ sharekv.Transport = (*Pipes)(nil)

// Listen implements sharekv.Transport.
func (p *Pipes) Listen(place *sharekv.Place) (net.Listener, error) {
	l := &pipeListener{calls: make(chan net.Conn), closed: make(chan struct{})}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.owners == nil {
		p.owners = make(map[string]*pipeListener)
	}
	p.owners[place.Path] = l
	return l, nil
}

// Dial implements sharekv.Transport.
func (p *Pipes) Dial(ctx context.Context, dir string) (net.Conn, error) {
	p.mu.Lock()
	l := p.owners[dir]
	p.mu.Unlock()
	if l == nil {
		return nil, syscall.ECONNREFUSED
	}
	near, far := net.Pipe()
	select {
	case l.calls <- far:
		return near, nil
	case <-l.closed:
		return nil, syscall.ECONNREFUSED
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

type pipeListener struct {
	calls  chan net.Conn
	once   sync.Once
	closed chan struct{}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.calls:
		return conn, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *pipeListener) Addr() net.Addr { return pipeAddr{} }

type pipeAddr struct{}

func (pipeAddr) Network() string { return "pipe" }
func (pipeAddr) String() string  { return "pipe" }
