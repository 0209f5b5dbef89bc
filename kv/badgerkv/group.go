package badgerkv

import (
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/internal/grouping"
)

// group is the batches that one transaction applies, in the order in which they
// could have been applied one after the other: none reads or writes what one
// before it writes.
type group struct {
	requests []*grouping.Request
	keys     map[string]struct{} // that are written
	ids      map[kv.CommitID]struct{}
	size     int
	sync     bool
}

func newGroup() *group {
	return &group{keys: make(map[string]struct{}), ids: make(map[kv.CommitID]struct{})}
}

// admits reports whether b may join.
func (g *group) admits(b *kv.Batch) bool {
	if len(g.requests) == 0 {
		return true
	}
	_, twin := g.ids[b.ID]
	full := len(g.requests) == maxGroupBatches || len(g.keys)+len(b.Writes) > maxGroupWrites || g.size+cost(b) > maxGroup
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

func (g *group) answer(version kv.Version, err error) {
	for _, r := range g.requests {
		r.Answer(version, err)
	}
}

// commitIDs and writes list what the batches carry.
func (g *group) commitIDs() []kv.CommitID {
	ids := make([]kv.CommitID, len(g.requests))
	for i, r := range g.requests {
		ids[i] = r.Batch.ID
	}
	return ids
}

func (g *group) writes() [][]kv.Write {
	writes := make([][]kv.Write, len(g.requests))
	for i, r := range g.requests {
		writes[i] = r.Batch.Writes
	}
	return writes
}
