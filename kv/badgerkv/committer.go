package badgerkv

import (
	"fmt"
	"log/slog"

	"github.com/dgraph-io/badger/v4"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/internal/grouping"
)

// committer is the only one that writes to Badger. All but ended is its
// goroutine's.
type committer struct {
	*database
	ended chan struct{}

	wal    *wal
	head   uint64 // the newest version
	ids    *idLog
	splits splits

	failed  error                    // why nothing more is committed
	unknown map[kv.CommitID]struct{} // of the group at which it failed
}

func newCommitter(d *database) *committer {
	return &committer{database: d, ended: make(chan struct{})}
}

// run commits until the queue is closed.
func (c *committer) run() {
	defer close(c.ended)
	defer func() { // not the log of now: Flatten opens others, or fails to
		if c.wal != nil {
			c.wal.close()
		}
	}()
	var waiting []*grouping.Request
	for {
		if len(waiting) == 0 {
			<-c.queue.Bell()
		}
		items, jobs, closed := c.queue.Take()
		waiting = append(waiting, items...)
		for _, job := range jobs {
			job(closed)
		}
		if closed {
			refuse(waiting)
			return
		}
		waiting = c.round(waiting)
	}
}

// refuse answers those that will not be applied because the store closes.
func refuse(waiting []*grouping.Request) {
	for _, r := range waiting {
		r.Refuse(kv.ErrClosed)
	}
}

// round applies a group of those who wait, and returns the others.
func (c *committer) round(waiting []*grouping.Request) (later []*grouping.Request) {
	g := newGroup()
	for _, r := range waiting {
		if r.Take() && !c.consider(g, r) && r.PutBack() {
			later = append(later, r)
		}
	}
	if len(g.requests) > 0 {
		c.apply(g)
	}
	return later
}

// consider answers the request or lets it join the group, and reports whether
// it did either.
func (c *committer) consider(g *group, r *grouping.Request) bool {
	if !g.admits(r.Batch) {
		return false
	}
	// An ID that was applied is answered before its reads are checked: its own
	// writes have made them stale.
	version, err := c.resolve(r.Batch.ID)
	if version == 0 && err == nil {
		err = c.check(r.Batch)
	}
	if version != 0 || err != nil {
		r.Answer(kv.Version(version), err)
		return true
	}
	g.add(r)
	return true
}

// resolve returns the version at which an ID was applied, 0 if it was not.
func (c *committer) resolve(id kv.CommitID) (uint64, error) {
	if _, unsure := c.unknown[id]; unsure {
		return 0, fmt.Errorf("%w: %w", kv.ErrUndecided, c.failed)
	}
	if version, err := c.ids.resolve(id); version != 0 || err != nil {
		return version, err
	}
	if c.failed != nil {
		return 0, fmt.Errorf("%w: open it again: %w", kv.ErrUnavailable, c.failed)
	}
	return 0, nil
}

// check validates what b has read against the newest version.
func (c *committer) check(b *kv.Batch) error {
	return c.read(func(db *badger.DB) error {
		txn := db.NewTransactionAt(c.head, false)
		defer txn.Discard()
		return checkReads(txn, b)
	})
}

// apply writes the group as one transaction, syncs it, makes it visible and
// answers it, in this order.
func (c *committer) apply(g *group) {
	version := c.head + 1
	// Somebody who removed our lock file let another process lock the next.
	if !c.dir.Held() {
		c.queue.Close()
		g.answer(0, kv.ErrClosed)
		return
	}
	if err := c.checkSpace(g.size); err != nil {
		g.answer(0, err)
		return
	}
	// What was committed without a sync is synced before it can be overtaken.
	if err := c.wal.before(); err != nil {
		c.fail(err)
		g.answer(0, fmt.Errorf("%w: %w", kv.ErrUnavailable, err))
		return
	}
	puts, dropped := c.puts(g, version)
	if err := c.write(puts, version, g.sync); err != nil {
		c.fail(err)
		c.unknown = g.ids
		g.answer(0, fmt.Errorf("%w: %w", kv.ErrUndecided, err))
		return
	}
	c.applied(g, version, dropped)
	g.answer(kv.Version(version), nil)
}

// puts returns what the group comes to, our own records included, and what that
// drops of the IDs.
func (c *committer) puts(g *group, version uint64) ([]put, surplus) {
	var puts []put
	for _, r := range g.requests {
		for _, w := range r.Batch.Writes {
			puts = c.splits.puts(puts, w)
		}
	}
	ids := g.commitIDs()
	record := slot{synced: c.synced(), floor: c.ids.floor, ids: ids}
	dropped := surplus{floor: c.ids.floor}
	if version%slots == slots-1 {
		// The slots are full. What they hold goes into a chunk, as it did when
		// they were full before, and the oldest chunks go.
		puts = append(puts, put{key: chunkKey(version / slots), value: encodeChunk(c.ids.closing(version, ids))})
		dropped = c.ids.surplus()
		for _, number := range dropped.chunks {
			puts = append(puts, put{key: chunkKey(number), delete: true})
		}
		record.floor = dropped.floor
	}
	return append(puts, put{key: slotKey(version), value: record.encode()}), dropped
}

// synced returns a version up to which everything is on disk.
func (c *committer) synced() uint64 {
	if c.wal.dirty {
		return c.wal.synced
	}
	return c.head
}

// write applies the puts. After an error they may have been written or not.
func (c *committer) write(puts []put, version uint64, sync bool) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("write to Badger: %v", r)
		}
	}()
	txn := c.db.NewTransactionAt(c.head, true)
	defer txn.Discard()
	for i := range puts {
		if err := puts[i].into(txn); err != nil {
			return err
		}
	}
	if err := txn.CommitAt(version, nil); err != nil {
		return err
	}
	if err := c.wal.after(walCost(puts), c.head); err != nil || !sync {
		return err
	}
	return c.wal.sync()
}

// applied notes a group that was written and makes it visible.
func (c *committer) applied(g *group, version uint64, dropped surplus) {
	c.head = version
	c.ids.add(version, g.commitIDs()...)
	c.ids.drop(dropped)
	writes := g.writes()
	for _, batch := range writes {
		for _, w := range batch {
			c.splits.applied(w)
		}
	}
	c.db.SetDiscardTs(uint64(c.views.publish(kv.Version(version))))
	c.dir.Publish(kv.Version(version), writes...)
}

// fail ends committing: after a failed sync nobody knows what is on disk.
func (c *committer) fail(err error) {
	c.failed = err
	c.logger.Error("the store takes no more commits", slog.Any("error", err))
}

// load reads what the committer has to know from the database.
func (c *committer) load() error {
	wal, err := openWAL(c.dir.Path, c.db, &c.settings)
	if err != nil {
		return err
	}
	c.wal, c.head = wal, c.db.MaxVersion()
	c.ids, c.splits = newIDLog(c.commitIDs), make(splits)
	return c.read(func(db *badger.DB) error {
		txn := db.NewTransactionAt(c.head, false)
		defer txn.Discard()
		c.splits.load(txn)
		return c.ids.load(txn, c.head)
	})
}
