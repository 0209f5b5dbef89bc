package sharekv

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/sharekv/internal/wire"
)

// guest is the store in a process that reaches it through the owner's.
type guest struct{ *wire.Client }

var _ access = guest{}

// connect connects to the owner. Errors are kv.ErrUnavailable: nobody answers,
// or it was not the store that we know.
func (s *Store) connect(ctx context.Context) (access, error) {
	conn, err := s.transport.Dial(ctx, s.path)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", kv.ErrUnavailable, err)
	}
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
			return fmt.Errorf("sharekv: open %s: %w", s.name, err)
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
