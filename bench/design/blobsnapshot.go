package design

import (
	"context"
	"iter"

	"github.com/pawlkv/pawl/kv"
)

// Snapshot implements [kv.Store].
func (b *Blob) Snapshot() kv.Snapshot {
	return &blobSnapshot{Snapshot: b.Store.Snapshot(), store: b, read: blobs{}}
}

// blobSnapshot is used by one goroutine at a time, as txn does.
type blobSnapshot struct {
	kv.Snapshot
	store *Blob
	read  blobs // so far: decoded once
}

// Get implements [kv.Snapshot]. It reads each blob once.
func (s *blobSnapshot) Get(ctx context.Context, keys ...string) ([]kv.Entry, error) {
	var missing []string
	for _, key := range blobsOf(keys) {
		if _, known := s.read[key]; !known {
			missing = append(missing, key)
		}
	}
	if len(missing) > 0 {
		found, err := readBlobs(ctx, s.Snapshot, missing)
		if err != nil {
			return nil, err
		}
		s.keep(found)
	}
	entries := make([]kv.Entry, len(keys))
	for i, key := range keys {
		entries[i] = s.read[blobOf(key)].entry(key)
	}
	return entries, nil
}

func (s *blobSnapshot) keep(found blobs) {
	for key, b := range found {
		s.read[key] = b
	}
	s.store.last.set(found)
}

// Scan implements [kv.Snapshot].
func (s *blobSnapshot) Scan(ctx context.Context, prefix string) iter.Seq2[kv.Entry, error] {
	return func(yield func(kv.Entry, error) bool) {
		for e, err := range s.Snapshot.Scan(ctx, scanned(prefix)) {
			if err != nil {
				yield(kv.Entry{}, err)
				return
			}
			b, err := decodeBlob(e)
			if err != nil {
				yield(kv.Entry{}, err)
				return
			}
			for _, e := range b.entries(prefix) {
				if !yield(e, nil) {
					return
				}
			}
		}
	}
}
