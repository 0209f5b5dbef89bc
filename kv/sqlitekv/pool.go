package sqlitekv

import (
	"errors"
	"sync"

	"github.com/pawlkv/pawl/kv"
)

// maxIdle bounds the connections that are kept for the next snapshots. Each
// takes about 0.3 MB, and opening one about 0.4 ms.
const maxIdle = 8

// pool has the connections that snapshots read through, one each.
type pool struct {
	path string
	set  *settings

	mu     sync.Mutex
	closed bool
	idle   []*conn
	views  map[*snapshot]struct{} // that have a connection
}

func newPool(path string, set *settings) *pool {
	return &pool{path: path, set: set, views: make(map[*snapshot]struct{})}
}

// get returns a connection for a snapshot.
func (p *pool) get(view *snapshot) (*conn, error) {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil, kv.ErrClosed
	}
	p.views[view] = struct{}{}
	if n := len(p.idle); n > 0 {
		c := p.idle[n-1]
		p.idle = p.idle[:n-1]
		p.mu.Unlock()
		return c, nil
	}
	p.mu.Unlock()
	c, err := openConn(p.path, p.set)
	if err != nil {
		p.forget(view)
		return nil, err
	}
	return c, nil
}

func (p *pool) forget(view *snapshot) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.views, view)
}

// put takes a connection back; one that is not usable is closed.
func (p *pool) put(view *snapshot, c *conn, usable bool) error {
	p.mu.Lock()
	delete(p.views, view)
	if usable && !p.closed && len(p.idle) < maxIdle {
		p.idle = append(p.idle, c)
		p.mu.Unlock()
		return nil
	}
	p.mu.Unlock()
	return c.close()
}

func (p *pool) isClosed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.closed
}

// drain ends the snapshots and closes the connections; with closed, for good.
func (p *pool) drain(closed bool) error {
	p.mu.Lock()
	p.closed = p.closed || closed
	var views []*snapshot
	for view := range p.views {
		views = append(views, view)
	}
	p.mu.Unlock()
	for _, view := range views {
		view.expire()
	}
	p.mu.Lock()
	idle := p.idle
	p.idle = nil
	p.mu.Unlock()
	var err error
	for _, c := range idle {
		err = errors.Join(err, c.close())
	}
	return err
}
