package badgerkv

import (
	"errors"
	"fmt"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/internal/grouping"
)

// group is the batches that one transaction applies, in the order in which they
// could have been applied one after the other: none reads or writes what one
// before it writes. With them come those that are refused for good: their IDs are
// recorded in the same transaction.
type group struct {
	requests []*grouping.Request
	refused  []refusal
	keys     map[string]struct{}      // that are written
	ids      map[kv.CommitID]struct{} // of all
	size     int
	sync     bool
}

// refusal is a request and why its batch is refused.
type refusal struct {
	request *grouping.Request
	because error
}

func newGroup() *group {
	return &group{keys: make(map[string]struct{}), ids: make(map[kv.CommitID]struct{})}
}

// admits reports whether b may join.
func (g *group) admits(b *kv.Batch) bool {
	if len(g.ids) == 0 {
		return true
	}
	_, twin := g.ids[b.ID]
	full := len(g.ids) == maxGroupBatches || len(g.keys)+len(b.Writes) > maxGroupWrites || g.size+cost(b) > maxGroup
	return !twin && !full && !overlaps(b, g.keys)
}

func cost(b *kv.Batch) int { return b.Size() + len(b.Writes)*writeCost }

func (g *group) add(r *grouping.Request) {
	b := r.Batch
	g.requests = append(g.requests, r)
	g.ids[b.ID] = struct{}{}
	g.size += cost(b)
	g.sync = g.sync || b.Sync
	for _, w := range b.Writes {
		g.keys[w.Key] = struct{}{}
	}
}

// refuse takes in a request that is refused for good. It is answered when that is
// on disk, whatever its Sync says.
func (g *group) refuse(r *grouping.Request, because error) {
	g.refused = append(g.refused, refusal{r, because})
	g.ids[r.Batch.ID] = struct{}{}
	g.sync = true
}

// answer tells everybody in a group that was written.
func (g *group) answer(version kv.Version) {
	for _, r := range g.requests {
		r.Answer(version, nil)
	}
	for _, r := range g.refused {
		r.request.Answer(0, r.because)
	}
}

// fail answers a group that was not written, or may not have been. That a batch
// was refused is not on disk then, so that its outcome stays unknown.
func (g *group) fail(err error) {
	for _, r := range g.requests {
		r.Answer(0, err)
	}
	if !errors.Is(err, kv.ErrUnknown) && !errors.Is(err, kv.ErrClosed) {
		err = fmt.Errorf("%w: the refusal was not recorded: %w", kv.ErrUnknown, err)
	}
	for _, r := range g.refused {
		r.request.Answer(0, err)
	}
}

func (g *group) appliedIDs() []kv.CommitID {
	ids := make([]kv.CommitID, len(g.requests))
	for i, r := range g.requests {
		ids[i] = r.Batch.ID
	}
	return ids
}

func (g *group) refusedIDs() []kv.CommitID {
	ids := make([]kv.CommitID, len(g.refused))
	for i, r := range g.refused {
		ids[i] = r.request.Batch.ID
	}
	return ids
}
