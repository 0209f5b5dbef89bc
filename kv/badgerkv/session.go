package badgerkv

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v5"
	"go.uber.org/zap"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/internal/wire"
)

// session is a time during which the store has one owner: this process, or one
// that it is connected to. When it is over, its calls return kv.ErrClosed or
// wire.ErrGone.
type session interface {
	wire.Store
	over() <-chan struct{}
	end() error // returns when it is over and nothing of it is left
	status() Status
}

// seat is a session of this Store. Its number tells turns of different owners
// apart.
type seat struct {
	session
	number uint64
}

func (s *seat) isOver() bool {
	select {
	case <-s.over():
		return true
	default:
		return false
	}
}

// Waits between looks for an owner while one dies, opens or closes Badger.
const (
	lookWait    = time.Millisecond
	lookWaitMax = 20 * time.Millisecond
	// followWait is the same for a process that has yielded, and only wants to
	// know when there is an owner again.
	followWait    = 20 * time.Millisecond
	followWaitMax = 250 * time.Millisecond
)

// search is one attempt to find or become the owner, for all who wait for it.
type search struct {
	done chan struct{}
	err  error // set before done is closed
}

// sit returns the session, and finds or begins one if there is none. It waits
// until limit, if that is not zero.
func (s *Store) sit(ctx context.Context, limit time.Time) (*seat, error) {
	var late <-chan time.Time
	for {
		now, found, err := s.seatOrSearch(s.elect)
		if now != nil || err != nil {
			return now, err
		}
		if late == nil && !limit.IsZero() {
			timer := time.NewTimer(time.Until(limit))
			defer timer.Stop()
			late = timer.C
		}
		select {
		case <-found.done:
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-late:
			return nil, fmt.Errorf("%w: no process that owns the store has answered in time", kv.ErrUnavailable)
		}
		if found.err != nil && (limit.IsZero() || !passing(found.err) || !time.Now().Before(limit)) {
			return nil, found.err
		}
	}
}

// passing reports whether it makes sense to look for an owner again.
func passing(err error) bool {
	return errors.Is(err, kv.ErrUnavailable) && !final(err)
}

// final reports whether an error of looking for an owner stays.
func final(err error) bool {
	return !errors.Is(err, kv.ErrUnavailable) && !errors.Is(err, errHeld) ||
		errors.Is(err, wire.ErrVersion) || errors.Is(err, errStranger) || errors.Is(err, errReplaced)
}

// seatOrSearch returns the session if there is one, and otherwise the search
// that is under way, which it begins if there is none.
func (s *Store) seatOrSearch(look func() (session, error)) (*seat, *search, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return nil, nil, kv.ErrClosed
	case s.search != nil:
		return nil, s.search, nil
	}
	last := s.now.Load()
	if last != nil && !last.isOver() {
		return last, nil, nil
	}
	s.search = &search{done: make(chan struct{})}
	s.searches.Add(1)
	go s.find(s.search, last, look)
	return nil, s.search, nil
}

// find looks for a session once the last one has ended.
func (s *Store) find(into *search, last *seat, look func() (session, error)) {
	defer s.searches.Done()
	if last != nil {
		if err := last.end(); err != nil {
			s.logger.Warn("the end of a session", zap.Error(err))
		}
	}
	found, err := look()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.search, into.err = nil, err
	s.now.Store(nil)
	if err == nil {
		s.number++
		s.now.Store(&seat{found, s.number})
		s.logger.Info("the store has an owner", zap.Bool("this process", found.status().Owner), zap.Int("pid", found.status().PID))
	}
	close(into.done)
}

// elect makes this process the owner, or connects to whoever is.
func (s *Store) elect() (session, error) {
	ctx, cancel := context.WithTimeout(s.ctx, s.patience)
	defer cancel()
	wait := newBackoff(lookWait, lookWaitMax)
	for {
		o, err := own(s.path, s.known.Load(), s.settings)
		if err == nil {
			s.known.Store(&o.engine.dir.id)
			return o, nil
		}
		if !errors.Is(err, errHeld) {
			return nil, err
		}
		if !sharing {
			return nil, fmt.Errorf("%w: %s: close the other process first", kv.ErrInUse, s.name)
		}
		g, err := s.join(ctx)
		if err == nil || final(err) {
			return g, err
		}
		select {
		case <-time.After(wait.NextBackOff()):
		case <-ctx.Done():
			return nil, err
		}
	}
}

// join connects to the owner.
func (s *Store) join(ctx context.Context) (session, error) {
	g, err := join(ctx, s.path, s.client, s.known.Load(), s.settings)
	if err != nil {
		return nil, err
	}
	s.known.Store(&g.Welcome.Store)
	return g, nil
}

// follow waits until there is a session again, without becoming the owner:
// what changes, another process changes.
func (s *Store) follow(ctx context.Context) (*seat, error) {
	wait := newBackoff(followWait, followWaitMax)
	for {
		if !s.yielded.Load() {
			return s.sit(ctx, s.limit())
		}
		now, found, err := s.seatOrSearch(func() (session, error) { return s.join(s.ctx) })
		if now != nil || err != nil {
			return now, err
		}
		select {
		case <-found.done:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		if found.err == nil {
			continue
		}
		select {
		case <-time.After(wait.NextBackOff()):
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-s.ctx.Done():
			return nil, kv.ErrClosed
		}
	}
}

func newBackoff(first, most time.Duration) *backoff.ExponentialBackOff {
	b := &backoff.ExponentialBackOff{InitialInterval: first, MaxInterval: most, Multiplier: 1.5, RandomizationFactor: 0.5}
	b.Reset()
	return b
}
