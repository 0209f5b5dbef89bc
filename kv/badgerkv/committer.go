package badgerkv

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"github.com/dgraph-io/badger/v4"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/internal/grouping"
)

// Commit implements sharekv.LocalEngine.
func (d *database) Commit(ctx context.Context, b *kv.Batch) (kv.Version, error) {
	if len(b.Writes) == 0 {
		return d.validate(b)
	}
	r := grouping.NewRequest(b)
	if !d.committer.lead(r) {
		if err := d.queue.Add(r); err != nil {
			return 0, err
		}
	}
	return r.Wait(ctx)
}

// committer is the only one that writes to Badger. All but ended belongs to who works
// at the queue: its goroutine, or the caller who leads. A commit's way through it: it
// waits in the queue, or leads, is considered (run, round, consider), joins a group
// (admits, add), is written and synced with the group (apply, write), becomes visible
// (applied) and is answered.
type committer struct {
	*database
	ended chan struct{}

	waiting []*grouping.Request // of the goroutine
	closed  bool                // likewise: it has seen that the queue is

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
	defer func() { // not the log that is open now: Flatten opens others, or fails to
		if c.wal != nil {
			c.wal.close()
		}
	}()
	for !c.closed {
		if len(c.waiting) == 0 {
			<-c.queue.Bell()
		}
		c.queue.Work(c.work)
	}
}

// work runs the jobs, and commits a group of those who wait.
func (c *committer) work() (waiting int) {
	items, jobs, closed := c.queue.Take()
	c.waiting = append(c.waiting, items...)
	for _, job := range jobs {
		job(closed)
	}
	if c.closed = closed; closed {
		for _, r := range c.waiting {
			r.Refuse(kv.ErrClosed)
		}
		return 0
	}
	waiting = len(c.waiting)
	c.waiting = c.round(c.waiting)
	return waiting
}

// lead commits one batch in the goroutine of its caller, if nobody else commits.
func (c *committer) lead(r *grouping.Request) bool {
	return c.queue.Lead(func() bool {
		c.round([]*grouping.Request{r}) // a first one is always admitted
		return true
	}, func() { c.lose(r.Batch.ID) })
}

// lose ends committing after a panic in the middle of a commit, which may have been
// written or not.
func (c *committer) lose(id kv.CommitID) {
	c.fail(errors.New("a panic in the middle of a commit"))
	c.unknown = map[kv.CommitID]struct{}{id: {}}
}

// round applies a group of those who wait, and returns the others.
func (c *committer) round(waiting []*grouping.Request) (later []*grouping.Request) {
	g := newGroup()
	for _, r := range waiting {
		if r.Take() && !c.consider(g, r) && r.PutBack() {
			later = append(later, r)
		}
	}
	if len(g.ids) > 0 {
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
	// An ID that is known is answered before its reads are checked: its own
	// writes have made them stale, or they hold again.
	version, err := c.resolve(r.Batch.ID)
	if version != 0 || err != nil {
		r.Answer(kv.Version(version), err)
		return true
	}
	switch err = c.check(r.Batch); {
	case err == nil:
		g.add(r)
	case r.Batch.Again && errors.Is(err, kv.ErrConflict):
		g.refuse(r, err)
	default:
		r.Answer(0, err)
	}
	return true
}

// resolve returns the version at which an ID was applied, 0 if it was neither
// applied nor refused for good.
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
		return c.checkReads(txn, b)
	})
}

// apply writes the group as one transaction, syncs it, makes it visible and
// answers it, in this order.
func (c *committer) apply(g *group) {
	version := c.head + 1
	// Somebody who removed our lock file let another process lock the next.
	if !c.dir.Held() {
		c.queue.Close()
		g.fail(kv.ErrClosed)
		return
	}
	if err := c.checkSpace(g.size); err != nil {
		g.fail(err)
		return
	}
	// What was committed without a sync is synced before it can be overtaken.
	if err := c.wal.before(); err != nil {
		c.fail(err)
		g.fail(fmt.Errorf("%w: %w", kv.ErrUnavailable, err))
		return
	}
	puts, dropped := c.puts(g, version)
	if err := c.write(puts, version, g.sync); err != nil {
		c.fail(err)
		c.unknown = g.ids
		g.fail(fmt.Errorf("%w: %w", kv.ErrUndecided, err))
		return
	}
	c.applied(g, version, dropped)
	g.answer(kv.Version(version))
}

// puts returns what the group comes to, our own entries included, and what that
// drops of the IDs.
func (c *committer) puts(g *group, version uint64) ([]put, surplus) {
	var puts []put
	for _, r := range g.requests {
		for _, w := range r.Batch.Writes {
			puts = c.splits.puts(puts, w)
		}
	}
	ids := g.appliedIDs()
	commit := slot{synced: c.synced(), floor: c.ids.floor, ids: ids}
	dropped := surplus{floor: c.ids.floor}
	if version%slots == slots-1 {
		// The slots are full. What they hold goes into a chunk, as it did when
		// they were full before, and the oldest chunks go.
		puts = append(puts, put{key: chunkKey(version / slots), value: encodeChunk(c.ids.closing(version, ids))})
		dropped = c.ids.surplus()
		for _, key := range dropped.keys {
			puts = append(puts, put{key: key, delete: true})
		}
		commit.floor = dropped.floor
	}
	if len(g.refused) > 0 {
		puts = append(puts, put{key: refusalKey(version), value: encodeIDs(g.refusedIDs())})
	}
	return append(puts, put{key: slotKey(version), value: commit.encode()}), dropped
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
	c.ids.add(version, g.appliedIDs(), g.refusedIDs())
	c.ids.drop(dropped)
	writes := make([][]kv.Write, len(g.requests))
	for i, r := range g.requests {
		writes[i] = r.Batch.Writes
		for _, w := range writes[i] {
			c.splits.applied(w)
		}
	}
	c.latest.Wrote(kv.Version(version), slices.Concat(writes...)...)
	c.dir.Show(func() (kv.Version, [][]kv.Write) {
		c.db.SetDiscardTs(uint64(c.versions.publish(kv.Version(version))))
		return kv.Version(version), writes
	})
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
