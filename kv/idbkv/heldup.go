//go:build js

package idbkv

import (
	"slices"
	"time"

	"github.com/pawlkv/pawl/kv/internal/grouping"
	"github.com/pawlkv/pawl/kv/internal/turns"
)

// What commits know of the turns of other stores.

// mayCommit reports whether somebody waits who is not known to be held up by a turn.
func (c *committer) mayCommit() bool {
	if !c.until.IsZero() && !time.Now().Before(c.until) {
		c.until = time.Time{}
	}
	return slices.ContainsFunc(c.waiting, c.mayGo)
}

// mayGo reports whether a batch is not known to be held up.
func (c *committer) mayGo(r *grouping.Request) bool { return c.until.IsZero() || len(c.before[r]) == 0 }

// heldUp reports whether the turn of another store stands before a batch. Who comes is
// held up by the turns that there are then, and by no later one.
func (c *committer) heldUp(r *grouping.Request, notes []note) bool {
	before, met := c.before[r]
	if len(notes) == 0 || met && len(before) == 0 {
		c.before[r] = nil
		return false
	}
	keys := make([]string, len(r.Batch.Writes))
	for i, w := range r.Batch.Writes {
		keys[i] = w.Key
	}
	now, hashes := nowMilli(), turns.Hashes(keys)
	var still []uint64
	for _, n := range notes {
		if n.holdsUp(c.store.turns.owner, now, hashes) && (!met || slices.Contains(before, n.ticket)) {
			still = append(still, n.ticket)
			if over := time.UnixMilli(n.until); c.until.IsZero() || over.Before(c.until) {
				c.until = over
			}
		}
	}
	c.before[r] = still
	return len(still) > 0
}

func (g *group) notes() (notes []note, err error) {
	found := g.noted.Get("result")
	for i := range found.Length() {
		b, err := bytesOf(found.Index(i))
		if err != nil {
			return nil, err
		}
		if n, err := decodeNote(b); err == nil { // it is advice
			notes = append(notes, n)
		}
	}
	return notes, nil
}
