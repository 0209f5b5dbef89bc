package design

import (
	"context"
	"errors"
	"iter"
	"slices"
	"strings"

	"github.com/pawlkv/pawl/kv"
)

// Blob keeps all entries of an account in one entry of the store, as a pickled
// account with all of its sessions would be: what begins with the same segment
// up to the first slash. Every step reads the blob, and writes all of it if it
// writes anything; the commit checks that the blob has not changed. So it is as
// right as the store is, but two steps of one account always conflict, and each
// costs as much as the account is large.
//
// It is kinder to the design than what is found elsewhere: records stay sealed
// one by one, so that a step opens and decodes those that it needs and not all.
// An account that does not fit into one batch (kv.EmbeddedBytes) is
// kv.ErrTooLarge.
//
// All entries of a blob have its version. It is no store for general use: a
// watch only tells that something in a blob changed.
type Blob struct {
	kv.Store
	last lastRead
}

// NewBlob makes a store that keeps its entries in blobs of another, which other
// Blobs share.
func NewBlob(store kv.Store) *Blob { return &Blob{Store: store} }

// blobPrefix begins the keys of blobs, so that nothing else is taken for one.
const blobPrefix = "blob/"

// blobOf returns the key of the blob that a key belongs to.
func blobOf(key string) string {
	account, _, _ := strings.Cut(key, "/")
	return blobPrefix + account
}

func blobsOf(keys []string) []string {
	blobs := make([]string, len(keys))
	for i, key := range keys {
		blobs[i] = blobOf(key)
	}
	slices.Sort(blobs)
	return slices.Compact(blobs)
}

// Turn implements [kv.Store]: a turn on a key is one on its blob.
func (b *Blob) Turn(ctx context.Context, keys ...string) (kv.Turn, error) {
	return b.Store.Turn(ctx, blobsOf(keys)...)
}

// Watch implements [kv.Store]. Every change is a resync.
func (b *Blob) Watch(ctx context.Context, prefix string, after kv.Version) iter.Seq2[kv.Change, error] {
	return func(yield func(kv.Change, error) bool) {
		for change, err := range b.Store.Watch(ctx, scanned(prefix), after) {
			if err == nil {
				change = kv.Change{Resync: true, Head: change.Head}
			}
			if !yield(change, err) {
				return
			}
		}
	}
}

// scanned returns the prefix of the blobs that may hold keys with a prefix.
func scanned(prefix string) string {
	if strings.Contains(prefix, "/") {
		return blobOf(prefix)
	}
	return blobPrefix + prefix
}

// Close leaves the store under it open for its owner.
func (b *Blob) Close() error { return nil }

// Commit implements [kv.Store]: the batch becomes one that checks and writes
// whole blobs.
func (b *Blob) Commit(ctx context.Context, batch *kv.Batch) (kv.Version, error) {
	if err := batch.Check(b.Limits()); err != nil {
		return 0, err
	}
	keys := touched(batch)
	blobs, known := b.last.covering(keys, batch)
	for {
		if !known {
			var err error
			if blobs, err = b.read(ctx, batch, keys); err != nil {
				return 0, err
			}
		}
		if stale := blobs.stale(batch); stale != nil {
			return b.lost(ctx, batch, stale)
		}
		whole, err := blobs.batch(batch)
		if err != nil {
			return 0, err
		}
		v, err := b.Store.Commit(ctx, whole)
		if !errors.Is(err, kv.ErrConflict) || errors.Is(err, kv.ErrRefused) {
			return v, err
		}
		// A blob has changed: what was read of it may hold all the same.
		known = false
	}
}

// touched returns the keys of the blobs that a batch reads and writes.
func touched(batch *kv.Batch) []string {
	var keys []string
	for _, r := range batch.Reads {
		keys = append(keys, r.Key)
	}
	for _, w := range batch.Writes {
		keys = append(keys, w.Key)
	}
	return blobsOf(keys)
}

// lost answers a batch whose reads do not hold: it was applied before, and they
// do not because of that, or it never will be.
func (b *Blob) lost(ctx context.Context, batch *kv.Batch, stale *kv.ConflictError) (kv.Version, error) {
	if len(batch.Writes) == 0 {
		return 0, stale
	}
	v, err := b.Store.Commit(ctx, &kv.Batch{
		ID:     batch.ID,
		Again:  batch.Again,
		Reads:  []kv.Read{{Key: blobPrefix + "never", Version: never}},
		Writes: []kv.Write{{Key: blobPrefix + "never"}},
	})
	if errors.Is(err, kv.ErrConflict) {
		return 0, stale
	}
	return v, err
}

// never is the version of no commit.
const never = kv.MaxVersion
