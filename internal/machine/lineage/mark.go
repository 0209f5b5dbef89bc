package lineage

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/witness"
)

// save gives the witness the mark, with the head as it is now.
func (c comparison) save(ctx context.Context, stored *witness.Mark) error {
	var err error
	if stored.Head, err = head(ctx, c.store.DB.Store()); err != nil {
		return err
	}
	return save(ctx, c.witness, *stored)
}

// load asks the witness, for as long as it has to answer.
func (c comparison) load(ctx context.Context) (m witness.Mark, err error) {
	err = inTime(ctx, witness.LoadWait, func(ctx context.Context) error {
		m, err = c.witness.Load(ctx)
		return err
	})
	return m, err
}

// save gives a witness a mark.
func save(ctx context.Context, w witness.Witness, m witness.Mark) error {
	err := inTime(ctx, witness.SaveWait, func(ctx context.Context) error { return w.Save(ctx, m) })
	if err != nil {
		return fmt.Errorf("pawl: save the mark of the store: %w", err)
	}
	return nil
}

// inTime makes a call of a witness that ends, whatever the caller's context.
func inTime(ctx context.Context, wait time.Duration, call func(context.Context) error) error {
	bounded, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	err := call(bounded)
	if err != nil && bounded.Err() != nil && ctx.Err() == nil {
		return fmt.Errorf("%w: its witness has not answered for %v: %w", kv.ErrUnavailable, wait, err)
	}
	return err
}

// lags is told when a commit could not be witnessed. It is durable all the
// same, and the witness lags until the next.
func (c comparison) lags(err error) {
	c.store.Log.Warn("the witness of the store could not be written", slog.Any("error", err))
}

func head(ctx context.Context, engine kv.Store) (kv.Version, error) {
	return machine.View(engine, func(snap kv.Snapshot) (kv.Version, error) { return snap.Version(ctx) })
}
