package wire

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/pawlkv/pawl/kv"
)

// Settings are a client's.
type Settings struct {
	Client   ID // the same for all connections of one client
	PID      int
	Limits   kv.Limits     // of the store; zero means kv.Embedded
	Versions Versions      // zero means Spoken
	Patience time.Duration // with a server that says nothing; 0 means DefaultPatience
	Grace    time.Duration // for the answer to a call that was taken back; 0 means DefaultGrace
}

// DefaultGrace is how long a commit whose context has ended waits to hear
// whether it was applied.
const DefaultGrace = time.Second

// Client is a kv.Store at the other end of a connection. When the connection
// ends, calls return ErrGone beside what the contract says, those on snapshots
// that were read from too; see there. It does not connect again. Its methods may be called from any number of goroutines.
type Client struct {
	Settings
	network net.Conn
	Welcome Welcome

	writing  chan struct{} // has a token while somebody writes
	deadline time.Time     // for writing; changes while writing has the token
	closings closings
	closing  chan struct{}
	over     chan struct{} // closed when the connection has ended
	reading  reading
	calls    sync.WaitGroup

	start time.Time

	mu      sync.Mutex
	closed  bool
	cause   error  // why the connection has ended
	numbers uint64 // the last that was given to a request or snapshot
	pending map[uint64]*waiter
	pulsing bool // pulse will run
}

var _ Store = (*Client)(nil)

// Connect says hello over a connection, which is the client's from now on. It
// takes as long as the patience at most, and less if ctx ends. Errors are
// kv.ErrUnavailable, or ErrVersion, which does not pass by waiting.
func Connect(ctx context.Context, network net.Conn, settings Settings) (*Client, error) {
	if settings.Limits == (kv.Limits{}) {
		settings.Limits = kv.Embedded()
	}
	if settings.Versions == (Versions{}) {
		settings.Versions = Spoken
	}
	if settings.Patience <= 0 {
		settings.Patience = DefaultPatience
	}
	if settings.Grace <= 0 {
		settings.Grace = DefaultGrace
	}
	c := &Client{
		Settings: settings, network: network, start: time.Now(),
		writing: make(chan struct{}, 1), closing: make(chan struct{}), over: make(chan struct{}),
		pending: make(map[uint64]*waiter), reading: newReading(network),
	}
	stop := context.AfterFunc(ctx, func() { network.SetDeadline(past) })
	err := c.hello()
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		network.Close()
		if !errors.Is(err, kv.ErrUnavailable) && !errors.Is(err, kv.ErrNewer) {
			err = fmt.Errorf("%w: %w", kv.ErrUnavailable, err)
		}
		return nil, err
	}
	c.stopReading()
	return c, nil
}

func (c *Client) hello() error {
	if err := c.network.SetDeadline(time.Now().Add(c.Patience)); err != nil {
		return err
	}
	frame, err := (&Hello{Versions: c.Versions, Client: c.Client, PID: c.PID}).frame()
	if err != nil {
		return err
	}
	if _, err := c.network.Write(frame); err != nil {
		return err
	}
	payload, err := c.reading.frames.next()
	if err != nil {
		return err
	}
	if c.Welcome, err = parseWelcome(payload); err != nil {
		return err
	}
	if v := c.Welcome.Version; v < c.Versions.Oldest || v > c.Versions.Newest {
		return fmt.Errorf("%w (welcomed with version %d)", ErrVersion, v)
	}
	return c.network.SetDeadline(time.Time{})
}

// fail ends the connection; the first cause stays.
func (c *Client) fail(cause error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cause == nil {
		c.cause = cause
		close(c.over)
	}
	c.network.Close()
}

// Over is closed when the connection has ended.
func (c *Client) Over() <-chan struct{} { return c.over }

// end returns why the connection has ended, nil if it has not.
func (c *Client) end() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cause
}

// gone returns why a request has had no effect: the connection has ended. If it
// has not, gone returns nil.
func (c *Client) gone() error {
	if cause := c.end(); cause != nil {
		return fmt.Errorf("%w: %w", kv.ErrUnavailable, cause)
	}
	return nil
}

// Close implements kv.Store. It takes back what is outstanding and waits, for
// the grace at most, to hear what became of it.
func (c *Client) Close() error {
	c.mu.Lock()
	if !c.closed {
		c.closed = true
		close(c.closing)
	}
	c.mu.Unlock()
	c.interrupt()
	c.calls.Wait()
	c.fail(ErrGone)
	c.awaitReader()
	return nil
}

// enter counts a call, unless the store is closed.
func (c *Client) enter() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return kv.ErrClosed
	}
	c.calls.Add(1)
	return nil
}
