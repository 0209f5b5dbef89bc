// Package moving wraps a kv.Store so that its views move on: at each call a view
// takes up the newest state, as long as all that it has returned still stands,
// and otherwise it is gone. The contract allows that, and engines without views
// of their own do it; callers that run on exact views alone find out here.
package moving

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"sync"

	"github.com/pawlkv/pawl/kv"
)

// Wrap returns store with views that move on.
func Wrap(store kv.Store) kv.Store { return &wrapped{store} }

type wrapped struct{ kv.Store }

// Unwrap implements kv.Wrapper.
func (w wrapped) Unwrap() kv.Store { return w.Store }

// Snapshot implements kv.Store.
func (s *wrapped) Snapshot() kv.Snapshot { return View(s.Store.Snapshot, Care{}) }

// Care is what a view leaves out when it moves on. It is for engines that are
// broken on purpose: all of it has to be looked at.
type Care struct {
	NoReads    bool // what reads have returned
	NoAbsences bool // that reads have found nothing
	NoScans    bool // what scans have yielded
	NoParts    bool // what a scan that was broken off has passed over
}

// View returns a view that moves on, over snapshots of one store.
func View(open func() kv.Snapshot, care Care) kv.Snapshot {
	return &view{open: open, care: care, reads: make(map[string]kv.Version)}
}

// view reads one snapshot after the other.
type view struct {
	open func() kv.Snapshot
	care Care

	mu     sync.Mutex
	now    kv.Snapshot // nil before the first call
	moves  int
	gone   bool
	closed bool

	reads map[string]kv.Version // returned
	scans []*scanned            // likewise
}

// scanned is what a scan has yielded so far.
type scanned struct {
	prefix string
	reads  []kv.Read
	whole  bool // it came to its end
}

// last is the key up to which the scan has come.
func (s *scanned) last() string {
	if len(s.reads) == 0 {
		return ""
	}
	return s.reads[len(s.reads)-1].Key
}

// Get implements kv.Snapshot.
func (v *view) Get(ctx context.Context, keys ...string) ([]kv.Entry, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if err := v.move(ctx); err != nil {
		return nil, err
	}
	entries, err := v.now.Get(ctx, keys...)
	for _, e := range entries {
		v.reads[e.Key] = e.Version
	}
	return entries, err
}

// Scan implements kv.Snapshot. It moves on after the first entry, two more, four
// more, and so on.
func (v *view) Scan(ctx context.Context, prefix string) iter.Seq2[kv.Entry, error] {
	return func(yield func(kv.Entry, error) bool) {
		s := &scan{view: v, done: &scanned{prefix: prefix}, size: 1}
		for {
			entry, more, err := s.next(ctx)
			if err != nil {
				yield(kv.Entry{}, err)
				return
			}
			if !more || !yield(entry, nil) {
				return
			}
		}
	}
}

// Version implements kv.Snapshot.
func (v *view) Version(ctx context.Context) (kv.Version, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if err := v.move(ctx); err != nil {
		return 0, err
	}
	return v.now.Version(ctx)
}

// Close implements kv.Snapshot.
func (v *view) Close() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.closed = true
	if v.now != nil {
		v.now.Close()
		v.now = nil
	}
}

// move takes up the newest state. Callers hold v.mu.
func (v *view) move(ctx context.Context) error {
	switch {
	case v.closed:
		return kv.ErrClosed
	case v.gone:
		return v.whyGone()
	}
	newest := v.open()
	stands, err := v.stands(ctx, newest)
	switch {
	case err != nil:
		newest.Close()
		return err
	case !stands:
		newest.Close()
		v.gone = true
		return v.whyGone()
	}
	if v.now != nil {
		v.now.Close()
	}
	v.now = newest
	v.moves++
	return nil
}

func (v *view) whyGone() error {
	return fmt.Errorf("%w: something that the view has returned", kv.ErrConflict)
}

// stands reports whether all that was returned is so in another snapshot.
func (v *view) stands(ctx context.Context, in kv.Snapshot) (bool, error) {
	keys := make([]string, 0, len(v.reads))
	for key := range v.reads {
		keys = append(keys, key)
	}
	entries, err := in.Get(ctx, keys...)
	if err != nil {
		return false, err
	}
	for _, e := range entries {
		was := v.reads[e.Key]
		if was != e.Version && !v.care.NoReads && (was != 0 || !v.care.NoAbsences) {
			return false, nil
		}
	}
	for _, s := range v.scans {
		if v.care.NoScans || v.care.NoParts && !s.whole {
			continue
		}
		if same, err := s.stands(ctx, in); !same || err != nil {
			return false, err
		}
	}
	return true, nil
}

// stands reports whether a scan would yield the same as far as it has come.
func (s *scanned) stands(ctx context.Context, in kv.Snapshot) (bool, error) {
	var now []kv.Read
	for e, err := range in.Scan(ctx, s.prefix) {
		if err != nil {
			return false, err
		}
		if !s.whole && e.Key > s.last() {
			break
		}
		now = append(now, kv.Read{Key: e.Key, Version: e.Version})
	}
	return slices.Equal(now, s.reads), nil
}

// scan is one that is under way. What it has read ahead is of the snapshot that
// the view had then, and counts only as long as the view has not moved on.
type scan struct {
	view  *view
	done  *scanned
	ahead []kv.Entry
	moved int // the view's moves then
	size  int // of the next part
}

// next returns the next entry, if there is one.
func (s *scan) next(ctx context.Context) (entry kv.Entry, more bool, err error) {
	v := s.view
	v.mu.Lock()
	defer v.mu.Unlock()
	switch {
	case v.closed:
		return entry, false, kv.ErrClosed
	case ctx.Err() != nil:
		return entry, false, ctx.Err()
	case len(s.ahead) == 0 || s.moved != v.moves || v.gone:
		if err := s.read(ctx); err != nil {
			return entry, false, err
		}
	}
	if len(s.ahead) == 0 {
		s.done.whole = true
		return entry, false, nil
	}
	entry, s.ahead = s.ahead[0], s.ahead[1:]
	s.done.reads = append(s.done.reads, kv.Read{Key: entry.Key, Version: entry.Version})
	return entry, true, nil
}

// read moves the view on and reads ahead. Callers hold the view's lock.
func (s *scan) read(ctx context.Context) error {
	v := s.view
	if err := v.move(ctx); err != nil {
		return err
	}
	if s.moved == 0 {
		v.scans = append(v.scans, s.done)
	}
	s.ahead, s.moved = nil, v.moves
	for e, err := range v.now.Scan(ctx, s.done.prefix) {
		if err != nil {
			return err
		}
		if len(s.done.reads) > 0 && e.Key <= s.done.last() {
			continue
		}
		if s.ahead = append(s.ahead, e); len(s.ahead) == s.size {
			break
		}
	}
	s.size *= 2
	return nil
}
