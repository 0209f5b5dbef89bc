package story

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/memkv"
)

// past is a store in memory that knows all that was committed in it, so that
// there can be another one as it was after any of these commits. It is for one
// goroutine.
type past struct {
	kv.Store
	commits [][]kv.Write
}

func newPast() *past { return &past{Store: memkv.New()} }

// Commit implements kv.Store.
func (p *past) Commit(ctx context.Context, b *kv.Batch) (kv.Version, error) {
	version, err := p.Store.Commit(ctx, b)
	if err != nil || len(b.Writes) == 0 {
		return version, err
	}
	writes := slices.Clone(b.Writes)
	for i := range writes {
		writes[i].Value = bytes.Clone(writes[i].Value)
	}
	if p.commits = append(p.commits, writes); version != p.now() {
		return version, fmt.Errorf("story: commit %d has version %d", p.now(), version)
	}
	return version, nil
}

// now returns how many commits there were, which is the version of the last.
func (p *past) now() kv.Version { return kv.Version(len(p.commits)) }

// at returns a store as it was after a commit.
func (p *past) at(ctx context.Context, version kv.Version) (*past, error) {
	old := newPast()
	for _, writes := range p.commits[:version] {
		if _, err := old.Commit(ctx, &kv.Batch{ID: kv.NewCommitID(0), Writes: writes, Sync: true}); err != nil {
			return nil, err
		}
	}
	return old, nil
}
