package faulty

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/pawlkv/pawl/kv"
)

// Fault is what happens to one commit.
type Fault int

// The faults. Those of a commit that was not applied never reach the store.
const (
	None            Fault = iota // the commit is made as it is
	AppliedUnknown               // applied, and kv.ErrUnknown returned
	AppliedCanceled              // applied, and kv.ErrUnknown returned, wrapping context.Canceled
	LostUnknown                  // not applied, and kv.ErrUnknown returned
	LateUnknown                  // kv.ErrUnknown returned, and tried just before the next call on the store
	HeldUnknown                  // kv.ErrUnknown returned, and tried once two more commits have come and gone
	Conflict                     // not applied; a *kv.ConflictError names all that was read
	Unavailable                  // not applied: kv.ErrUnavailable
	DiskFull                     // not applied: kv.ErrDiskFull
	Corrupt                      // not applied: kv.ErrCorrupt
	Canceled                     // not applied: context.Canceled
)

// Commits returns store with the n-th commit suffering the n-th fault, and no
// later one any. It may be used by any number of goroutines.
func Commits(store kv.Store, faults ...Fault) kv.Store {
	p := &plan{store: store, faults: faults}
	return Wrap(store, Hooks{Before: p.before, After: p.after})
}

// plan gives out the faults. A commit takes its fault before it is made and
// keeps it in taken until it is done.
type plan struct {
	store kv.Store

	mu     sync.Mutex
	faults []Fault
	taken  map[*kv.Batch]Fault
	late   []held
}

// held is a commit that arrives when as many others have begun since.
type held struct {
	batch  *kv.Batch
	behind int
}

// heldBehind are the commits that a held one waits for: its second try, and one
// that changes what that one was refused for.
const heldBehind = 2

func (p *plan) before(_ context.Context, call Call) error {
	p.deliver()
	if call.Op != Commit {
		return nil
	}
	fault := p.take(call.Batch)
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range p.late {
		p.late[i].behind--
	}
	switch fault {
	case LateUnknown:
		p.late = append(p.late, held{cloneBatch(call.Batch), 0})
	case HeldUnknown:
		p.late = append(p.late, held{cloneBatch(call.Batch), heldBehind})
	}
	return fault.lost(call.Batch)
}

func (p *plan) after(_ context.Context, call Call, err error) error {
	if call.Op != Commit {
		return nil
	}
	p.mu.Lock()
	fault := p.taken[call.Batch]
	delete(p.taken, call.Batch)
	p.mu.Unlock()
	if err != nil {
		return nil
	}
	return fault.applied()
}

// take gives b the next fault, and remembers those that come into play after
// the commit is made.
func (p *plan) take(b *kv.Batch) Fault {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.faults) == 0 {
		return None
	}
	fault := p.faults[0]
	p.faults = p.faults[1:]
	if fault.applied() != nil {
		if p.taken == nil {
			p.taken = make(map[*kv.Batch]Fault)
		}
		p.taken[b] = fault
	}
	return fault
}

// deliver makes the commits that were said to be unknown and are due. Nobody
// hears of their outcome.
func (p *plan) deliver() {
	var due []*kv.Batch
	p.mu.Lock()
	p.late = slices.DeleteFunc(p.late, func(h held) bool {
		if h.behind <= 0 {
			due = append(due, h.batch)
		}
		return h.behind <= 0
	})
	p.mu.Unlock()
	for _, b := range due {
		_, _ = p.store.Commit(context.Background(), b)
	}
}

// applied is the error that hides a success, nil for other faults.
func (f Fault) applied() error {
	switch f {
	case AppliedUnknown:
		return kv.ErrUnknown
	case AppliedCanceled:
		return fmt.Errorf("%w: %w", kv.ErrUnknown, context.Canceled)
	}
	return nil
}

// lost is the error of a commit that is not made, nil for other faults.
func (f Fault) lost(b *kv.Batch) error {
	switch f {
	case LostUnknown, LateUnknown, HeldUnknown:
		return kv.ErrUnknown
	case Conflict:
		return conflictOver(b)
	case Unavailable:
		return kv.ErrUnavailable
	case DiskFull:
		return kv.ErrDiskFull
	case Corrupt:
		return kv.ErrCorrupt
	case Canceled:
		return context.Canceled
	}
	return nil
}

// conflictOver names what b read. A batch that read nothing conflicts with
// nothing on a real store; here it names what it writes.
func conflictOver(b *kv.Batch) error {
	var stale kv.ConflictError
	for _, r := range b.Reads {
		stale.Keys = append(stale.Keys, r.Key)
	}
	for _, s := range b.Scans {
		stale.Prefixes = append(stale.Prefixes, s.Prefix)
	}
	if len(stale.Keys)+len(stale.Prefixes) == 0 {
		for _, w := range b.Writes {
			stale.Keys = append(stale.Keys, w.Key)
		}
	}
	return &stale
}

// cloneBatch copies what the caller may change once it has its answer.
func cloneBatch(b *kv.Batch) *kv.Batch {
	c := *b
	c.Reads = slices.Clone(b.Reads)
	c.Scans = slices.Clone(b.Scans)
	for i := range c.Scans {
		c.Scans[i].Entries = slices.Clone(c.Scans[i].Entries)
	}
	c.Writes = slices.Clone(b.Writes)
	for i := range c.Writes {
		c.Writes[i].Value = bytes.Clone(c.Writes[i].Value)
	}
	return &c
}
