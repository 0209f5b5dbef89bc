package kvtest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync/atomic"

	"github.com/anishathalye/porcupine"

	"github.com/pawlkv/pawl/kv"
)

// client makes random transactions and remembers them. Its times are those of
// a counter that all clients share.
type client struct {
	id      int
	ctx     context.Context
	store   kv.Store
	rng     *rand.Rand
	clock   *atomic.Int64
	ops     []porcupine.Operation
	written int

	absences bool // only what it found absent is what its commits depend on

	seen  []kv.Read     // by views so far, for reads that are stale by now
	scans []kv.ScanRead // likewise
	done  []applied
}

func (c *client) record(op any, from, to int64) {
	c.ops = append(c.ops, porcupine.Operation{ClientId: c.id, Input: op, Call: from, Return: to})
}

// looking is a view that is being read.
type looking struct {
	snap kv.Snapshot
	from int64
	seen viewOp
	gone bool
}

// transact reads, commits most of the time, and now and then reads on from the
// old view.
func (c *client) transact() error {
	v := &looking{snap: c.store.Snapshot(), from: c.clock.Add(1)}
	defer v.snap.Close()
	for range 1 + c.rng.IntN(3) {
		if err := c.look(v); err != nil {
			return err
		}
	}
	if c.rng.IntN(4) > 0 {
		began, err := c.version(v)
		if err != nil {
			return err
		}
		if !v.gone {
			err = c.commit(c.compose(began, &v.seen))
		}
		if err != nil {
			return err
		}
	}
	if c.rng.IntN(8) == 0 && len(c.done) > 0 {
		if err := c.repeat(c.done[c.rng.IntN(len(c.done))]); err != nil {
			return err
		}
	}
	if c.rng.IntN(3) == 0 {
		if err := c.look(v); err != nil {
			return err
		}
	}
	// All of it existed together, at some moment since its first call.
	c.record(&v.seen, v.from, c.clock.Add(1))
	return nil
}

// look makes one call on a view and adds what it shows. Of a view that is gone
// something must have changed by then.
func (c *client) look(v *looking) error {
	if v.gone {
		return nil
	}
	from := c.clock.Add(1)
	err := c.lookOnce(v)
	if isConflict(err) {
		c.wentAway(v, from)
		return nil
	}
	return err
}

// wentAway records that a view was gone during a call.
func (c *client) wentAway(v *looking, from int64) {
	v.gone = true
	c.record(&goneOp{v.seen.clone()}, from, c.clock.Add(1))
}

func (c *client) lookOnce(v *looking) error {
	switch c.rng.IntN(5) {
	case 0:
		_, err := c.askVersion(v)
		return err
	case 1, 2:
		prefix := cellPrefixes[c.rng.IntN(len(cellPrefixes))]
		scan := viewScan{prefix: prefix}
		for entry, err := range v.snap.Scan(c.ctx, prefix) {
			if err != nil {
				scan.part = true
				v.seen.scans = append(v.seen.scans, scan)
				return err
			}
			if cellOf(entry.Key) < 0 {
				return fmt.Errorf("a scan of %q yields key %q, which nobody wrote", prefix, entry.Key)
			}
			scan.entries = append(scan.entries, entry)
		}
		v.seen.scans = append(v.seen.scans, scan)
		return nil
	}
	keys := make([]string, 1+c.rng.IntN(3))
	for i := range keys {
		keys[i] = c.key()
	}
	entries, err := v.snap.Get(c.ctx, keys...)
	v.seen.entries = append(v.seen.entries, entries...)
	return err
}

// version returns one at which all that the view has shown stood, unless it is
// gone.
func (c *client) version(v *looking) (began kv.Version, err error) {
	if v.gone {
		return 0, nil
	}
	from := c.clock.Add(1)
	if began, err = c.askVersion(v); isConflict(err) {
		c.wentAway(v, from)
		return 0, nil
	}
	return began, err
}

// askVersion asks for the version, and records that all that was seen so far is
// of that version.
func (c *client) askVersion(v *looking) (kv.Version, error) {
	version, err := v.snap.Version(c.ctx)
	if err == nil {
		stood := v.seen.clone()
		stood.version = &version
		c.record(&stood, v.from, c.clock.Add(1))
	}
	return version, err
}

func (c *client) key() string { return cellKeys[c.rng.IntN(len(cellKeys))] }

// compose makes a batch from some of what the view showed, and sometimes from
// what an older one did.
func (c *client) compose(began kv.Version, view *viewOp) *kv.Batch {
	b := batch(began)
	for _, read := range readsOf(view.entries) {
		c.seen = append(c.seen, read)
		if c.rng.IntN(3) > 0 {
			b.Reads = append(b.Reads, read)
		}
	}
	for _, scan := range view.scans {
		c.scans = append(c.scans, kv.ScanRead{Prefix: scan.prefix, Entries: readsOf(scan.entries)})
		if c.rng.IntN(3) > 0 {
			b.Scans = append(b.Scans, c.scans[len(c.scans)-1])
		}
	}
	if c.rng.IntN(8) == 0 && len(c.seen) > 0 {
		b.Reads = append(b.Reads, c.seen[c.rng.IntN(len(c.seen))])
	}
	if c.rng.IntN(8) == 0 && len(c.scans) > 0 {
		b.Scans = append(b.Scans, c.scans[c.rng.IntN(len(c.scans))])
	}
	for _, i := range c.rng.Perm(len(cellKeys))[:c.rng.IntN(4)] {
		c.written++
		w := put(cellKeys[i], fmt.Sprintf("%d.%d", c.id, c.written))
		w.Delete = c.rng.IntN(3) == 0 || c.absences && c.rng.IntN(2) == 0
		b.Writes = append(b.Writes, w)
	}
	if c.absences {
		b.Reads = slices.DeleteFunc(b.Reads, func(r kv.Read) bool { return r.Version != 0 })
		b.Scans = slices.DeleteFunc(b.Scans, func(r kv.ScanRead) bool { return len(r.Entries) > 0 })
	}
	b.Sync = c.rng.IntN(2) == 0
	return b
}

// maxRetries bounds how often an unknown outcome is asked for again.
const maxRetries = 20

// commit makes a commit. Most of those whose outcome is unknown are resolved,
// and count from the first call to the last; the others may take effect until
// the end of time.
func (c *client) commit(b *kv.Batch) error {
	op := &commitOp{batch: b}
	from := c.clock.Add(1)
	version, err := c.store.Commit(c.ctx, b)
	for try := 0; isUnknown(err) && try < maxRetries && c.rng.IntN(4) > 0; try++ {
		op.again, b.Again = true, true
		version, err = c.store.Commit(c.ctx, b)
	}
	op.version = version
	switch {
	case isUnknown(err):
		op.unknown = true
		c.record(op, from, math.MaxInt64)
		return nil
	case errors.As(err, &op.conflict):
	case errors.Is(err, kv.ErrRefused) && op.again:
		op.refused = true
	case err != nil:
		return err
	case len(b.Writes) > 0:
		c.done = append(c.done, applied{b, version})
	}
	c.record(op, from, c.clock.Add(1))
	return nil
}

// repeat commits again what was applied.
func (c *client) repeat(first applied) error {
	version, err := c.store.Commit(c.ctx, first.batch)
	if isUnknown(err) {
		return nil
	}
	if err != nil || version != first.version {
		return fmt.Errorf("a batch applied at version %d, committed again: version %d, %w", first.version, version, err)
	}
	return nil
}
