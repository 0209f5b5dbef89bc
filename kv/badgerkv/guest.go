package badgerkv

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/internal/wire"
)

// guest is the store in a process that reaches it through the owner's.
type guest struct{ *wire.Client }

var _ session = guest{}

// errStranger: the owner, or who wants to connect to it, is another user.
var errStranger = errors.New("badgerkv: processes of different users cannot share a store")

// join connects to the owner. Errors are kv.ErrUnavailable: nobody answers, or
// it was not the store that we know.
func join(ctx context.Context, path string, client wire.ID, known *wire.ID, set settings) (guest, error) {
	conn, err := dial(ctx, path)
	if err != nil {
		return guest{}, fmt.Errorf("%w: %w", kv.ErrUnavailable, err)
	}
	c, err := wire.Connect(ctx, conn, wire.Settings{
		Client: client, PID: os.Getpid(), Versions: set.versions, Patience: set.patience,
	})
	if err != nil {
		return guest{}, err
	}
	// By now the store is finished, if it is a new one.
	id, err := readFormat(filepath.Join(path, formatName))
	if known != nil {
		id = *known
	} else if err != nil {
		return guest{}, errors.Join(fmt.Errorf("badgerkv: open %s: %w", set.name, err), c.Close())
	}
	if c.Welcome.Store != id {
		return guest{}, errors.Join(fmt.Errorf("%w: the process that answers has another store", kv.ErrUnavailable), c.Close())
	}
	return guest{c}, nil
}

func (g guest) over() <-chan struct{} { return g.Over() }

func (g guest) end() error { return g.Close() }

func (g guest) status() Status {
	return Status{PID: g.Welcome.PID, Epoch: g.Welcome.Epoch}
}
