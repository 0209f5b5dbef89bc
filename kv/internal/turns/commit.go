package turns

import (
	"context"

	"github.com/pawlkv/pawl/kv"
)

// Enter returns when no turn stands before b: see the package documentation. A
// turn in b.Turn that is over or was never granted counts for nothing. The
// caller then commits, and calls leave when the commit is over, applied or not.
// Errors: kv.ErrClosed, the context's, and then there is nothing to leave.
func (t *Table) Enter(ctx context.Context, b *kv.Batch) (leave func(), err error) {
	if len(b.Writes) == 0 {
		return func() {}, nil
	}
	number, before := t.come(b)
	leave = func() { t.leave(number) }
	for _, over := range before {
		if err := t.await(ctx, over); err != nil {
			leave()
			return nil, err
		}
	}
	return leave, nil
}

// come notes a commit that has come, and returns the ends of the turns that it
// has to wait for.
func (t *Table) come(b *kv.Batch) (number uint64, before []<-chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.came++
	t.commits[t.came] = struct{}{}
	if len(t.turns) == 0 {
		return t.came, nil
	}
	return t.came, t.before(b, t.came)
}

// leave notes that a commit is over, and grants what waited for it alone.
// Leaving twice is harmless.
func (t *Table) leave(number uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.commits, number)
	for _, waits := range t.whole {
		delete(waits.ahead, number)
	}
	t.grantWhole()
}

// before returns the ends of the turns that b has to wait for. Turns on the
// whole store that it goes before wait for it. Callers hold t.mu.
func (t *Table) before(b *kv.Batch, number uint64) (ends []<-chan struct{}) {
	own := t.turns[b.Turn]
	holder := own != nil && own.holds
	for _, other := range t.whole {
		switch {
		case other == own:
		case holder && !other.holds:
			other.ahead[number] = struct{}{}
		default:
			ends = append(ends, other.over)
		}
	}
	seen := make(map[kv.TurnID]struct{})
	for _, w := range b.Writes {
		for _, other := range t.queues[w.Key] {
			if _, twice := seen[other.id]; twice || other == own || holder && !other.holds {
				continue
			}
			seen[other.id] = struct{}{}
			ends = append(ends, other.over)
		}
	}
	return ends
}
