package memkv

import (
	"bytes"
	"context"
	"slices"
	"strings"

	"github.com/tidwall/btree"

	"github.com/pawlkv/pawl/kv"
)

// Commit implements kv.Store. It never returns kv.ErrUnknown but for
// kv.ErrExpired: a commit that does not wait for a turn is done at once.
func (s *Store) Commit(ctx context.Context, b *kv.Batch) (kv.Version, error) {
	if err := b.Check(s.limits); err != nil {
		return 0, err
	}
	if err := s.checkOpen(); err != nil {
		return 0, err
	}
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	leave, err := s.turns.Enter(ctx, b)
	if err != nil {
		return 0, err
	}
	defer leave()
	return s.apply(b)
}

// apply is the commit itself.
func (s *Store) apply(b *kv.Batch) (kv.Version, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return 0, kv.ErrClosed
	}

	if len(b.Writes) == 0 {
		return s.holds(b)
	}
	// An ID that is known is answered before its reads are checked: its own writes
	// have made them stale, or they hold again.
	if version, err := s.ids.resolve(b.ID); version != 0 || err != nil {
		return version, err
	}
	if err := s.validate(b); err != nil {
		if b.Again {
			s.next(b.ID, refused, nil)
		}
		return 0, err
	}
	return s.next(b.ID, applied, b.Writes), nil
}

// holds validates a batch without writes.
func (s *Store) holds(b *kv.Batch) (kv.Version, error) {
	if err := s.validate(b); err != nil {
		return 0, err
	}
	return s.head, nil
}

// next makes the next version, that of a commit or of a refusal: an ID is
// dropped by the version at which it was recorded, which must be later than any
// at which its batch began.
func (s *Store) next(id kv.CommitID, was fate, writes []kv.Write) kv.Version {
	s.head++
	for _, w := range writes {
		s.write(w)
	}
	s.ids.add(id, s.head, was)
	s.hub.Publish(s.head, writes)
	return s.head
}

// write stores a copy, since the batch is the caller's again after Commit.
func (s *Store) write(w kv.Write) {
	if w.Delete {
		s.tree.Delete(w.Key)
		return
	}
	s.tree.Set(w.Key, kv.Entry{Key: w.Key, Value: bytes.Clone(w.Value), Version: s.head})
}

// validate returns a *kv.ConflictError for reads and scans that hold no more.
func (s *Store) validate(b *kv.Batch) error {
	var stale kv.ConflictError
	for _, r := range b.Reads {
		// Absent entries have version 0, as reads of them do.
		if entry, _ := s.tree.Get(r.Key); entry.Version != r.Version {
			stale.Keys = append(stale.Keys, r.Key)
		}
	}
	for _, scan := range b.Scans {
		if !slices.Equal(reads(s.tree, scan.Prefix), scan.Entries) {
			stale.Prefixes = append(stale.Prefixes, scan.Prefix)
		}
	}
	if len(stale.Keys)+len(stale.Prefixes) > 0 {
		return &stale
	}
	return nil
}

// reads returns what a scan of the prefix yields.
func reads(tree *btree.Map[string, kv.Entry], prefix string) []kv.Read {
	var yielded []kv.Read
	tree.Ascend(prefix, func(key string, entry kv.Entry) bool {
		if !strings.HasPrefix(key, prefix) {
			return false
		}
		yielded = append(yielded, kv.Read{Key: key, Version: entry.Version})
		return true
	})
	return yielded
}
