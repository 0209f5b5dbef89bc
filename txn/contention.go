package txn

import (
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/hashicorp/golang-lru/v2/simplelru"
	"github.com/pawlkv/pawl/kv"
)

// Waits between attempts that take no turn. A commit takes about half a
// millisecond, a takeover by another process some 25 ms.
const (
	conflictWait    = 500 * time.Microsecond
	conflictWaitMax = 20 * time.Millisecond
)

// contention is what a transaction does about keys that others write too: it
// remembers which it lost, backs off, and takes turns. It begins empty.
type contention struct {
	t       *transaction
	lost    []string        // in all attempts so far, and what else to queue for
	known   map[string]bool // the same
	due     bool            // the next attempt begins with a turn on them
	whole   bool            // or with one on the whole store
	turn    kv.Turn
	held    bool     // there is a turn
	holds   []string // its keys; none if it is on the whole store
	backoff *backoff.ExponentialBackOff
}

// lose notes keys that were lost, ends the turn, and decides whether the next
// attempt takes one.
func (c *contention) lose(keys []string) {
	c.add(keys)
	c.add(c.holds)
	if all := c.t.tx.checked(); c.t.report.Conflicts >= coverAfter && len(all) <= coverMost {
		c.add(all)
	}
	c.release()
	db := c.t.db
	if heated := db.hot.lost(keys); len(heated) > 0 {
		db.log.LogAttrs(c.t.ctx, slog.LevelInfo, "contention: transactions queue for these keys", slog.Any("keys", heated))
	}
	c.whole = c.t.report.Conflicts >= wholeAfter
	c.due = c.whole || len(c.lost) > 0 && (c.t.report.Conflicts >= turnAfter || db.hot.any(c.lost))
}

func (c *contention) add(keys []string) {
	if c.known == nil {
		c.known = make(map[string]bool, len(keys))
	}
	for _, key := range keys {
		if !c.known[key] {
			c.known[key] = true
			c.lost = append(c.lost, key)
		}
	}
}

// wait waits for a jittered moment that grows with each loss, unless a turn is
// due: waiting for that is the wait.
func (c *contention) wait() error {
	if c.due {
		return nil
	}
	if c.backoff == nil {
		c.backoff = newBackoff(conflictWait, conflictWaitMax)
	}
	if err := c.t.db.opts.sleep(c.t.ctx, c.backoff.NextBackOff()); err != nil {
		return fmt.Errorf("txn: %w", err)
	}
	return nil
}

// newBackoff waits anything between nothing and twice the interval, so that
// those who lost to each other do not meet again.
func newBackoff(first, most time.Duration) *backoff.ExponentialBackOff {
	b := &backoff.ExponentialBackOff{InitialInterval: first, MaxInterval: most, Multiplier: 2, RandomizationFactor: 1}
	b.Reset()
	return b
}

// takeDue takes the turn that is due, if one is.
func (c *contention) takeDue() error {
	switch {
	case !c.due:
		return nil
	case c.whole:
		return c.take(nil)
	}
	return c.take(c.lost)
}

// takeHot takes a turn on those of the keys that were fought over lately, for
// an attempt whose snapshot is not fixed yet: later, the turn could no longer
// keep what is read from being old.
func (c *contention) takeHot(keys []string) error {
	if c.held || c.t.mode == readOnly {
		return nil
	}
	if queue := c.t.db.hot.pick(keys); len(queue) > 0 {
		return c.take(queue)
	}
	return nil
}

// take waits for the turn on the keys, on the whole store if there are none. A
// store that grants none is no failure: a turn is advice.
func (c *contention) take(keys []string) error {
	c.release()
	keys = slices.Sorted(slices.Values(keys))
	db, ctx := c.t.db, c.t.ctx
	db.hot.enter(keys)
	turn, err := db.store.Turn(ctx, keys...)
	if err == nil {
		c.turn, c.held, c.holds = turn, true, keys
		c.t.report.Turns++
		return nil
	}
	db.hot.leave(keys)
	if ctx.Err() != nil {
		return fmt.Errorf("txn: waiting for a turn: %w", err)
	}
	db.log.LogAttrs(ctx, slog.LevelWarn, "no turn on contended keys: trying without", slog.Any("keys", keys), slog.Any("error", err))
	return nil
}

// release ends the turn, if there is one.
func (c *contention) release() {
	if !c.held {
		return
	}
	c.turn.Release()
	c.t.db.hot.leave(c.holds)
	c.turn, c.held, c.holds = kv.Turn{}, false, nil
}

// won forgets the losses of keys that were won at once, without a turn.
func (c *contention) won(writes []*write) {
	r, hot := &c.t.report, c.t.db.hot
	if r.Conflicts > 0 || r.Turns > 0 || hot.empty() {
		return
	}
	keys := make([]string, len(writes))
	for i, w := range writes {
		keys[i] = w.key
	}
	hot.won(keys)
}

// tryEvery is how many transactions queue for a hot key, with nobody beside
// them, before one tries without: enough that the tries do not show in the 99th
// percentile where another process contends, few enough that an idle key soon
// costs nothing.
const tryEvery = 256

// hotKeys remembers keys that transactions fought over lately, so that the
// next ones queue at once and do not first lose three times. A key is hot
// after turnAfter losses, no matter whose, without a transaction that won it
// at once. It counts transactions and reads no clock.
type hotKeys struct {
	mu   sync.Mutex
	keys simplelru.LRUCache[string, *heat]
}

// heat is what is known of a key that was lost.
type heat struct {
	losses int // since somebody won it at once
	left   int // transactions until the next that tries without a turn
	users  int // transactions of this DB that queue for it or hold a turn
}

func (h *heat) hot() bool { return h.losses >= turnAfter }

func newHotKeys(size int) *hotKeys {
	keys, err := simplelru.NewLRU[string, *heat](size, nil)
	if err != nil {
		panic(err) // hotSize is a constant above 0
	}
	return &hotKeys{keys: keys}
}

// lost notes that a transaction lost the keys and returns those that became
// hot by it.
func (h *hotKeys) lost(keys []string) (heated []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, key := range keys {
		k, known := h.keys.Get(key)
		if !known {
			k = &heat{}
			h.keys.Add(key, k)
		}
		if k.losses++; k.losses == turnAfter {
			heated = append(heated, key)
		}
		k.left = tryEvery
	}
	return heated
}

// won notes that a transaction won the keys at once, without a turn. Where
// others queue, that was luck.
func (h *hotKeys) won(keys []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, key := range keys {
		if k, known := h.keys.Peek(key); known && k.users == 0 {
			h.keys.Remove(key)
		}
	}
}

// any reports whether one of the keys is hot.
func (h *hotKeys) any(keys []string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, key := range keys {
		if k, known := h.keys.Peek(key); known && k.hot() {
			return true
		}
	}
	return false
}

// empty reports whether nothing was lost lately.
func (h *hotKeys) empty() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.keys.Len() == 0
}

// pick returns those of the keys to queue for.
func (h *hotKeys) pick(keys []string) (queue []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.keys.Len() == 0 {
		return nil
	}
	for _, key := range keys {
		k, known := h.keys.Get(key)
		if !known || !k.hot() {
			continue
		}
		if k.users > 0 {
			k.left = tryEvery // contended as we speak
		}
		if k.left--; k.left > 0 {
			queue = append(queue, key)
		} else {
			k.left = tryEvery
		}
	}
	return queue
}

// enter notes that a transaction queues for the keys, leave that it is done.
func (h *hotKeys) enter(keys []string) { h.count(keys, 1) }
func (h *hotKeys) leave(keys []string) { h.count(keys, -1) }

// count may miss a key that was forgotten between the two calls and lost anew
// since: then the next try without a turn comes at another time.
func (h *hotKeys) count(keys []string, n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, key := range keys {
		if k, known := h.keys.Peek(key); known {
			k.users = max(k.users+n, 0)
		}
	}
}
