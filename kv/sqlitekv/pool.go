package sqlitekv

import (
	"errors"
	"sync"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/internal/latest"
)

// maxIdle bounds the connections that are kept for the next reads. Each takes
// about 0.3 MB, and opening one about 0.4 ms.
const maxIdle = 8

// pool has the connections that are read through, one for each call.
type pool struct {
	path    string
	set     *settings
	readers readers
	latest  *latest.Entries
	index   indexHead
	writer  *committer // whose connection is lent, too; nil: there is none

	mu      sync.Mutex
	closed  bool
	opening int // counts how often the files were let go of, from 1 on
	idle    []*conn
	used    *sync.WaitGroup // connections of this opening
}

func newPool(path string, set *settings) *pool {
	return &pool{path: path, set: set, readers: readers{path: path}, latest: latest.New(0), opening: 1, used: new(sync.WaitGroup)}
}

// get returns a connection, and of which opening it is. That of the committer has read
// what it has written: others read the pages that are in many commits again after each.
func (p *pool) get() (c *conn, opening int, err error) {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil, 0, kv.ErrClosed
	}
	opening, used := p.opening, p.used
	used.Add(1)
	if c = p.writer.lend(); c != nil {
		p.mu.Unlock()
		c.done = used.Done
		return c, opening, nil
	}
	if n := len(p.idle); n > 0 {
		c = p.idle[n-1]
		p.idle = p.idle[:n-1]
	}
	p.mu.Unlock()
	if c == nil {
		if c, err = openConn(p.path, p.set); err != nil {
			used.Done()
			return nil, 0, err
		}
	}
	c.done = used.Done
	return c, opening, nil
}

// put takes a connection back; one that is not usable, or of an earlier opening,
// is closed.
func (p *pool) put(c *conn, opening int, usable bool) {
	defer c.done()
	if c.lent {
		p.writer.takeBack(usable)
		return
	}
	p.mu.Lock()
	if usable && !p.closed && opening == p.opening && len(p.idle) < maxIdle {
		p.idle = append(p.idle, c)
		p.mu.Unlock()
		return
	}
	p.mu.Unlock()
	c.close()
}

// state returns what the next connection will be of, and whether there is none.
func (p *pool) state() (opening int, closed bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.opening, p.closed
}

func (p *pool) isClosed() bool {
	_, closed := p.state()
	return closed
}

// drain ends the views, waits for the reads that are under way and closes the
// connections; with closed, for good.
func (p *pool) drain(closed bool) error {
	p.mu.Lock()
	p.closed = p.closed || closed
	p.opening++
	idle, used := p.idle, p.used
	p.idle, p.used = nil, new(sync.WaitGroup)
	p.mu.Unlock()
	var err error
	for _, c := range idle {
		err = errors.Join(err, c.close())
	}
	used.Wait()
	p.latest.Newest(0) // nothing holds the files: they may become others
	p.readers.close()
	return err
}
