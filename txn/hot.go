package txn

import (
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// probeEvery is how many transactions queue for a hot key, with nobody beside
// them, before one tries without: enough that the tries do not show in the 99th
// percentile where another process contends, few enough that an idle key soon
// costs nothing.
const probeEvery = 256

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
func (h *hotKeys) lost(keys []string) (now []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, key := range keys {
		k, known := h.keys.Get(key)
		if !known {
			k = &heat{}
			h.keys.Add(key, k)
		}
		if k.losses++; k.losses == turnAfter {
			now = append(now, key)
		}
		k.left = probeEvery
	}
	return now
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
			k.left = probeEvery // contended as we speak
		}
		if k.left--; k.left > 0 {
			queue = append(queue, key)
		} else {
			k.left = probeEvery
		}
	}
	return queue
}

// enter notes that a transaction queues for the keys, leave that it is done.
func (h *hotKeys) enter(keys []string) { h.count(keys, 1) }
func (h *hotKeys) leave(keys []string) { h.count(keys, -1) }

// count may miss a key that was forgotten between the two calls and lost anew
// since: then the next probe comes at another time.
func (h *hotKeys) count(keys []string, n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, key := range keys {
		if k, known := h.keys.Peek(key); known {
			k.users = max(k.users+n, 0)
		}
	}
}
