package txn

import "testing"

// TestTheCacheGoesForward: what the store showed a while ago does not replace what
// was committed since, and costs nobody an attempt.
func TestTheCacheGoesForward(t *testing.T) {
	c := newCache(Validated, 10)
	for _, k := range []known{{5, "committed", 1}, {3, "seen before", 1}} {
		c.learn("k", k)
	}
	if got, ok := c.get("k"); !ok || got.version != 5 {
		t.Errorf("the cache has version %d, want 5", got.version)
	}
	c.set("k", known{4, "committed before", 1})
	if got, _ := c.get("k"); got.version != 5 {
		t.Errorf("an older commit that was told later left version %d, want 5", got.version)
	}
	c.set("k", known{})
	c.learn("k", known{7, "made anew", 1})
	if got, _ := c.get("k"); got.version != 7 {
		t.Errorf("after a deletion the cache has version %d, want 7", got.version)
	}
}
