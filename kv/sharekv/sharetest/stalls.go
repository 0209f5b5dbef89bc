package sharetest

import (
	"context"
	"errors"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/pawlkv/pawl/kv/sharekv"
)

// Stall is where what two processes say to each other stops. Bytes count from
// when it begins.
type Stall struct {
	Up, Down int  // how many bytes the owner and the guest still get
	Full     bool // nobody takes more, as where a socket's buffer is full; else it is taken and lies there
	Gone     bool // the connection ends with the first byte more, and nobody answers another
	Deaf     bool // nobody takes another connection either: to dial waits
}

// All is for a direction that goes on.
const All = 1 << 30

// Stalls is a transport between stores of one process that stops on demand, as if
// the owner, or a guest, were frozen or gone. What was taken arrives when it goes
// on, also if whoever sent it has given up by then. The zero value is ready.
type Stalls struct {
	Pipes

	mu    sync.Mutex
	now   *Stall // nil: nothing stops
	lines map[*line]struct{}
}

var _ sharekv.Transport = (*Stalls)(nil)

// Begin stops all connections as told. Those made while it lasts get nothing
// through: what is sent is taken, and lies there.
func (s *Stalls) Begin(stall Stall) { s.set(&stall) }

// End lets everything go on.
func (s *Stalls) End() { s.set(nil) }

func (s *Stalls) set(stall *Stall) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = stall
	for l := range s.lines {
		l.set(stall)
	}
}

// Dial implements sharekv.Transport.
func (s *Stalls) Dial(ctx context.Context, dir string) (net.Conn, error) {
	stall := s.current()
	switch {
	case stall == nil:
	case stall.Gone:
		return nil, syscall.ECONNREFUSED
	case stall.Deaf:
		<-ctx.Done()
		return nil, ctx.Err()
	}
	far, err := s.Pipes.Dial(ctx, dir)
	if err != nil {
		return nil, err
	}
	near, inner := net.Pipe()
	l := &line{owner: s, up: newFlow(inner, far), down: newFlow(far, inner)}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lines == nil {
		s.lines = make(map[*line]struct{})
	}
	s.lines[l] = struct{}{}
	if s.now != nil {
		l.set(&Stall{})
	}
	var flows sync.WaitGroup
	for _, f := range []*flow{l.up, l.down} {
		go f.take()
		flows.Go(f.give)
	}
	go func() { flows.Wait(); l.leave() }()
	return near, nil
}

func (s *Stalls) current() *Stall {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

// line is a connection, with what is on its way.
type line struct {
	owner    *Stalls
	up, down *flow
}

func (l *line) set(stall *Stall) {
	if stall == nil {
		stall = &Stall{Up: All, Down: All}
	}
	l.up.set(stall.Up, stall)
	l.down.set(stall.Down, stall)
}

func (l *line) leave() {
	l.owner.mu.Lock()
	defer l.owner.mu.Unlock()
	delete(l.owner.lines, l)
}

// flow is one direction.
type flow struct {
	from, to net.Conn

	mu    sync.Mutex
	moved *sync.Cond
	left  int // bytes that may go through
	full  bool
	gone  bool
	held  []byte // that were taken
	ended bool   // nothing more comes
}

func newFlow(from, to net.Conn) *flow {
	f := &flow{from: from, to: to, left: All}
	f.moved = sync.NewCond(&f.mu)
	return f
}

func (f *flow) set(left int, stall *Stall) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.left, f.full, f.gone = left, stall.Full, stall.Gone
	f.moved.Broadcast()
	_ = f.from.SetReadDeadline(time.Unix(1, 0)) // who takes looks how much it may
}

// take takes what is sent, as far as it may.
func (f *flow) take() {
	buffer := make([]byte, 4096)
	for {
		n, err := f.from.Read(buffer[:f.room(len(buffer))])
		f.mu.Lock()
		f.held = append(f.held, buffer[:n]...)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			err = f.from.SetReadDeadline(time.Time{})
		}
		f.ended = err != nil
		f.moved.Broadcast()
		f.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// room waits until something may be taken, and returns how much.
func (f *flow) room(most int) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	for f.full && f.left <= len(f.held) {
		f.moved.Wait()
	}
	if f.full {
		return min(most, f.left-len(f.held))
	}
	return most
}

// give hands on what was taken, as far as it goes through, and then that nothing
// more comes.
func (f *flow) give() {
	defer f.to.Close()
	for {
		f.mu.Lock()
		for !f.mayGive() {
			f.moved.Wait()
		}
		n := min(len(f.held), f.left)
		part := f.held[:n]
		f.held, f.left = f.held[n:], f.left-n
		cut := f.gone && len(f.held) > 0
		f.mu.Unlock()
		if n > 0 {
			if _, err := f.to.Write(part); err != nil {
				return
			}
		}
		if cut {
			f.from.Close()
		}
		if cut || n == 0 {
			return
		}
	}
}

// mayGive reports whether there is something to hand on: bytes, or the end.
// Callers hold f.mu.
func (f *flow) mayGive() bool {
	if len(f.held) == 0 {
		return f.ended
	}
	return f.left > 0 || f.gone
}
