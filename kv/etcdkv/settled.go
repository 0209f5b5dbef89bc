package etcdkv

import (
	"context"
	"errors"
	"fmt"
	"iter"
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

// settle makes the checks of a batch in a view, in one round trip but for scans of many.
// That etcd has compacted the view says nothing about the batch.
func (s *Store) settle(ctx context.Context, b *kv.Batch) (*settled, error) {
	at, err := s.look(ctx, b)
	if errors.Is(err, kv.ErrConflict) {
		return nil, fmt.Errorf("%w: the checks of a batch take longer than etcd keeps a view: %v", kv.ErrUnavailable, err)
	}
	return at, err
}

func (s *Store) look(ctx context.Context, b *kv.Batch) (*settled, error) {
	view := s.snapshot()
	defer view.Close()
	var prefixes []string
	most := 0
	for _, scan := range b.Scans {
		if len(scan.Entries) < firstPage {
			prefixes, most = append(prefixes, scan.Prefix), max(most, len(scan.Entries)+1)
		}
	}
	keys := keysOf(b.Reads)
	entries, begun, err := view.Look(ctx, keys, prefixes, most)
	if err != nil {
		return nil, err
	}
	versions := make(map[string]kv.Version, len(keys))
	for _, entry := range entries {
		versions[entry.Key] = entry.Version
	}
	var stale kv.ConflictError
	for _, r := range b.Reads {
		if versions[r.Key] != r.Version {
			stale.Keys = append(stale.Keys, r.Key)
		}
	}
	for _, scan := range b.Scans {
		var now []kv.Entry
		if len(scan.Entries) < firstPage {
			now, begun = begun[0].Entries, begun[1:]
		} else if now, err = all(view.Scan(ctx, scan.Prefix)); err != nil {
			return nil, err
		}
		same := func(e kv.Entry, r kv.Read) bool { return e.Key == r.Key && e.Version == r.Version }
		if !slices.EqualFunc(now, scan.Entries, same) {
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

// keysOf returns each key once.
func keysOf(reads []kv.Read) (keys []string) {
	met := make(map[string]bool)
	for _, r := range reads {
		if !met[r.Key] {
			met[r.Key] = true
			keys = append(keys, r.Key)
		}
	}
	return keys
}

// all returns what a scan yields.
func all(scan iter.Seq2[kv.Entry, error]) (entries []kv.Entry, err error) {
	for entry, err := range scan {
		if err != nil {
			return nil, err
		}
		entries = append(entries, entry)
	}
	return entries, nil
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
