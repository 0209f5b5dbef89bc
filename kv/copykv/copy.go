package copykv

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/pawlkv/pawl/kv"
)

// ErrDiffers: the target does not hold what the source does. The error names
// the first key.
var ErrDiffers = errors.New("copykv: the copy differs")

// Selection chooses the keys that are copied. The target has no others.
type Selection func(key string) bool

// Read returns every entry that a snapshot shows, with its version.
func Read(ctx context.Context, from kv.Snapshot) (kv.ScanRead, error) {
	var all kv.ScanRead
	for e, err := range from.Scan(ctx, "") {
		if err != nil {
			return kv.ScanRead{}, err
		}
		all.Entries = append(all.Entries, kv.Read{Key: e.Key, Version: e.Version})
	}
	return all, nil
}

// Bring makes the target hold what the snapshot shows of the selected keys, and
// nothing else, durably. It calls step for each entry of the source. Nobody else
// writes to the target meanwhile. Errors are those of reading and of Commit;
// after one the target holds a part, and Bring may be called again.
func Bring(ctx context.Context, from kv.Snapshot, to kv.Store, selected Selection, step func()) error {
	target := to.Snapshot()
	defer target.Close()
	w := writer{ctx: ctx, to: to}
	for p, err := range pairs(ctx, from, target, selected, step) {
		if err == nil {
			err = w.copyEntry(p)
		}
		if err != nil {
			return err
		}
	}
	return w.flush()
}

// Verify compares the target with the snapshot and fails with ErrDiffers if it
// holds anything else than the selected entries. It calls step for each entry of
// the source.
func Verify(ctx context.Context, from kv.Snapshot, to kv.Store, selected Selection, step func()) error {
	target := to.Snapshot()
	defer target.Close()
	for p, err := range pairs(ctx, from, target, selected, step) {
		if err != nil {
			return err
		}
		if !p.equal() {
			return fmt.Errorf("%w at %q", ErrDiffers, p.key())
		}
	}
	return nil
}

// pair is what source and target hold under one key.
type pair struct{ from, to kv.Entry }

func (p pair) equal() bool {
	return p.from.Exists() == p.to.Exists() && bytes.Equal(p.from.Value, p.to.Value)
}

func (p pair) key() string {
	if p.from.Exists() {
		return p.from.Key
	}
	return p.to.Key
}

// pairs yields all keys of either side in their order.
func pairs(ctx context.Context, from, to kv.Snapshot, selected Selection, step func()) iter.Seq2[pair, error] {
	return func(yield func(pair, error) bool) {
		a, b := newCursor(only(from.Scan(ctx, ""), selected, step)), newCursor(to.Scan(ctx, ""))
		defer a.stop()
		defer b.stop()
		for a.more || b.more {
			if err := errors.Join(a.err, b.err); err != nil {
				yield(pair{}, err)
				return
			}
			var p pair
			takeA, takeB := a.more && (!b.more || a.entry.Key <= b.entry.Key), b.more && (!a.more || b.entry.Key <= a.entry.Key)
			if takeA {
				p.from = a.take()
			}
			if takeB {
				p.to = b.take()
			}
			if !yield(p, nil) {
				return
			}
		}
	}
}

// cursor stands before an entry of a scan, or before its end.
type cursor struct {
	entry kv.Entry
	err   error
	more  bool
	next  func() (kv.Entry, error, bool)
	stop  func()
}

func newCursor(scan iter.Seq2[kv.Entry, error]) *cursor {
	c := new(cursor)
	c.next, c.stop = iter.Pull2(scan)
	c.take()
	return c
}

// take moves on, and returns what the cursor stood before.
func (c *cursor) take() kv.Entry {
	was := c.entry
	c.entry, c.err, c.more = c.next()
	return was
}

// only yields the selected entries, and calls step for all.
func only(all iter.Seq2[kv.Entry, error], selected Selection, step func()) iter.Seq2[kv.Entry, error] {
	return func(yield func(kv.Entry, error) bool) {
		for e, err := range all {
			if err == nil {
				step()
			}
			if (err != nil || selected(e.Key)) && !yield(e, err) {
				return
			}
		}
	}
}

// chunkWrites bounds one commit on a target that would take more.
const chunkWrites = 1000

// writer commits to the target in chunks.
type writer struct {
	ctx   context.Context
	to    kv.Store
	batch kv.Batch
	bytes int
	last  kv.Version // of the chunks so far
}

// copyEntry makes the target's entry the source's.
func (w *writer) copyEntry(p pair) error {
	if p.equal() {
		return nil
	}
	write := kv.Write{Key: p.key(), Value: p.from.Value, Delete: !p.from.Exists()}
	size := len(write.Key) + len(write.Value)
	limits := w.to.Limits()
	if len(w.batch.Writes) == min(limits.Writes, chunkWrites) || w.bytes+size > limits.Bytes/2 {
		if err := w.flush(); err != nil {
			return err
		}
	}
	w.batch.Writes = append(w.batch.Writes, write)
	w.bytes += size
	return nil
}

func (w *writer) flush() error {
	if len(w.batch.Writes) == 0 {
		return nil
	}
	w.batch.ID, w.batch.Sync = kv.NewCommitID(w.last), true
	version, err := w.to.Commit(w.ctx, &w.batch)
	w.last = max(w.last, version)
	w.batch, w.bytes = kv.Batch{}, 0
	return err
}
