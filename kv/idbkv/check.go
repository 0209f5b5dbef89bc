//go:build js

package idbkv

import (
	"syscall/js"

	"github.com/pawlkv/pawl/kv"
)

// expected is what a scan must yield still: entries, and nothing else up to the last of
// them, or at all if it is whole.
type expected struct {
	prefix  string
	entries []kv.Read
	whole   bool
}

func expectedOf(scans []kv.ScanRead) []expected {
	var all []expected
	for _, s := range scans {
		all = append(all, expected{s.Prefix, s.Entries, true})
	}
	return all
}

// check asks in a transaction whether what was read still holds.
type check struct {
	tx    *tx
	reads []kv.Read
	asked []js.Value // requests of this step, of the reads that follow those in found
	found []finding  // one for each read that was answered
	scans []*rescan
}

// finding is the version at which an entry was found, or why it has none.
type finding struct {
	version kv.Version
	err     error
}

// rescan reads what a scan has read, page by page, as long as it is the same.
type rescan struct {
	expected
	rest         []kv.Read
	from         string
	page         *pager
	keys, values js.Value // requests of the page under way
	asked        int
	over, same   bool
}

// newCheck asks for what can be asked for at once.
func newCheck(t *tx, reads []kv.Read, scans []expected) *check {
	c := &check{tx: t, reads: reads}
	c.askReads()
	for _, e := range scans {
		c.scans = append(c.scans, &rescan{expected: e, rest: e.entries, from: e.prefix, page: newPager()})
	}
	c.askPages()
	return c
}

// askReads asks for the next entries that were read, if there are more.
func (c *check) askReads() (some bool) {
	rest := c.reads[len(c.found):]
	if len(rest) == 0 {
		return false
	}
	entries := c.tx.store(entriesStore)
	for _, r := range rest[:min(atOnce, len(rest))] {
		c.asked = append(c.asked, c.tx.ask(entries.Call("get", keyToJS(r.Key))))
	}
	return true
}

// takeReads takes the answers of a step.
func (c *check) takeReads() {
	for _, request := range c.asked {
		version, err := versionOf(c.reads[len(c.found)].Key, request.Get("result"))
		c.found = append(c.found, finding{version, err})
	}
	c.asked = nil
}

// askPages asks for the next page of every scan that is not over.
func (c *check) askPages() (some bool) {
	entries := c.tx.store(entriesStore)
	for _, s := range c.scans {
		if s.over || !s.whole && len(s.rest) == 0 {
			s.same, s.over = s.same || !s.over, true
			continue
		}
		s.asked = min(s.page.size, len(s.rest)+1)
		if !s.whole {
			s.asked = min(s.page.size, len(s.rest))
		}
		within := prefixed(s.prefix, s.from)
		s.keys = c.tx.ask(entries.Call("getAllKeys", within, s.asked))
		s.values = c.tx.ask(entries.Call("getAll", within, s.asked))
		some = true
	}
	return some
}

// run calls then when all is read.
func (c *check) run(then func() error) error {
	return c.tx.then(func() error {
		c.takeReads()
		for _, s := range c.scans {
			if err := s.compare(); err != nil {
				return err
			}
		}
		reads, pages := c.askReads(), c.askPages()
		if reads || pages {
			return c.run(then)
		}
		return then()
	})
}

// compare looks at a page.
func (s *rescan) compare() error {
	if s.over {
		return nil
	}
	keys, values := s.keys.Get("result"), s.values.Get("result")
	n, size := keys.Length(), 0
	for i := range n {
		key, err := keyOf(keys.Index(i))
		if err != nil {
			return err
		}
		value := values.Index(i)
		version, err := versionOf(key, value)
		if err != nil {
			return err
		}
		size += value.Get("length").Int()
		if len(s.rest) == 0 || s.rest[0] != (kv.Read{Key: key, Version: version}) {
			s.over = true
			return nil
		}
		s.rest, s.from = s.rest[1:], key+"\x00"
	}
	s.page.read(n, size)
	if n < s.asked { // it is the end
		s.over, s.same = true, len(s.rest) == 0
	}
	return nil
}

// stale returns what holds no more, nil if all does. Of keys in newer the version is
// that, and not what was found.
func (c *check) stale(newer map[string]kv.Version) error {
	var stale kv.ConflictError
	for i, r := range c.reads {
		version, known := newer[r.Key]
		if !known {
			if c.found[i].err != nil {
				return c.found[i].err
			}
			version = c.found[i].version
		}
		if version != r.Version {
			stale.Keys = append(stale.Keys, r.Key)
		}
	}
	for _, s := range c.scans {
		if !s.same {
			stale.Prefixes = append(stale.Prefixes, s.prefix)
		}
	}
	if len(stale.Keys)+len(stale.Prefixes) > 0 {
		return &stale
	}
	return nil
}

// headRequest asks for the newest version.
type headRequest struct{ cursor js.Value }

func askHead(t *tx) headRequest {
	return headRequest{t.ask(t.store(commitsStore).Call("openKeyCursor", js.Null(), "prev"))}
}

// version is 0 in an empty store.
func (h headRequest) version() kv.Version {
	cursor := h.cursor.Get("result")
	if !cursor.Truthy() {
		return 0
	}
	return numberOf(cursor.Get("key"))
}
