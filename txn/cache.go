package txn

import (
	"strings"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/pawlkv/pawl/kv"
)

// cache keeps decoded values with their versions for all transactions of a DB.
// A nil cache keeps nothing. What is in it was true once; only a commit tells
// whether it still is.
type cache struct {
	entries *lru.Cache[string, known]
}

// known is what is known of a key.
type known struct {
	version kv.Version // 0: absent
	value   any
}

func newCache(p CachePolicy, size int) *cache {
	if p != Validated {
		return nil
	}
	entries, err := lru.New[string, known](size)
	if err != nil {
		return nil // size below 1, which the option rules out
	}
	return &cache{entries}
}

func (c *cache) get(key string) (known, bool) {
	return c.entries.Get(key)
}

// learn notes a value that the store showed. It does not replace a later
// version, which another transaction may have committed since.
func (c *cache) learn(key string, v kv.Version, value any) {
	if c == nil {
		return
	}
	if had, ok := c.entries.Peek(key); ok && had.version >= v {
		return
	}
	c.entries.Add(key, known{v, value})
}

// set notes what a commit of ours stored at its version, or deleted.
func (c *cache) set(key string, v kv.Version, value any) {
	if c == nil {
		return
	}
	if had, ok := c.entries.Peek(key); ok && v != 0 && had.version > v {
		return
	}
	c.entries.Add(key, known{v, value})
}

// evict forgets the keys and all keys with the prefixes.
func (c *cache) evict(keys, prefixes []string) {
	if c == nil {
		return
	}
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
