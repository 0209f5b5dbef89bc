//go:build js

package idbkv

import (
	"errors"
	"fmt"
	"syscall/js"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/internal/grouping"
	"github.com/pawlkv/pawl/kv/internal/watch"
)

// candidate is a batch, and what was asked for it.
type candidate struct {
	*grouping.Request
	check *check
	known js.Value // request: its ID, applied or refused

	version  kv.Version // what it is answered once the transaction is committed
	err      error
	refusing bool // that it is refused is recorded
}

// write answers a batch, or writes it at the next version, or that it is refused if it
// came again.
func (g *group) write(c *candidate) error {
	g.ids[c.Batch.ID] = true
	// An ID that is known is answered before its reads are checked: its own writes
	// have made them stale, or they hold again.
	version, err := g.resolve(c)
	if version != 0 || err != nil {
		c.version, c.err = version, err
		return notOurs(err)
	}
	err = c.check.stale(g.wrote)
	switch {
	case err == nil:
		g.head++
		c.version = g.head
		g.put(c.Batch)
		g.record(encodeID(c.Batch.ID), c.Batch.Writes)
	case errors.Is(err, kv.ErrConflict):
		c.err = err
		if c.Batch.Again {
			g.head++
			c.refusing = true
			g.record(encodeRefused(c.Batch.ID), nil)
		}
	default:
		return err
	}
	return nil
}

// notOurs returns the errors that are no outcome of one batch.
func notOurs(err error) error {
	if errors.Is(err, kv.ErrConflict) || errors.Is(err, kv.ErrExpired) {
		return nil
	}
	return err
}

// resolve returns the version at which the ID was applied, kv.ErrRefused if it was
// refused for good, 0 if it certainly was neither, and kv.ErrExpired if it may have been
// dropped: an attempt is recorded at a later version than it began.
func (g *group) resolve(c *candidate) (kv.Version, error) {
	if found := c.known.Get("result"); !found.IsUndefined() {
		id, err := bytesOf(found.Get(byID))
		switch {
		case err != nil:
			return 0, err
		case isRefused(id):
			return 0, kv.ErrRefused
		}
		version := numberOf(found.Get("v"))
		if version == 0 {
			return 0, fmt.Errorf("%w: a commit ID has no version", kv.ErrCorrupt)
		}
		return version, nil
	}
	if c.Batch.ID.Began < g.began && c.Batch.ID.Began+1 < numberOf(g.oldest.Get("result")) {
		return 0, kv.ErrExpired
	}
	return 0, nil
}

// put has entries written at the newest version.
func (g *group) put(b *kv.Batch) {
	entries := g.tx.store(entriesStore)
	for _, w := range b.Writes {
		if w.Delete {
			g.wrote[w.Key] = 0
			g.puts = append(g.puts, func() { g.tx.ask(entries.Call("delete", keyToJS(w.Key))) })
			continue
		}
		version := g.head
		g.wrote[w.Key] = version
		g.puts = append(g.puts, func() {
			g.tx.ask(entries.Call("put", toJS(encodeEntry(version, w.Value)), keyToJS(w.Key)))
		})
	}
}

// record has it written what the newest version was: an ID, and what changed.
func (g *group) record(id []byte, writes []kv.Write) {
	version := float64(g.head)
	g.puts = append(g.puts, func() {
		row := map[string]any{byID: toJS(id), "v": version}
		g.tx.ask(g.tx.store(commitsStore).Call("put", row, version))
		g.tx.ask(g.tx.store(changesStore).Call("put", toJS(watch.EncodeChanges(writes)), version))
	})
}

// ofFailure is the answer to a batch whose transaction failed. A refusal that could not be
// recorded is none: another try may be on its way.
func (c *candidate) ofFailure(err error) error {
	if c.refusing && kv.OutcomeOf(err) != kv.Unknown && kv.OutcomeOf(err) != kv.Undecided {
		return fmt.Errorf("%w: that it is refused could not be recorded: %w", kv.ErrUnknown, err)
	}
	return err
}
