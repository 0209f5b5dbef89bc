package turns

import (
	"context"
	"hash/fnv"
	"slices"
	"time"

	"github.com/pawlkv/pawl/kv"
)

// What an engine needs whose turns are granted among processes too: first among the
// callers of its own, by a Table, and then where all processes see it.

// Never is the After of a table whose turns end by their release alone: a turn that is
// granted among processes lasts from then on, which the engine looks to.
func Never(time.Duration, func()) (stop func() bool) { return func() bool { return true } }

// TakeAmong is Take, and then queue, which waits for other processes. If it fails there is
// no turn.
func (t *Table) TakeAmong(ctx context.Context, keys []string, queue func() error) (kv.Turn, error) {
	turn, err := t.Take(ctx, keys...)
	if err != nil {
		return kv.Turn{}, err
	}
	if err := queue(); err != nil {
		turn.Release()
		return kv.Turn{}, err
	}
	return turn, nil
}

// Hashes returns the keys of a turn as processes tell each other of them, none for the
// whole store. Two keys may meet, and then wait for each other.
func Hashes(keys []string) []uint64 {
	hashed := make([]uint64, len(keys))
	for i, key := range keys {
		h := fnv.New64a()
		h.Write([]byte(key))
		hashed[i] = h.Sum64()
	}
	return hashed
}

// Meet reports whether a turn on some keys, hashed, holds up another, or a commit. One on
// the whole store holds up everything.
func Meet(a, b []uint64) bool {
	if len(a) == 0 || len(b) == 0 {
		return true
	}
	return slices.ContainsFunc(a, func(x uint64) bool { return slices.Contains(b, x) })
}
