package hs

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/pawlkv/pawl/matrix"
)

// Server is a homeserver that listens.
type Server struct {
	front
	name    string
	address string

	mu       sync.Mutex // guards all below; no request holds it while it waits
	listener *http.Server
	closing  context.CancelFunc // ends what waits, when the server stops
	running  context.Context
	now      func() time.Time
	position int64         // of the last thing that happened
	moved    chan struct{} // closed when the position grows
	users    map[matrix.UserID]*user
	tokens   map[string]*device
	rooms    map[matrix.RoomID]*room
	down     map[string]bool // servers that do not answer
	done     map[transaction]finished
	services []*service
	idled    chan struct{} // closed when a request begins to wait for news
}

// Start returns a server of that name that listens on a free port of this machine.
func Start(name string) (*Server, error) {
	s := &Server{
		name: name, address: "127.0.0.1:0", now: time.Now, moved: make(chan struct{}), idled: make(chan struct{}),
		users: map[matrix.UserID]*user{}, tokens: map[string]*device{}, rooms: map[matrix.RoomID]*room{},
		down: map[string]bool{}, done: map[transaction]finished{},
	}
	return s, s.listen()
}

// listen begins to take requests, where the server listened before.
func (s *Server) listen() error {
	l, err := net.Listen("tcp", s.address)
	if err != nil {
		return fmt.Errorf("hs: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.address = l.Addr().String()
	s.running, s.closing = context.WithCancel(context.Background())
	running := s.running // what waits for a request ends with the server
	s.listener = &http.Server{Handler: routes(s.handle), ReadHeaderTimeout: time.Minute, BaseContext: func(net.Listener) context.Context { return running }}
	go func(h *http.Server) { _ = h.Serve(l) }(s.listener) // it ends with Close
	return nil
}

// URL is where clients find the server. It stays the same when it restarts.
func (s *Server) URL() string { return "http://" + s.address }

// Name is the part of user ids after the colon.
func (s *Server) Name() string { return s.name }

// Close ends the server, and with it every request that is under way.
func (s *Server) Close() error {
	s.mu.Lock()
	listener, closing := s.listener, s.closing
	s.listener = nil
	s.mu.Unlock()
	if listener == nil {
		return nil
	}
	closing()
	return listener.Close()
}

// Restart ends the server and starts it again at the same place. It forgets what
// servers keep in memory: transaction ids, and the positions of sliding syncs.
func (s *Server) Restart() error {
	err := s.Close()
	s.ForgetTransactions()
	s.ForgetPositions()
	return errors.Join(err, s.listen())
}

// SetClock makes the server take times from now, for what expires.
func (s *Server) SetClock(now func() time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = now
}

// Down makes users of another server unreachable: queries and claims for them end
// as failures, until Up.
func (s *Server) Down(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down[name] = true
}

// Up ends Down.
func (s *Server) Up(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.down, name)
}

// next is the position of something that happens now. It wakes who waits. The
// caller holds the lock.
func (s *Server) next() int64 {
	s.position++
	close(s.moved)
	s.moved = make(chan struct{})
	return s.position
}
