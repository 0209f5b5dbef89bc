package txn

import (
	"fmt"
	"log/slog"
	"slices"

	"github.com/pawlkv/pawl/kv"
)

// takeTurn waits for the turn on the keys. A store that grants none is no
// failure: a turn is advice.
func (c *call) takeTurn(keys []string) error {
	c.release()
	keys = slices.Sorted(slices.Values(keys))
	c.db.hot.enter(keys)
	turn, err := c.db.store.Turn(c.ctx, keys...)
	if err == nil {
		c.turn, c.inTurn, c.turnFor = turn, true, keys
		c.report.Turns++
		return nil
	}
	c.db.hot.leave(keys)
	if c.ctx.Err() != nil {
		return fmt.Errorf("txn: waiting for a turn: %w", err)
	}
	c.db.log.LogAttrs(c.ctx, slog.LevelWarn, "no turn on contended keys: trying without", slog.Any("keys", keys), slog.Any("error", err))
	return nil
}

// release ends the turn, if there is one.
func (c *call) release() {
	if !c.inTurn {
		return
	}
	c.turn.Release()
	c.db.hot.leave(c.turnFor)
	c.turn, c.inTurn, c.turnFor = kv.Turn{}, false, nil
}

// queueForHot takes a turn on those of the keys that were fought over lately,
// if the snapshot is not fixed yet: later, the turn could no longer keep what
// is read from being old.
func (tx *Tx) queueForHot(keys []string) error {
	c := tx.call
	if tx.fixed || tx.cached || c.inTurn || c.mode == readOnly {
		return nil
	}
	if queue := c.db.hot.pick(keys); len(queue) > 0 {
		return c.takeTurn(queue)
	}
	return nil
}

// mayUseCache reports whether this attempt may read a key from the cache. A
// key that is queued for is contended: what memory says about it is old.
func (c *call) mayUseCache(key string) bool {
	return c.report.Attempts <= cachedAttempts && !contains(c.turnFor, key)
}
