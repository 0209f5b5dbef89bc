package wire

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/pawlkv/pawl/kv"
)

// Store is what a server serves.
type Store interface {
	kv.Store
	// Flatten erases what was deleted; see the engine's documentation.
	Flatten(ctx context.Context) error
	kv.Raiser
}

// Service says what is served, and how.
type Service struct {
	Store    kv.Store // a Store if it can flatten
	ID       ID
	Term     uint64
	PID      int
	Versions Versions      // zero means Spoken
	Patience time.Duration // with a client that takes no answers
	Logger   *slog.Logger  // nil is none
}

// Server answers connections. Its methods may be called from any number of
// goroutines.
type Server struct {
	Service

	mu     sync.Mutex
	closed bool
	barred uint64 // the oldest version that was spoken before BarFormat1
	conns  map[*conn]struct{}
	wg     sync.WaitGroup // of conns
}

// DefaultPatience is how long a side that should answer may be silent.
const DefaultPatience = 5 * time.Second

// NewServer returns a server without connections.
func NewServer(service Service) *Server {
	if service.Versions == (Versions{}) {
		service.Versions = Spoken
	}
	if service.Patience <= 0 {
		service.Patience = DefaultPatience
	}
	if service.Logger == nil {
		service.Logger = slog.New(slog.DiscardHandler)
	}
	return &Server{Service: service, conns: make(map[*conn]struct{})}
}

// Serve answers a connection until it ends, and closes it.
func (s *Server) Serve(network net.Conn) {
	c, ok := s.add(network)
	if !ok {
		network.Close()
		return
	}
	defer s.wg.Done()
	err := c.welcome()
	if err == nil {
		err = c.read()
	}
	c.end()
	c.running.Wait()
	c.held.release() // what was opened while it ended
	s.mu.Lock()
	delete(s.conns, c)
	s.mu.Unlock()
	close(c.ended)
	s.Logger.Debug("a connection to the store has ended", slog.Int("pid", c.hello.PID), slog.Any("error", err))
}

func (s *Server) add(network net.Conn) (*conn, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, false
	}
	c := newConn(s, network)
	s.conns[c] = struct{}{}
	s.wg.Add(1)
	return c, true
}

// Close ends all connections and returns when all that they were doing is
// over. What was not answered by then has had no effect unless the store says
// that it is unknown: close the store first, so that waiting calls return.
func (s *Server) Close() {
	s.mu.Lock()
	s.closed = true
	conns := make([]*conn, 0, len(s.conns))
	for c := range s.conns {
		conns = append(conns, c)
	}
	s.mu.Unlock()
	// All at once: a client that takes nothing is waited for, and there may be many.
	var drains sync.WaitGroup
	for _, c := range conns {
		drains.Go(c.drain)
	}
	drains.Wait()
	s.wg.Wait()
}

// Clients returns how many clients are connected, and the newest version of
// the protocol that all of them speak: what a program does that the version
// before cannot read waits until it is the program's own.
func (s *Server) Clients() (n int, version uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	version = s.Versions.Newest
	for c := range s.conns {
		if c.version != 0 {
			n++
			version = min(version, c.version)
		}
	}
	return n, version
}

// admit makes c the connection of its client, in the version that it returns. It
// ends the earlier ones, and returns when nothing that came over them can have
// an effect any more.
func (s *Server) admit(c *conn) (version uint64, err error) {
	for {
		earlier, err := s.register(c)
		if earlier == nil || err != nil {
			return c.version, err
		}
		s.Logger.Debug("a client has connected again: its earlier connection ends", slog.Int("pid", c.hello.PID))
		earlier.end()
		<-earlier.ended
		c.held.inherit(&earlier.held)
	}
}

// register admits c, or returns another connection of the client.
func (s *Server) register(c *conn) (earlier *conn, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	version, err := s.Versions.meet(c.hello.Versions)
	if err != nil {
		return nil, err
	}
	for other := range s.conns {
		if other != c && other.version != 0 && other.hello.Client == c.hello.Client {
			return other, nil
		}
	}
	c.version = version
	return nil, nil
}

// BarFormat1 lets no program in any more that cannot read kv.Format2, unless one
// is connected: then it returns false.
func (s *Server) BarFormat1() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		if c.version != 0 && c.version < versionFormats {
			return false
		}
	}
	s.barred = s.Versions.Oldest
	s.Versions.Oldest = max(s.Versions.Oldest, versionFormats)
	return true
}

// AdmitFormat1 undoes BarFormat1.
func (s *Server) AdmitFormat1() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.Versions.Oldest = s.barred
}

var errClosing = errors.New("wire: the server is closing")
