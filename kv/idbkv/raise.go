//go:build js

package idbkv

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/pawlkv/pawl/kv"
)

// Raise implements kv.Raiser. Every store that is open, of whatever program, has the lock
// of the format, shared. Who gets it alone knows that there is no other: so the store is
// raised by one that is alone with it, and as long as there are several it stays as it is.
//
// Commits of this program wait meanwhile.
func (s *Store) Raise(ctx context.Context) (format kv.Format, err error) {
	if err := s.ended(ctx); err != nil {
		return 0, err
	}
	if format, err = s.readFormat(ctx); err != nil || format >= s.set.format {
		return format, err
	}
	done := make(chan struct{})
	err = s.committer.queue.Run(func(closed bool) { // nothing is committed until it is over
		defer close(done)
		if closed {
			err = kv.ErrClosed
			return
		}
		format, err = s.raise(ctx, format)
	})
	if err != nil {
		return 0, err
	}
	<-done
	return format, err
}

// raise raises the store from a format if nobody else has it open.
func (s *Store) raise(ctx context.Context, from kv.Format) (kv.Format, error) {
	s.formatLock.release()
	<-s.formatLock.over
	alone, free, err := s.locks.tryExclusive(ctx, s.locks.format())
	to := from
	if free {
		if err = s.writeFormat(ctx); err == nil {
			to = s.set.format
			s.set.logger.Info("the store has a new format: older programs do not open it any more", slog.Int("format", int(to)))
		}
		alone.release()
		<-alone.over
	}
	return to, s.backToFormat(err)
}

// backToFormat takes the lock of the format again. A newer program may have raised the
// store meanwhile, and then it is not ours any more.
func (s *Store) backToFormat(err error) error {
	lock, failure := s.locks.take(context.Background(), s.locks.format(), sharedLock, s.set.wait)
	if failure != nil {
		s.conn.end(fmt.Errorf("%w: the lock of the format was not given back: open the store again", kv.ErrClosed))
		return failure
	}
	s.formatLock = lock
	format, failure := s.readFormat(context.Background())
	switch {
	case failure != nil:
		s.conn.end(fmt.Errorf("%w: the format could not be read again: open the store again", kv.ErrClosed))
		return failure
	case format > s.set.format:
		s.conn.end(fmt.Errorf("%w: a newer program has raised it to format %d", kv.ErrNewer, format))
		return s.conn.cause
	}
	return err
}

// writeFormat writes the newest format that this program knows, durably.
func (s *Store) writeFormat(ctx context.Context) error {
	t, err := begin(s.conn.db, writing, true, metaStore)
	if err != nil {
		return s.conn.why(err)
	}
	t.start(func() error {
		t.ask(t.store(metaStore).Call("put", int(s.set.format), formatKey))
		t.commit()
		return nil
	})
	end, err := s.await(ctx, t, "the format could not be written")
	if err == nil {
		return end.outcome(t.why)
	}
	if end.late {
		return end.outcome(err)
	}
	return err
}
