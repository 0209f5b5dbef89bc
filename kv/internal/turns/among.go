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

// TakeAmong is Take, and then queue, which waits for other processes with the turn. If it
// fails there is no turn, but what is returned names the one that there was.
func (t *Table) TakeAmong(ctx context.Context, keys []string, queue func(kv.TurnID) error) (kv.Turn, error) {
	asked, err := t.join(ctx, keys)
	if err != nil {
		return kv.Turn{}, err
	}
	if err = t.await(ctx, asked.granted); err == nil {
		err = queue(asked.id)
	}
	if err != nil {
		t.end(asked)
		return kv.Turn{ID: asked.id}, err
	}
	return kv.Turn{ID: asked.id, Release: func() { t.end(asked) }}, nil
}

// Pass ends a turn if the next one in its queues is on the same keys, and returns that one,
// which then has the turn. Otherwise it does nothing and returns 0. Of turns on the whole
// store none is passed on.
func (t *Table) Pass(id kv.TurnID) (next kv.TurnID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	asked := t.turns[id]
	if asked == nil || !asked.holds || asked.isWhole() {
		return 0
	}
	queue := t.queues[asked.keys[0]]
	if len(queue) < 2 || !slices.Equal(queue[1].keys, asked.keys) {
		return 0
	}
	heir := queue[1]
	for _, key := range asked.keys {
		if t.queues[key][1] != heir {
			return 0
		}
	}
	if len(t.whole) > 0 && t.whole[0].id < heir.id {
		return 0
	}
	t.over(asked)
	return heir.id
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
