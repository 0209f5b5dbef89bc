package design

import (
	"context"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/pawlkv/pawl/kv"
)

// blob is the entries of an account.
type blob struct {
	version kv.Version // 0: there is none
	values  map[string][]byte
}

// entry returns a key as the blob has it.
func (b blob) entry(key string) kv.Entry {
	value, ok := b.values[key]
	if !ok {
		return kv.Entry{Key: key}
	}
	return kv.Entry{Key: key, Value: value, Version: b.version}
}

// entries returns those with a prefix, in order.
func (b blob) entries(prefix string) []kv.Entry {
	var found []kv.Entry
	for _, key := range slices.Sorted(maps.Keys(b.values)) {
		if strings.HasPrefix(key, prefix) {
			found = append(found, b.entry(key))
		}
	}
	return found
}

// encode appends keys and values, each after its length.
func (b blob) encode() []byte {
	size := 0
	for key, value := range b.values {
		size += 2*binary.MaxVarintLen32 + len(key) + len(value)
	}
	out := make([]byte, 0, size)
	for key, value := range b.values {
		out = append(binary.AppendUvarint(out, uint64(len(key))), key...)
		out = append(binary.AppendUvarint(out, uint64(len(value))), value...)
	}
	return out
}

// decodeBlob reads an entry of the store. Values are part of the entry's.
func decodeBlob(e kv.Entry) (blob, error) {
	b := blob{version: e.Version, values: map[string][]byte{}}
	for rest := e.Value; len(rest) > 0; {
		var key, value []byte
		var ok bool
		if key, rest, ok = cutField(rest); ok {
			value, rest, ok = cutField(rest)
		}
		if !ok {
			return b, fmt.Errorf("%w: a blob that ends early", kv.ErrCorrupt)
		}
		b.values[string(key)] = value
	}
	return b, nil
}

func cutField(b []byte) (field, rest []byte, ok bool) {
	size, n := binary.Uvarint(b)
	if n <= 0 || size > uint64(len(b)-n) {
		return nil, nil, false
	}
	end := n + int(size)
	return b[n:end:end], b[end:], true
}

// blobs are some of the store, by their keys.
type blobs map[string]blob

// stale returns what of a batch's reads does not hold, nil if all does.
func (b blobs) stale(batch *kv.Batch) *kv.ConflictError {
	var stale kv.ConflictError
	for _, r := range batch.Reads {
		if b[blobOf(r.Key)].entry(r.Key).Version != r.Version {
			stale.Keys = append(stale.Keys, r.Key)
		}
	}
	for _, s := range batch.Scans {
		var now []kv.Read
		for _, key := range slices.Sorted(maps.Keys(b)) {
			for _, e := range b[key].entries(s.Prefix) {
				now = append(now, kv.Read{Key: e.Key, Version: e.Version})
			}
		}
		if !slices.Equal(now, s.Entries) {
			stale.Prefixes = append(stale.Prefixes, s.Prefix)
		}
	}
	if len(stale.Keys)+len(stale.Prefixes) == 0 {
		return nil
	}
	return &stale
}

// batch returns what is to be committed: that the blobs are as they are, and
// those that change.
func (b blobs) batch(batch *kv.Batch) (*kv.Batch, error) {
	whole := &kv.Batch{ID: batch.ID, Turn: batch.Turn, Sync: batch.Sync}
	for _, key := range slices.Sorted(maps.Keys(b)) {
		whole.Reads = append(whole.Reads, kv.Read{Key: key, Version: b[key].version})
	}
	for _, s := range batch.Scans {
		whole.Scans = append(whole.Scans, b.scan(scanned(s.Prefix)))
	}
	next := blobs{}
	for _, w := range batch.Writes {
		key := blobOf(w.Key)
		if _, changes := next[key]; !changes {
			next[key] = blob{values: maps.Clone(b[key].values)}
		}
		if w.Delete {
			delete(next[key].values, w.Key)
		} else {
			next[key].values[w.Key] = w.Value
		}
	}
	for _, key := range slices.Sorted(maps.Keys(next)) {
		whole.Writes = append(whole.Writes, kv.Write{Key: key, Value: next[key].encode()})
	}
	return whole, whole.Check(kv.Embedded())
}

// scan returns that there are no other blobs with a prefix.
func (b blobs) scan(prefix string) kv.ScanRead {
	s := kv.ScanRead{Prefix: prefix}
	for _, key := range slices.Sorted(maps.Keys(b)) {
		if v := b[key].version; v != 0 && strings.HasPrefix(key, prefix) {
			s.Entries = append(s.Entries, kv.Read{Key: key, Version: v})
		}
	}
	return s
}

// read reads the blobs of a batch.
func (b *Blob) read(ctx context.Context, batch *kv.Batch, keys []string) (blobs, error) {
	snap := b.Store.Snapshot()
	defer snap.Close()
	found, err := readBlobs(ctx, snap, keys)
	if err != nil {
		return nil, err
	}
	for _, s := range batch.Scans {
		for e, err := range snap.Scan(ctx, scanned(s.Prefix)) {
			if err != nil {
				return nil, err
			}
			if found[e.Key], err = decodeBlob(e); err != nil {
				return nil, err
			}
		}
	}
	return found, nil
}

// readBlobs reads blobs in one round trip.
func readBlobs(ctx context.Context, snap kv.Snapshot, keys []string) (blobs, error) {
	entries, err := snap.Get(ctx, keys...)
	if err != nil {
		return nil, err
	}
	found := blobs{}
	for _, e := range entries {
		if found[e.Key], err = decodeBlob(e); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// lastRead remembers the blobs that were read last, so that a commit need not
// read them a second time. It decides nothing: the commit checks them.
type lastRead struct {
	mu    sync.Mutex
	blobs blobs
}

func (l *lastRead) set(read blobs) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.blobs == nil {
		l.blobs = blobs{}
	}
	maps.Copy(l.blobs, read)
}

// covering returns the blobs with the keys if all of them are known and the
// batch may have been computed from them.
func (l *lastRead) covering(keys []string, batch *kv.Batch) (blobs, bool) {
	if len(batch.Scans) > 0 {
		return nil, false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	found := blobs{}
	for _, key := range keys {
		b, known := l.blobs[key]
		if !known {
			return nil, false
		}
		found[key] = b
	}
	return found, found.stale(batch) == nil
}
