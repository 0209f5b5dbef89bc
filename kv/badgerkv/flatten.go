package badgerkv

import (
	"context"
	"fmt"

	"github.com/pawlkv/pawl/kv"
)

// Flatten implements sharekv.LocalEngine. It lets the committer do it, so that
// nothing is written meanwhile.
func (d *database) Flatten(ctx context.Context) error {
	done := make(chan error, 1)
	err := d.queue.Run(func(closed bool) {
		switch {
		case closed:
			done <- kv.ErrClosed
		case ctx.Err() != nil:
			done <- ctx.Err()
		default:
			done <- d.committer.flatten()
		}
	})
	if err != nil {
		return err
	}
	return <-done
}

// flatten moves everything into the last level, and then merges a new table that
// spans all keys into that level: so every table of it is written anew, without
// what nobody can see any more. For that it opens Badger with the last level
// next to level 0, and merges it when it closes it again.
func (c *committer) flatten() error {
	if c.failed != nil {
		// What it would write has the version that the failed group may have.
		return fmt.Errorf("%w: open it again: %w", kv.ErrUnavailable, c.failed)
	}
	steps := []func() error{
		func() error { return c.reopen(flattening) },
		func() error { return c.db.Flatten(1) },
		c.span,
		func() error { return c.reopen(serving) },
	}
	for _, step := range steps {
		if err := step(); err != nil {
			c.fail(err)
			return fmt.Errorf("badgerkv: flatten: %w", err)
		}
	}
	return nil
}

// span commits a version without anybody's writes, from the first of all keys
// to the last.
func (c *committer) span() error {
	version, g := c.head+1, newGroup()
	puts, dropped := c.puts(g, version)
	puts = append(puts, put{key: []byte{spanPrefix}, value: []byte{layoutFormat}})
	if err := c.write(puts, version, true); err != nil {
		return err
	}
	c.applied(g, version, dropped)
	return nil
}

// reopen closes Badger and opens it again, while readers wait.
func (c *committer) reopen(m mode) error {
	c.gate.Lock()
	defer c.gate.Unlock()
	c.wal.close()
	err := c.closeBadger()
	if err == nil {
		err = c.openBadger(m)
	}
	if err != nil {
		c.closed = true
		c.dir.GiveUp()
		return err
	}
	if c.wal, err = openWAL(c.dir.Path, c.db, &c.settings); err != nil {
		return err
	}
	c.db.SetDiscardTs(uint64(c.versions.publish(kv.Version(c.head))))
	return nil
}
