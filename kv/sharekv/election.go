package sharekv

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/pawlkv/pawl/internal/holder"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/sharekv/internal/wire"
)

// Waits between looks for an owner while one dies, opens or closes the engine.
const (
	lookWait    = time.Millisecond
	lookWaitMax = 20 * time.Millisecond
	// followWait is the same for a process that has yielded, and only wants to
	// know when there is an owner again.
	followWait    = 20 * time.Millisecond
	followWaitMax = 250 * time.Millisecond
)

// election is one attempt to find or become the owner, for all who wait for it.
type election struct {
	done chan struct{}
	err  error // set before done is closed
}

// begin returns the term, and begins one if there is none. It waits until limit,
// if that is not zero.
func (s *Store) begin(ctx context.Context, limit time.Time) (*term, error) {
	var late <-chan time.Time
	for {
		t, under, err := s.termOrElection(s.elect)
		if t != nil || err != nil {
			return t, err
		}
		if late == nil && !limit.IsZero() {
			timer := time.NewTimer(time.Until(limit))
			defer timer.Stop()
			late = timer.C
		}
		select {
		case <-under.done:
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-late:
			return nil, s.unanswered()
		}
		if under.err != nil && (limit.IsZero() || !passing(under.err) || !time.Now().Before(limit)) {
			return nil, under.err
		}
	}
}

// passing reports whether it makes sense to look for an owner again.
func passing(err error) bool { return errors.Is(err, kv.ErrUnavailable) }

// final reports whether an error of looking for an owner stays.
func final(err error) bool {
	return !errors.Is(err, kv.ErrUnavailable) && !errors.Is(err, ErrHeld)
}

// termOrElection returns the term if there is one, and otherwise the election
// that is under way, which it begins if there is none.
func (s *Store) termOrElection(look func() (access, error)) (*term, *election, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return nil, nil, kv.ErrClosed
	case s.election != nil:
		return nil, s.election, nil
	}
	last := s.term.Load()
	if last != nil && !last.isOver() {
		return last, nil, nil
	}
	s.election = &election{done: make(chan struct{})}
	s.elections.Add(1)
	go s.hold(s.election, last, look)
	return nil, s.election, nil
}

// hold holds an election once the last term has ended.
func (s *Store) hold(e *election, last *term, look func() (access, error)) {
	defer s.elections.Done()
	if last != nil {
		if err := last.end(); err != nil {
			s.logger.Warn("the end of a term", slog.Any("error", err))
		}
	}
	found, err := look()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.election, e.err = nil, err
	s.term.Store(nil)
	if err == nil {
		s.number++
		s.term.Store(&term{found, s.number})
		s.logger.Info("the store has an owner", slog.Bool("this process", found.status().Owner), slog.Int("pid", found.status().PID))
	}
	close(e.done)
}

// elect makes this process the owner, or connects to whoever is.
func (s *Store) elect() (access, error) {
	ctx, cancel := context.WithTimeout(s.ctx, s.patience)
	defer cancel()
	if s.guest {
		return s.join(ctx)
	}
	wait, mended := newBackoff(lookWait, lookWaitMax), time.Now().Add(mendWait)
	for {
		o, err := own(s.path, s.opener, s.known.Load(), s.settings)
		if err == nil {
			id := o.engine.ID()
			s.known.Store(&id)
			return o, nil
		}
		if !errors.Is(err, ErrHeld) && !s.isMended(ctx, err, mended) {
			return nil, kv.OfSystem(err)
		}
		g, err := s.connect(ctx)
		switch {
		case errors.Is(err, errors.ErrUnsupported):
			return nil, fmt.Errorf("%w: %s: close the other process first", kv.ErrInUse, s.name)
		case err == nil, final(err) && !s.isMended(ctx, err, mended):
			return g, err
		}
		select {
		case <-time.After(wait.NextBackOff()):
		case <-ctx.Done():
			if errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded) {
				err = s.unanswered()
			}
			return nil, err
		}
	}
}

// unidentified is why nobody can tell which store is in the directory.
type unidentified struct{ error }

// Unwrap returns the cause.
func (u unidentified) Unwrap() error { return u.error }

// mendWait is how long to wait for an owner that mends what says which store it is,
// where that was removed or replaced under it.
const mendWait = 2 * time.Second

// isMended reports whether err passes because somebody has the store open, who looks
// after what says which one it is.
func (s *Store) isMended(ctx context.Context, err error, until time.Time) bool {
	if !errors.As(err, new(unidentified)) || errors.Is(err, kv.ErrNewer) || time.Now().After(until) {
		return false
	}
	conn, err := s.transport.Dial(ctx, s.path)
	return err == nil && conn.Close() == nil
}

// ErrAtRest: no process has the store open that would share it. It is a
// kv.ErrUnavailable.
var ErrAtRest = fmt.Errorf("%w: no process has it open", kv.ErrUnavailable)

// join connects to the owner, if there is one.
func (s *Store) join(ctx context.Context) (access, error) {
	wait, mended := newBackoff(lookWait, lookWaitMax), time.Now().Add(mendWait)
	g, err := s.connect(ctx)
	for s.isMended(ctx, err, mended) {
		select {
		case <-time.After(wait.NextBackOff()):
			g, err = s.connect(ctx)
		case <-ctx.Done():
			return nil, err
		}
	}
	if _, e := os.Lstat(filepath.Join(s.path, socketName)); err != nil && errors.Is(e, fs.ErrPermission) {
		return nil, fmt.Errorf("sharekv: open %s: %w", s.name, kv.OfSystem(e))
	}
	if errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded) {
		return nil, s.unanswered()
	}
	if errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, fs.ErrNotExist) || errors.Is(err, errors.ErrUnsupported) {
		return nil, fmt.Errorf("%w: %w", ErrAtRest, err)
	}
	return g, err
}

// unanswered is why there is no term: the process that has the lock says nothing.
func (s *Store) unanswered() error {
	pid := int(s.asked.Load())
	if pid == 0 {
		pid = holder.Of(filepath.Join(s.path, lockName))
	}
	return fmt.Errorf("%w: %w", kv.ErrUnavailable, &wire.Silence{PID: pid, For: s.patience})
}

// guest is the store in a process that reaches it through the owner's.
type guest struct{ *wire.Client }

var _ access = guest{}

// connect connects to the owner. Errors are kv.ErrUnavailable (nobody answers,
// or it was not the store that we know), ErrStranger, and wire.ErrVersion.
func (s *Store) connect(ctx context.Context) (access, error) {
	s.asked.Store(0)
	conn, err := s.transport.Dial(ctx, s.path)
	if errors.Is(err, ErrStranger) {
		return nil, err
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", kv.ErrUnavailable, err)
	}
	s.asked.Store(int64(processOf(conn)))
	c, err := wire.Connect(ctx, conn, wire.Settings{
		Client: s.client, PID: os.Getpid(), Limits: s.limits, Versions: s.versions, Patience: s.patience,
	})
	if err != nil {
		return nil, err
	}
	if err := s.recognize(ID(c.Welcome.Store)); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return guest{c}, nil
}

// recognize makes sure that the process that answers has the store that is in
// our directory. By the time that it welcomes us a new store is finished.
func (s *Store) recognize(theirs ID) error {
	known := s.known.Load()
	if known == nil {
		id, err := s.opener.Identify(s.path)
		if err != nil {
			return unidentified{fmt.Errorf("sharekv: open %s: %w", s.name, kv.OfSystem(err))}
		}
		known = &id
	}
	if theirs != *known {
		return fmt.Errorf("%w: the process that answers has another store", kv.ErrUnavailable)
	}
	s.known.Store(known)
	return nil
}

func (g guest) over() <-chan struct{} { return g.Over() }

func (g guest) end() error { return g.Close() }

func (g guest) status() Status {
	return Status{PID: g.Welcome.PID, Term: g.Welcome.Term}
}

// follow waits until there is a term again, without becoming the owner: what
// changes, another process changes.
func (s *Store) follow(ctx context.Context) (*term, error) {
	wait := newBackoff(followWait, followWaitMax)
	for {
		if !s.yielded.Load() {
			return s.begin(ctx, s.limit())
		}
		t, under, err := s.termOrElection(func() (access, error) { return s.connect(s.ctx) })
		if t != nil || err != nil {
			return t, err
		}
		select {
		case <-under.done:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		if under.err == nil {
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
