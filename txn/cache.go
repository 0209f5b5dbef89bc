package txn

import (
	"strings"
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"github.com/pawlkv/pawl/kv"
)

// cache keeps decoded values with their versions for all transactions of a DB.
// A nil cache keeps nothing. What is in it was true once; only a commit tells
// whether it still is.
//
// It keeps so many records, and fewer where they are large: others choose how
// large a session is.
type cache struct {
	mu      sync.Mutex
	entries *simplelru.LRU[string, known]
	bytes   int // of all values
	most    int
}

// known is what is known of a key.
type known struct {
	version kv.Version // 0: absent
	value   any
	bytes   int // of the value as it is stored; decoded it has about as many
}

func newCache(p CachePolicy, size int) *cache {
	if p != Validated {
		return nil
	}
	c := &cache{most: size * cachedBytes}
	entries, err := simplelru.NewLRU(size, func(_ string, k known) { c.bytes -= k.bytes })
	if err != nil {
		return nil // size below 1, which the option rules out
	}
	c.entries = entries
	return c
}

func (c *cache) get(key string) (known, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.entries.Get(key)
}

// learn notes a value that the store showed. It does not replace a later
// version, which another transaction may have committed since.
func (c *cache) learn(key string, k known) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if had, ok := c.entries.Peek(key); ok && had.version >= k.version {
		return
	}
	c.add(key, k)
}

// set notes what a commit of ours stored at its version, or deleted.
func (c *cache) set(key string, k known) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if had, ok := c.entries.Peek(key); ok && k.version != 0 && had.version > k.version {
		return
	}
	c.add(key, k)
}

// add makes room for an entry. The newest stays, however large it is. Callers
// hold c.mu.
func (c *cache) add(key string, k known) {
	c.entries.Remove(key)
	c.entries.Add(key, k)
	c.bytes += k.bytes
	for c.bytes > c.most && c.entries.Len() > 1 {
		c.entries.RemoveOldest()
	}
}

// evict forgets the keys and all keys with the prefixes.
func (c *cache) evict(keys, prefixes []string) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, key := range keys {
		c.entries.Remove(key)
	}
	if len(prefixes) == 0 {
		return
	}
	for _, key := range c.entries.Keys() {
		for _, prefix := range prefixes {
			if strings.HasPrefix(key, prefix) {
				c.entries.Remove(key)
			}
		}
	}
}
