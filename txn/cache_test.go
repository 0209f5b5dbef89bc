package txn

import (
	"fmt"
	"testing"
)

// TestCacheIsBoundedByBytes: large values leave room for fewer, and one that is
// larger than all is kept alone.
func TestCacheIsBoundedByBytes(t *testing.T) {
	c := newCache(Validated, 8) // 8 KB
	has := func(key string) bool { _, ok := c.get(key); return ok }
	for i := range 8 {
		c.learn(fmt.Sprint(i), known{1, i, 100})
	}
	if c.entries.Len() != 8 || c.bytes != 800 {
		t.Fatalf("%d entries of %d bytes", c.entries.Len(), c.bytes)
	}
	c.set("7", known{2, 7, 3000}) // in the place of the old one
	c.set("8", known{2, 8, 5000})
	if c.bytes != 8100 || c.entries.Len() != 3 || !has("6") || has("5") {
		t.Errorf("%d entries of %d bytes", c.entries.Len(), c.bytes)
	}
	c.evict([]string{"7"}, []string{"8"})
	if c.bytes != 100 || has("7") || has("8") {
		t.Errorf("%d bytes are left of one entry", c.bytes)
	}
	c.learn("large", known{1, 0, 1 << 20})
	if c.entries.Len() != 1 || !has("large") {
		t.Errorf("%d entries beside a large one", c.entries.Len()-1)
	}
	c.learn("small", known{1, 0, 10})
	if c.bytes != 10 || has("large") {
		t.Errorf("%d bytes beside a small one", c.bytes-10)
	}
}
