package etcdkv

import (
	"context"
	"errors"
	"fmt"
	"slices"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/pawlkv/pawl/kv"
)

// settled is what a view says of the checks of a batch that has more than one transaction
// makes. It stands as long as the store is at the view's version: the transaction compares
// that alone, and another view is taken where something has changed, whatever it is. Moving
// a store needs that, while nobody works in it.
type settled struct {
	version kv.Version
	stale   error // a *kv.ConflictError, nil if all holds
}

// settle makes the checks of a batch in a view. That etcd has compacted the view says
// nothing about the batch.
func (s *Store) settle(ctx context.Context, b *kv.Batch) (*settled, error) {
	at, err := s.look(ctx, b)
	if errors.Is(err, kv.ErrConflict) {
		return nil, fmt.Errorf("%w: the checks of a batch take longer than etcd keeps a view: %v", kv.ErrUnavailable, err)
	}
	return at, err
}

func (s *Store) look(ctx context.Context, b *kv.Batch) (*settled, error) {
	view := s.Snapshot()
	defer view.Close()
	var stale kv.ConflictError
	versions, err := versionsIn(ctx, view, b.Reads)
	if err != nil {
		return nil, err
	}
	for _, r := range b.Reads {
		if versions[r.Key] != r.Version {
			stale.Keys = append(stale.Keys, r.Key)
		}
	}
	for _, scan := range b.Scans {
		var now []kv.Read
		for entry, err := range view.Scan(ctx, scan.Prefix) {
			if err != nil {
				return nil, err
			}
			now = append(now, kv.Read{Key: entry.Key, Version: entry.Version})
		}
		if !slices.Equal(now, scan.Entries) {
			stale.Prefixes = append(stale.Prefixes, scan.Prefix)
		}
	}
	version, err := view.Version(ctx)
	if err != nil {
		return nil, err
	}
	if len(stale.Keys)+len(stale.Prefixes) > 0 {
		return &settled{version, &stale}, nil
	}
	return &settled{version, nil}, nil
}

// versionsIn reads each key once.
func versionsIn(ctx context.Context, view kv.Snapshot, reads []kv.Read) (map[string]kv.Version, error) {
	versions := make(map[string]kv.Version)
	var keys []string
	for _, r := range reads {
		if _, twice := versions[r.Key]; !twice {
			versions[r.Key] = 0
			keys = append(keys, r.Key)
		}
	}
	entries, err := view.Get(ctx, keys...)
	for _, entry := range entries {
		versions[entry.Key] = entry.Version
	}
	return versions, err
}

// validateByView is validate for more checks than a transaction makes: the view is one
// moment, not before the call.
func (s *Store) validateByView(ctx context.Context, b *kv.Batch) (kv.Version, error) {
	at, err := s.settle(ctx, b)
	if err != nil {
		return 0, err
	}
	return at.version, at.stale
}

// never is a compare that does not hold.
func never(at place) *pb.Compare { return modified(pb.Compare_LESS, 0, at.head(), nil) }

// checks are the compares of what was read. Where a view has made them, guards compares
// its version.
func (a *attempt) checks(at place) []*pb.Compare {
	switch {
	case a.settled == nil:
		return at.checks(a.batch)
	case a.settled.stale != nil:
		return []*pb.Compare{never(at)}
	}
	return nil
}

// stale is the conflict that the answer to an attempt shows, nil for none.
func (a *attempt) stale(at place, looks []*pb.ResponseOp) error {
	if a.settled != nil {
		return a.settled.stale
	}
	return at.stale(a.batch, looks)
}
